"""The chat's pages: bounded queries, every answer to bad input, and strangers who see nothing."""

from uuid import uuid4

import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from accounts.models import User
from chatbot.markdown import render
from conversations import selectors, services
from conversations.models import Conversation, Message

JSON = {"Accept": "application/json"}
ACTIONS = ["rename", "archive", "unarchive", "delete"]


@pytest.fixture
def user(db: None) -> User:
    return User.objects.create_user("ada@example.com", "correct horse battery")


@pytest.fixture
def conversation(user: User) -> Conversation:
    posted = services.post_message(user=user, content="Where is my <b>parcel</b>?", client_id=uuid4())
    return posted.message.conversation


@pytest.fixture
def ada(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def eve(db: None) -> Client:
    client = Client()
    client.force_login(User.objects.create_user("eve@example.com", "correct horse battery"))
    return client


def test_a_first_visit_stores_nobody(client: Client, db: None) -> None:
    response = client.get("/")
    assert response.status_code == 200
    assert User.objects.count() == 0
    assert "script-src 'self'" in response["Content-Security-Policy"]
    assert b"<script>" not in response.content
    assert b" style=" not in response.content


def test_the_chat_page_takes_a_fixed_number_of_queries(
    ada: Client, conversation: Conversation, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    with django_assert_num_queries(5):  # session, user, conversation, transcript, list
        page = ada.get(f"/chat/{conversation.pk}").content.decode()
    assert "&lt;b&gt;parcel" in page
    assert "<b>parcel" not in page


@pytest.mark.parametrize("page", ["", "/earlier?before=9"])
def test_strangers_find_no_conversation(eve: Client, conversation: Conversation, page: str) -> None:
    assert eve.get(f"/chat/{conversation.pk}{page}").status_code == 404
    assert eve.get(f"/chat/{conversation.pk}{page}", headers=JSON).json()["code"] == "not_found"


@pytest.mark.parametrize("action", ACTIONS)
def test_strangers_and_anonymous_change_nothing(
    client: Client, eve: Client, conversation: Conversation, action: str
) -> None:
    address = f"/chat/{conversation.pk}/{action}"
    assert eve.post(address, {"title": "Mine"}).status_code == 404
    assert client.post(address, {"title": "Mine"}, headers=JSON).status_code == 401
    assert client.post(address, {"title": "Mine"}).status_code == 302
    assert Client(enforce_csrf_checks=True).post(address, {"title": "Mine"}).status_code == 403
    after = Conversation.objects.get()
    assert (after.title, after.is_archived) == ("", False)


@pytest.mark.parametrize("action", ACTIONS)
def test_what_another_tab_deletes_meanwhile_is_gone(
    ada: Client, conversation: Conversation, action: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = Conversation.objects.get(pk=conversation.pk)
    services.delete(conversation=conversation)
    monkeypatch.setattr(selectors, "get_conversation", lambda user, conversation_id: held)
    response = ada.post(f"/chat/{held.pk}/{action}", {"title": "Sofa"}, headers=JSON)
    assert (response.status_code, response.json()["code"]) == (404, "not_found")


def test_rename_archive_delete(ada: Client, conversation: Conversation) -> None:
    address = f"/chat/{conversation.pk}"
    assert ada.post(f"{address}/rename", {"title": "My parcel"}, headers=JSON).json()["title"] == "My parcel"
    assert ada.post(f"{address}/archive", headers=JSON).json()["is_archived"] is True
    assert "My parcel" in ada.get("/chat/archived").content.decode()
    assert ada.post(f"{address}/unarchive")["Location"] == address
    assert ada.post(f"{address}/delete", headers=JSON).json()["is_deleted"] is True
    assert not Message.objects.exists()


@pytest.mark.parametrize("title", ["", "   ", "x" * 121])
def test_a_wrong_title_names_the_field(ada: Client, conversation: Conversation, title: str) -> None:
    response = ada.post(f"/chat/{conversation.pk}/rename", {"title": title}, headers=JSON)
    assert response.status_code == 400
    assert response.json()["field"] == "title"
    assert ada.post(f"/chat/{conversation.pk}/rename", {"title": title}).status_code == 400


@pytest.mark.parametrize("before", ["", "x", "-1", "9" * 40])
def test_a_wrong_place_names_the_field(ada: Client, conversation: Conversation, before: str) -> None:
    response = ada.get(f"/chat/{conversation.pk}/earlier", {"before": before}, headers=JSON)
    assert (response.status_code, response.json()["field"]) == (400, "before")


def test_earlier_messages(
    ada: Client, conversation: Conversation, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    with django_assert_num_queries(4):  # session, user, conversation, messages
        answer = ada.get(f"/chat/{conversation.pk}/earlier", {"before": 2}).json()
    assert [message["content"] for message in answer["messages"]] == ["Where is my <b>parcel</b>?"]
    assert answer["has_more"] is False


def test_search_in_own_conversations(
    ada: Client, eve: Client, conversation: Conversation, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    with django_assert_num_queries(4):  # session, user, conversations, messages
        page = ada.get("/chat/search", {"q": "parcel", "fragment": "1"}).content.decode()
    assert str(conversation.pk) in page
    assert str(conversation.pk) not in eve.get("/chat/search", {"q": "parcel"}).content.decode()
    assert "<b>parcel" not in page


def test_the_list_continues_from_a_place(
    ada: Client, conversation: Conversation, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    with django_assert_num_queries(3):  # session, user, conversations
        assert str(conversation.pk) in ada.get("/chat/list").content.decode()
    assert ada.get("/chat/list", {"before": "yesterday"}, headers=JSON).status_code == 400


def test_unknown_pages_look_like_ours(client: Client, db: None) -> None:
    response = client.get("/nothing-here")
    assert response.status_code == 404
    assert "<main" in response.content.decode()


@pytest.mark.parametrize(
    "nasty",
    [
        "<script>alert(1)</script>",
        "<img src=x onerror=alert(1)>",
        "[x](javascript:alert(1))",
        "[x](data:text/html;base64,PHNjcmlwdD4=)",
        "<svg onload=alert(1)>",
        "<a href='vbscript:x'>x</a>",
        "![x](javascript:alert(1))",
        "<style>*{display:none}</style>",
        "<iframe src='https://example.com'></iframe>",
        "[x](  javascript&#58;alert(1))",
        "<form action=/x><input name=y></form>",
    ],
)
def test_rendered_markdown_is_harmless(nasty: str) -> None:
    html = str(render(nasty)).lower()
    for tag in ("<script", "<img", "<svg", "<style", "<iframe", "<form", "<input"):
        assert tag not in html
    assert 'href="javascript' not in html
    assert 'href="data' not in html
    assert 'href="vbscript' not in html


def test_markdown_keeps_what_answers_use() -> None:
    html = str(render("**Bold**\n\n- one\n- two\n\n[help](/help/x) [far](https://example.com)"))
    assert "<strong>Bold</strong>" in html
    assert html.count("<li>") == 2
    assert 'href="/help/x"' in html
    assert "noopener" in html
