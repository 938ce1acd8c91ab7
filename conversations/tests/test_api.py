"""Conversations over the API: theirs alone, in pages, with preconditions; and what is done to messages."""

from typing import Any
from uuid import uuid4

import pytest
from rest_framework.test import APIClient

from accounts.models import User
from conversations import replies, services
from conversations.models import Conversation, Message
from conversations.replies import Outcome

ROOT = "/api/v1"


def client_of(user: User | None) -> APIClient:
    client = APIClient()
    if user is not None:
        client.force_authenticate(user)
    return client


@pytest.fixture
def api(user: User) -> APIClient:
    return client_of(user)


def answered(question: Message) -> Message:
    queued = Message.objects.get(conversation=question.conversation, status="queued")
    claimed = replies.claiming(queued.pk).ask()
    assert claimed is not None
    ended = replies.finish(
        claimed.reply, Outcome(status="sent", content="Two days.", metadata={"suggestions": ["Why?"]})
    )
    assert ended is not None
    return ended


def test_opening_a_conversation_twice_makes_one(api: APIClient) -> None:
    new = {"client_id": str(uuid4()), "title": "  My   sofa "}
    first, second = (api.post(f"{ROOT}/conversations", new) for _ in range(2))
    assert (first.status_code, second.status_code) == (201, 201)
    assert first.json() == second.json()
    assert (first.json()["title"], first.json()["language"]) == ("My sofa", "en")


def test_the_list_is_ones_own_and_costs_one_query(
    api: APIClient, user: User, stranger: User, django_assert_num_queries: Any
) -> None:
    for owner, times in ((user, 3), (stranger, 1)):
        for _ in range(times):
            services.post_message(user=owner, content="Hello", client_id=uuid4())
    with django_assert_num_queries(1):
        page = api.get(f"{ROOT}/conversations", {"limit": 2}).json()
    rest = api.get(page["next"]).json()
    listed = [row["id"] for row in page["results"] + rest["results"]]
    latest_first = Conversation.objects.filter(user=user).order_by("-last_message_at")
    assert listed == [str(row.pk) for row in latest_first]
    assert rest["next"] is None


def test_the_list_is_filtered_and_ordered(api: APIClient, user: User) -> None:
    old, new = (services.open_conversation(user=user, client_id=uuid4()) for _ in range(2))
    services.edit(conversation=old, is_archived=True)
    archived = api.get(f"{ROOT}/conversations", {"is_archived": "true"}).json()["results"]
    assert [row["id"] for row in archived] == [str(old.pk)]
    oldest_first = api.get(f"{ROOT}/conversations", {"ordering": "created_at"}).json()["results"]
    assert [row["id"] for row in oldest_first] == [str(old.pk), str(new.pk)]


@pytest.mark.parametrize(
    "query", [{"is_archived": "maybe"}, {"is_archived": ""}, {"limit": "0"}, {"limit": "many"}, {"owner": "nobody"}]
)
def test_filters_that_mean_nothing_are_refused(api: APIClient, query: dict[str, str]) -> None:
    response = api.get(f"{ROOT}/conversations", query)
    assert response.status_code == 400
    assert list(response.json()["fields"]) == list(query)


def test_reading_changing_and_deleting(api: APIClient, user: User) -> None:
    path = f"{ROOT}/conversations/{services.open_conversation(user=user, client_id=uuid4()).pk}"
    assert api.patch(path, {"title": "Sofa"}).json()["title"] == "Sofa"
    assert api.put(path, {"title": "Sofa"}).json()["fields"] == {"is_archived": ["This field is required."]}
    put = api.put(path, {"title": "Chair", "is_archived": True}).json()
    assert (put["title"], put["is_archived"]) == ("Chair", True)
    assert api.delete(path).status_code == 204
    assert api.get(path).json()["code"] == "not_found"


def test_nobody_overwrites_what_they_have_not_seen(api: APIClient, user: User) -> None:
    path = f"{ROOT}/conversations/{services.open_conversation(user=user, client_id=uuid4()).pk}"
    seen = api.get(path)["ETag"]
    assert api.get(path, HTTP_IF_NONE_MATCH=seen).status_code == 304
    changed = api.patch(path, {"title": "Sofa"}, HTTP_IF_MATCH=seen)
    assert changed.status_code == 200
    for late in (api.patch(path, {"title": "Bed"}, HTTP_IF_MATCH=seen), api.delete(path, HTTP_IF_MATCH=seen)):
        assert (late.status_code, late.json()["code"]) == (412, "changed_meanwhile")
    assert api.get(path, HTTP_IF_NONE_MATCH=seen).json()["title"] == "Sofa"
    assert api.delete(path, HTTP_IF_MATCH=f'"other", {changed["ETag"]}').status_code == 204


