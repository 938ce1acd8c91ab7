"""The first numbers: exact on known rows, and for analysts and admins alone."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.utils import timezone
from rest_framework.test import APIClient

from accounts.models import User
from conversations import replies, services
from conversations.models import Message
from conversations.replies import Outcome

ROOT = "/api/v1/analytics"


def client_of(role: str) -> APIClient:
    client = APIClient()
    client.force_authenticate(User.objects.create_user(f"{role}@example.com", "x", role=role))
    return client


@pytest.fixture
def analyst(db: None) -> APIClient:
    return client_of("analyst")


def ask(user: User, *, decision: str, milliseconds: int, feedback: str | None, status: str = "sent") -> Message:
    """A question with its ended reply."""
    posted = services.post_message(user=user, content="Hello", client_id=uuid4())
    queued = Message.objects.get(conversation=posted.message.conversation_id, status="queued")
    claimed = replies.claiming(queued.pk).ask()
    assert claimed is not None
    metadata = {"decision": decision}
    outcome = Outcome(status=status, content="Hi", tokens_used=10, response_time_ms=milliseconds, metadata=metadata)
    ended = replies.finish(claimed.reply, outcome)
    assert ended is not None
    if feedback:
        services.give_feedback(user=user, message_id=ended.pk, value=feedback)
    return ended


@pytest.fixture
def ada(db: None) -> User:
    ada, bob = (User.objects.create_user(f"{name}@example.com", "x") for name in ("ada", "bob"))
    ask(ada, decision="answer", milliseconds=100, feedback="up")
    ask(ada, decision="decline", milliseconds=300, feedback="down")
    ask(bob, decision="clarify", milliseconds=200, feedback=None)
    ask(bob, decision="answer", milliseconds=1300, feedback=None, status="failed")
    old = ask(bob, decision="answer", milliseconds=9000, feedback=None)
    Message.objects.filter(conversation=old.conversation_id).update(created_at=timezone.now() - timedelta(days=90))
    return ada


def test_the_dashboard_counts_exactly(ada: User, analyst: APIClient, django_assert_num_queries: Any) -> None:
    with django_assert_num_queries(6):
        figures = analyst.get(f"{ROOT}/dashboard").json()
    assert (figures["conversations"], figures["visitors"], figures["questions"]) == (5, 2, 4)
    assert figures["replies"] == {
        "sent": 3,
        "stopped": 0,
        "failed": 1,
        "answered": 2,
        "asked_back": 1,
        "declined": 1,
        "human_wanted": 0,
        "tokens": 40,
        "median_ms": 250.0,
        "p90_ms": pytest.approx(1000),
    }
    assert figures["feedback"] == {"up": 1, "down": 1}
    today = timezone.now().date().isoformat()
    assert figures["days"] == [{"day": today, "questions": 4, "conversations": 4}]


def test_an_empty_period_has_zeros_and_no_times(ada: User, analyst: APIClient) -> None:
    figures = analyst.get(
        f"{ROOT}/dashboard", {"since": "2020-01-01T00:00:00Z", "until": "2020-02-01T00:00:00Z"}
    ).json()
    assert (figures["questions"], figures["replies"]["tokens"], figures["replies"]["median_ms"]) == (0, 0, None)
    assert figures["days"] == []


@pytest.mark.parametrize(
    "query",
    [
        {"since": "soon"},
        {"since": "2024-01-01T00:00:00Z", "until": "2023-01-01T00:00:00Z"},
        {"since": "2020-01-01T00:00:00Z", "until": "2023-01-01T00:00:00Z"},
        {"since": "2024-01-01T00:00:00Z", "until": "0001-01-02T00:00:00Z"},
    ],
)
def test_periods_that_are_none_are_refused(analyst: APIClient, query: dict[str, str]) -> None:
    assert analyst.get(f"{ROOT}/dashboard", query).status_code == (400 if query["since"] == "soon" else 422)


def test_the_figures_of_one_person(ada: User, analyst: APIClient) -> None:
    figures = analyst.get(f"{ROOT}/user/{ada.pk}").json()
    assert {name: figures[name] for name in ("conversations", "questions", "tokens", "feedback")} == {
        "conversations": 2,
        "questions": 2,
        "tokens": 20,
        "feedback": {"up": 1, "down": 1},
    }
    assert analyst.get(f"{ROOT}/user/{uuid4()}").status_code == 404


def test_the_figures_of_conversations_hold_no_words(
    ada: User, analyst: APIClient, django_assert_num_queries: Any
) -> None:
    with django_assert_num_queries(1):
        rows = analyst.get(f"{ROOT}/conversations").json()["results"]
    assert len(rows) == 5
    assert sum(row["up"] for row in rows) == sum(row["down"] for row in rows) == 1
    assert not {"title", "content"} & set(rows[0])


@pytest.mark.parametrize(
    ("role", "code"), [("user", 403), ("editor", 403), ("agent", 403), ("analyst", 200), ("admin", 200)]
)
def test_analysts_and_admins_alone_see_figures(ada: User, role: str, code: int) -> None:
    client = client_of(role)
    paths = ("dashboard", f"user/{ada.pk}", "conversations")
    assert [client.get(f"{ROOT}/{path}").status_code for path in paths] == [code] * 3
    assert [APIClient().get(f"{ROOT}/{path}").status_code for path in paths] == [401] * 3
