"""`python -m benchmarks.pages`: time, queries and bytes of the pages, with 100 rows and with 10,000; and their scripts and styles.

Pages are asked for through Django's test client, so the time is that of the view and its templates. Scripts are counted with the modules
that they import, compressed by gzip as a proxy would.
"""

import argparse
import gzip
import re
import statistics
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

from .live import django_here

ROUNDS = 20
LINKED = re.compile(r'(?:src|href)="(/static/[^"]+\.(?:js|css))"')
IMPORTED = re.compile(r'(?:from|import)\s*\(?\s*"(\.[^"]+\.js)"')


def static_file(url: str) -> Path:
    from django.contrib.staticfiles import finders

    found = finders.find(url.removeprefix("/static/").partition("?")[0])
    assert isinstance(found, str), url
    return Path(found)


def with_imports(path: Path, seen: set[Path]) -> None:
    if path in seen:
        return
    seen.add(path)
    if path.suffix == ".js":
        for name in IMPORTED.findall(path.read_text()):
            with_imports((path.parent / name).resolve(), seen)


def weight(html: str) -> tuple[int, float]:
    """Requests for scripts and styles, and their compressed kB."""
    files: set[Path] = set()
    for url in LINKED.findall(html):
        with_imports(static_file(url), files)
    return len(files), sum(len(gzip.compress(path.read_bytes())) for path in files) / 1024


def grow(user: Any, conversation: Any, before: int, rows: int) -> None:
    """Bring the conversations of a user, the messages of one, and the FAQs to `rows`."""
    from django.utils import timezone

    from conversations.models import Conversation, Message
    from faqs.models import FAQ, Category

    now = timezone.now()
    numbers = range(before, rows)
    Conversation.objects.bulk_create(
        [
            Conversation(user=user, title=f"Conversation {n}", last_message_at=now - timedelta(minutes=n))
            for n in numbers
        ]
    )
    roles = (Message.Role.USER, Message.Role.ASSISTANT)
    Message.objects.bulk_create(
        [
            Message(
                conversation=conversation,
                user=user if n % 2 == 0 else None,
                role=roles[n % 2],
                content=f"Message {n}: " + "some words that fill a line or two of the transcript. " * 3,
                seq=n + 1,
                position=n + 1,
            )
            for n in numbers
        ],
        batch_size=1000,
    )
    Conversation.objects.filter(pk=conversation.pk).update(last_seq=rows, message_count=rows)
    category, _made = Category.objects.get_or_create(slug="bench", defaults={"name": "Bench"})
    FAQ.objects.bulk_create(
        [
            FAQ(
                category=category,
                question=f"What about matter {n}?",
                answer="This is how it is.",
                slug=f"matter-{n}",
                status="published",
                published_at=now,
            )
            for n in numbers
        ],
        batch_size=1000,
    )


def measure(name: str, client: Any, path: str, rows: int) -> None:
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    client.get(path)
    with CaptureQueriesContext(connection) as captured:
        response = client.get(path)
    queries = len(captured)
    assert response.status_code == 200, path
    taken = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        client.get(path)
        taken.append((time.perf_counter() - began) * 1000)
    requests, compressed = weight(response.content.decode())
    size = len(gzip.compress(response.content)) / 1024
    print(
        f"{name:18} {rows:7,d} {statistics.median(taken):8.1f} {queries:8d} {len(response.content) / 1024:8.1f} {size:8.1f} "
        f"{requests:8d} {compressed:8.1f}",
        flush=True,
    )


def run(sizes: list[int]) -> None:
    from django.db import connection
    from django.test import Client
    from django.utils import timezone

    from accounts.models import User
    from conversations.models import Conversation

    user = User.objects.create_superuser("bench@example.com", "correct horse battery")
    conversation = Conversation.objects.create(user=user, title="The long one", last_message_at=timezone.now())
    # Not as tests do it: `setup_test_environment` keeps copies of all contexts, which doubles the time of a page.
    anybody, client = (Client(SERVER_NAME="127.0.0.1") for _ in range(2))
    client.force_login(user, "django.contrib.auth.backends.ModelBackend")
    pages = {
        "new chat": "/",
        "conversation list": "/chat/list",
        "transcript": f"/chat/{conversation.pk}",
        "earlier messages": f"/chat/{conversation.pk}/earlier?before=60",
        "archive": "/chat/archived",
        "help centre": "/help/matter-1",
        "admin FAQ list": "/admin/faqs/faq/",
        "sign in": "/accounts/login/",
    }
    print("page                  rows       ms  queries       kB    gzip kB   JS+CSS  gzip kB")
    before = 0
    for rows in sizes:
        grow(user, conversation, before, rows)
        before = rows
        with connection.cursor() as cursor:
            cursor.execute("ANALYZE")
        for name, path in pages.items():
            measure(name, anybody if name == "sign in" else client, path, rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, nargs="+", default=[100, 10_000])
    options = parser.parse_args()
    with django_here():
        run(options.rows)


if __name__ == "__main__":
    main()
