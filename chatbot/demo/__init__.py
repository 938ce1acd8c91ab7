"""The content of a believable shop, its golden questions, and people to log in as (`manage.py load_demo`)."""

from pathlib import Path

DEMO_FILE = Path(__file__).with_name("faqs.json")
GOLDEN_FILE = Path(__file__).with_name("golden.json")
# (role, e-mail address, password): for trying Parley out, never for a public installation.
DEMO_LOGINS = [
    ("user", "user@example.com", "demo-user-2026"),
    ("editor", "editor@example.com", "demo-editor-2026"),
    ("reviewer", "reviewer@example.com", "demo-reviewer-2026"),
    ("admin", "admin@example.com", "demo-admin-2026"),
]