def test_messages_after_a_number_and_backwards(
    api: APIClient, question: Message, django_assert_num_queries: Any
) -> None:
    reply = answered(question)
    path = f"{ROOT}/conversations/{question.conversation_id}/messages"
    with django_assert_num_queries(2):
        lacking = api.get(path, {"after": question.seq}).json()
    assert [row["id"] for row in lacking["results"]] == [str(reply.pk)]
    assert (lacking["next"], lacking["last_seq"]) == (None, reply.seq)
    assert lacking["results"][0]["suggestions"] == ["Why?"]
    page = api.get(path, {"limit": 1}).json()
    assert [row["content"] for row in page["results"]] == ["Two days."]
    older = api.get(page["next"]).json()
    assert [row["content"] for row in older["results"]] == ["When does it arrive?"]
    assert older["next"] is None
    first = api.get(path, {"after": 0, "limit": 1}).json()
    assert api.get(first["next"]).json()["results"] == lacking["results"]


@pytest.mark.parametrize("query", [{"after": "x"}, {"after": -1}, {"limit": 201}, {"after": 1, "before": 2}])
def test_pages_that_mean_nothing_are_refused(api: APIClient, question: Message, query: dict[str, Any]) -> None:
    path = f"{ROOT}/conversations/{question.conversation_id}/messages"
    assert api.get(path, query).json()["code"] == ("refused" if "before" in query else "invalid")


def test_feedback_is_given_changed_and_taken_back(api: APIClient, question: Message) -> None:
    path = f"{ROOT}/messages/{answered(question).pk}/feedback"
    assert api.post(path, {"value": "down", "reason": "vague"}).json()["feedback"] == "down"
    assert api.post(path, {"value": "up"}).json()["feedback"] == "up"
    assert api.post(path, {"value": None}).json()["feedback"] is None
    assert list(api.post(path, {"value": "so-so"}).json()["fields"]) == ["value"]
    assert api.post(f"{ROOT}/messages/{question.pk}/feedback", {"value": "up"}).status_code == 404


def test_an_answer_is_asked_for_again_once_it_has_ended(api: APIClient, question: Message) -> None:
    queued = Message.objects.get(conversation=question.conversation, status="queued")
    early = api.post(f"{ROOT}/messages/{queued.pk}/regenerate")
    assert (early.status_code, early.json()["code"]) == (409, "cannot_regenerate")
    again = api.post(f"{ROOT}/messages/{answered(question).pk}/regenerate")
    assert (again.status_code, again.json()["status"]) == (202, "queued")


def test_what_was_read_is_marked(api: APIClient, question: Message) -> None:
    reply = answered(question)
    assert api.post(f"{ROOT}/messages/{reply.pk}/read").status_code == 204
    reply.refresh_from_db()
    assert reply.read_at is not None


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("get", "conversations/{c}"),
        ("put", "conversations/{c}"),
        ("patch", "conversations/{c}"),
        ("delete", "conversations/{c}"),
        ("get", "conversations/{c}/messages"),
        ("post", "messages/{m}/feedback"),
        ("post", "messages/{m}/regenerate"),
        ("post", "messages/{m}/read"),
    ],
)
def test_strangers_find_nothing_and_the_anonymous_are_asked_who_they_are(
    question: Message, stranger: User, method: str, path: str
) -> None:
    reply = answered(question)
    address = f"{ROOT}/" + path.format(c=question.conversation_id, m=reply.pk)
    body = {"title": "Mine", "is_archived": True, "value": "up"} if method != "get" else None
    assert getattr(client_of(stranger), method)(address, body).status_code == 404
    anonymous = getattr(client_of(None), method)(address, body)
    assert (anonymous.status_code, anonymous.json()["code"]) == (401, "not_authenticated")
    assert anonymous["WWW-Authenticate"].startswith("Bearer")
    assert Conversation.objects.get().title == ""


def test_a_browsers_guest_has_a_list_and_is_protected_against_forged_requests(db: None) -> None:
    browser = APIClient(enforce_csrf_checks=True)
    browser.get("/")
    token = browser.cookies["csrftoken"].value
    assert browser.post("/chat/guest", HTTP_X_CSRFTOKEN=token).status_code == 200
    new = {"client_id": str(uuid4())}
    assert browser.post(f"{ROOT}/conversations", new).status_code == 403
    assert browser.post(f"{ROOT}/conversations", new, HTTP_X_CSRFTOKEN=token).status_code == 201
    assert len(browser.get(f"{ROOT}/conversations").json()["results"]) == 1
