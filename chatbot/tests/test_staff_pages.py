"""The admin's lists: the same number of queries for one row and for many; each role sees its own part."""

from collections.abc import Callable
from uuid import uuid4

import pytest
from django.db import connection
from django.test import AsyncClient, Client
from django.test.utils import CaptureQueriesContext
from pytest_django import Settings

from accounts.models import User
from accounts.roles import sync_role
from benchmarks.pages import weight
from chatbot import runtime
from conversations import services
from faqs.models import FAQ, Category

PASSWORD = "correct horse battery"
# Five of them write down who looked at people.
LISTS = {
    "/admin/accounts/user/": 11,
    "/admin/conversations/conversation/": 10,
    "/admin/faqs/faq/": 6,
    "/admin/faqs/category/": 5,
}


def staff(role: str) -> Client:
    user = User.objects.create_user(f"{role}@example.com", PASSWORD, role=role)
    sync_role(user)
    client = Client()
    client.force_login(user)
    return client


def fill(rows: int) -> None:
    for number in range(rows):
        user = User.objects.create_user(f"visitor{number}@example.com", PASSWORD)
        services.post_message(user=user, content="Hello?", client_id=uuid4())
        category = Category.objects.create(name=f"Category {number}", slug=f"category-{number}")
        FAQ.objects.create(category=category, question=f"Question {number}?", answer="Answer.")


def queries(call: Callable[[], object]) -> int:
    with CaptureQueriesContext(connection) as captured:
        call()
    return len(captured)


@pytest.mark.parametrize("rows", [1, 12])
@pytest.mark.parametrize("path", LISTS)
def test_lists_take_a_fixed_number_of_queries(db: None, path: str, rows: int) -> None:
    admin = staff("admin")
    fill(rows)
    assert (path, queries(lambda: admin.get(path))) == (path, LISTS[path])


def test_a_transcript_is_shown_and_cannot_be_changed(db: None) -> None:
    admin = staff("admin")
    user = User.objects.create_user("ada@example.com", PASSWORD)
    message = services.post_message(user=user, content="Where is <my> sofa?", client_id=uuid4()).message
    address = f"/admin/conversations/conversation/{message.conversation_id}/change/"
    page = admin.get(address).content.decode()
    assert "Where is &lt;my&gt; sofa?" in page
    assert admin.post(address, {"title": "Other"}).status_code == 403
    assert admin.get("/admin/conversations/conversation/add/").status_code == 403


@pytest.mark.parametrize(
    ("role", "people", "conversations", "faqs"),
    [
        ("user", 302, 302, 302),
        ("editor", 403, 403, 200),
        ("agent", 403, 200, 200),
        ("analyst", 403, 200, 200),
        ("admin", 200, 200, 200),
    ],
)
def test_each_role_reaches_its_part(db: None, role: str, people: int, conversations: int, faqs: int) -> None:
    client = staff(role)
    paths = ["/admin/accounts/user/", "/admin/conversations/conversation/", "/admin/faqs/faq/"]
    assert [client.get(path).status_code for path in paths] == [people, conversations, faqs]


@pytest.mark.parametrize(
    "path", ["/", "/help/", "/accounts/login/", "/admin/", "/admin/faqs/faq/", "/admin/faqs/faq/add/"]
)
def test_scripts_and_styles_stay_light(db: None, path: str) -> None:
    requests, compressed = weight(staff("admin").get(path, follow=True).content.decode())
    assert 0 < requests <= 26
    assert 0 < compressed <= 150


@pytest.mark.django_db(transaction=True)
async def test_the_factor_is_asked_for_over_asgi_too(settings: Settings) -> None:
    settings.STAFF_MFA_REQUIRED = True
    user = await runtime.db(User.objects.create_user, "staff@example.com", "correct horse battery", role="editor")
    client = AsyncClient()
    await client.aforce_login(user)
    assert (await client.get("/chat/list"))["Location"] == "/accounts/2fa/"
    assert (await client.get("/health")).status_code == 200
