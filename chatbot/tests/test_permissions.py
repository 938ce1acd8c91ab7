"""Who may do what: every address is asked as every role, for one's own things and for a stranger's.

docs/permissions.md is the answer. A new address, or an answer that changed, fails here until the page says so too:
`WRITE_PERMISSIONS=1 .venv/bin/python -m pytest chatbot/tests/test_permissions.py` writes it, and its diff is to be read.
"""

import logging
import os
import re
from datetime import timedelta
from http.cookies import SimpleCookie
from pathlib import Path
from typing import Any, NamedTuple
from uuid import uuid4

import pytest
from django.conf import settings
from django.db import transaction
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from accounts.models import Export, SignIn, User
from accounts.privacy import erasure
from accounts.roles import sync_role
from conversations import services
from conversations.models import Message
from faqs.models import FAQ, Category

from .routes import NOWHERE, methods, views

PAGE = Path(settings.BASE_DIR) / "docs" / "permissions.md"
People = dict[str, tuple[Client, dict[str, object]]]
ROLES = ["anonymous", *User.Role.values]
HEAD = """# Permissions

Who may do what, measured: every address is asked as every role, for one's own things and for a stranger's.
`chatbot/tests/test_permissions.py` asks, compares the answers with this page, and writes it anew with `WRITE_PERMISSIONS=1`.

- **yes**: done, or refused for what was sent and not for who sent it.
- **no**: 403. **sign in**: 401, or the way to the sign-in page. **hidden**: 404, as for something that is not there.

Roles are Django groups (`accounts/roles.py`); admins are superusers. Where `STAFF_MFA_REQUIRED` holds,
the columns of staff are for those with a second factor.

"""


class Row(NamedTuple):
    address: str
    method: str
    whose: str
    answers: tuple[str, ...]

    def __str__(self) -> str:
        return f"| `{self.address}` | {self.method} | {self.whose} | {' | '.join(self.answers)} |"


def things_of(person: User, faq: FAQ) -> dict[str, object]:
    """Something of the person's, by the part of an address that comes before its id; also with the id's name where parts are shared."""
    message = services.post_message(user=person, content="Hello", client_id=uuid4()).message
    reply = Message.objects.get(conversation=message.conversation, role="assistant")
    Message.objects.filter(pk=reply.pk).update(status="sent", lease_expires_at=None)
    later = timezone.now() + timedelta(days=1)
    export = Export.objects.create(user=person, status="ready", archive=b"zip", expires_at=later)
    erasure.request_erasure(user=person)
    sign_in = SignIn.objects.create(user=person, current="x", last_used_at=timezone.now(), expires_at=later)
    conversation = dict.fromkeys(("chat", "conversations", "conversation"), message.conversation_id)
    return conversation | {
        "messages": reply.pk,
        "export": export.pk,
        "sessions": sign_in.pk,
        "user": person.pk,
        "faqs": faq.pk,
        "faq": faq.pk,
        "categories": faq.category_id,
        "category": faq.category_id,
        "help": faq.slug,
        "help/faq_id": faq.pk,
        "category/slug": faq.category.slug,
    }


def address(pattern: str, things: dict[str, object]) -> str:
    """The pattern with ids of those things."""

    def known(found: "re.Match[str]") -> str:
        part, name = found.groups()
        return f"/{part}/{things.get(f'{part}/{name}', things.get(part, NOWHERE))}"

    pattern = re.sub(r"/([\w-]+)/<(\w+)>", known, pattern)
    return re.sub(r"<\w+>", NOWHERE, pattern)


def answer(client: Client, method: str, path: str) -> str:
    """One answer, without its effects."""
    response = without_effects(client, method, path)
    # Without a visitor a conversation's address leads to an empty chat.
    nobody = path.startswith("/chat/") and settings.SESSION_COOKIE_NAME not in client.cookies
    return "hidden" if nobody and response.headers.get("Location") == "/" else meaning(response, path)


def without_effects(client: Client, method: str, path: str) -> Any:
    cookies = client.cookies.output(header="", sep=";")
    with transaction.atomic():
        response = client.generic(method, path, b'{"value": "up"}', "application/json")
        transaction.set_rollback(True)
    client.cookies = SimpleCookie(cookies)
    return response


def method_of(people: People, method: str, path: str) -> str:
    """Pages that only take forms say so."""
    allowed = without_effects(people["admin"][0], method, path).headers.get("Allow", method)
    return method if method in allowed else "POST"


def meaning(response: Any, path: str) -> str:
    status = response.status_code
    assert status < 500 or path == "/health/ready", (path, status)
    assert status != 429, path
    if status == 401 or response.headers.get("Location", "").startswith(("/accounts/login/", "/admin/login/")):
        return "sign in"
    return {403: "no", 404: "hidden"}.get(status, "yes")


@pytest.fixture
def people(db: None, settings: Settings, caplog: pytest.LogCaptureFixture) -> People:
    """A client and things of each role, and of a stranger."""
    caplog.set_level(logging.CRITICAL)
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    settings.RATE_LIMITS_USER = settings.RATE_LIMITS_ADDRESS = settings.RATE_LIMITS_AUTH = "1000000/minute"
    settings.ACCOUNT_RATE_LIMITS = False
    category = Category.objects.create(name="Orders", slug="orders")
    faq = FAQ.objects.create(category=category, question="When?", answer="Soon.", status="published", slug="when")
    found: People = {"anonymous": (Client(raise_request_exception=False), {})}
    for role in [*User.Role.values, "stranger"]:
        user = User.objects.create_user(f"{role}@example.com", "x", role="user" if role == "stranger" else role)
        sync_role(user)
        client = Client(raise_request_exception=False)
        client.force_login(user, "django.contrib.auth.backends.ModelBackend")
        found[role] = (client, things_of(user, faq))
    return found


def measured(people: People) -> list[Row]:
    rows = []
    strangers = people["stranger"][1]
    for pattern, view in views():
        for wanted in methods(view):
            path = address(pattern, strangers)
            method = method_of(people, wanted, path)
            others = tuple(answer(people[role][0], method, path) for role in ROLES)
            whose = [address(pattern, people[role][1]) for role in ROLES]
            if pattern.startswith("/admin/") or path in whose:
                rows.append(Row(pattern, method, "", others))
                continue
            own = tuple(answer(people[role][0], method, its) for role, its in zip(ROLES, whose, strict=True))
            if own[1:] == others[1:]:
                rows.append(Row(pattern, method, "", others))
            else:
                rows += [Row(pattern, method, "own", ("", *own[1:])), Row(pattern, method, "other's", others)]
    return rows


def page_of(rows: list[Row]) -> str:
    head = f"| address | method | whose | {' | '.join(ROLES)} |\n|{'---|' * (3 + len(ROLES))}\n"
    return HEAD + head + "\n".join(dict.fromkeys(map(str, rows))) + "\n"


def test_everybody_may_do_what_the_page_says(people: People) -> None:
    rows = measured(people)
    for row in rows:
        if row.whose == "other's":
            assert "yes" not in row.answers, row
        if row.address.startswith("/admin/") and row.address != "/admin/logout/":
            assert "yes" not in row.answers[:2], row
    page = page_of(rows)
    if os.environ.get("WRITE_PERMISSIONS"):
        PAGE.write_text(page, encoding="utf-8")
    said = PAGE.read_text(encoding="utf-8").splitlines()
    assert sorted(set(page.splitlines()) - set(said)) == [], "docs/permissions.md lacks these rows"
    assert sorted(set(said) - set(page.splitlines())) == [], "docs/permissions.md has rows that are not so"
