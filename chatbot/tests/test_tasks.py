"""What the workers do beside the replies: titles, moderation, sweeps, warming up."""

import gc
import threading
from concurrent.futures import CancelledError
from datetime import timedelta
from typing import Any

import pytest
from django.db import OperationalError
from django.utils import timezone

from benchmarks.fake_llm import FakeLLM
from chatbot import tasks, titles
from chatbot.providers import registry
from chatbot.runtime import db
from conversations.log import Log
from conversations.models import Conversation, Message

from .asking import post

pytestmark = pytest.mark.django_db(transaction=True)


def test_titles_come_from_the_first_question_or_the_model(settings: Any) -> None:
    message = post("How long   does delivery to the north of Norway usually take in the winter months?")
    tasks.generate_title(str(message.conversation_id))
    title = Conversation.objects.get().title
    assert title.startswith("How long does delivery")
    assert len(title) <= titles.LONGEST + 1


async def test_a_model_makes_titles(openai: FakeLLM) -> None:
    message = await db(post, 'About sofas [[fake: text="Sofa questions"]]')
    assert await titles.title_of([message]) == "Sofa questions"
    openai.behave(status=400, endpoint="chat")
    assert await titles.title_of([message]) == 'About sofas [[fake: text="Sofa questions"]]'


@pytest.mark.parametrize(
    ("text", "category"), [("I will kill you", "violence"), ("I want to kill myself", "self-harm")]
)
def test_a_flagged_message_gets_a_kind_notice_and_no_answer(text: str, category: str) -> None:
    message = post(text)
    for _ in range(2):
        tasks.moderate_messages([str(message.pk)])
    reply = Message.objects.get(role="assistant")
    assert (reply.status, reply.metadata["error"]["code"]) == ("stopped", "moderated")
    message.refresh_from_db()
    assert message.moderation is not None
    assert message.moderation["categories"] == [category]


def refuse(*args: object, **kwargs: object) -> None:
    raise OperationalError


def test_a_verdict_is_stored_with_what_follows_from_it(monkeypatch: pytest.MonkeyPatch) -> None:
    message = post("I will kill you")
    Message.objects.update(created_at=timezone.now() - timedelta(minutes=5))
    monkeypatch.setattr(tasks, "dispatch", lambda task, ids: task(ids))
    with monkeypatch.context() as away:
        away.setattr(Log, "change", refuse)
        with pytest.raises(OperationalError):
            tasks.sweep_moderation()
    message.refresh_from_db()
    assert message.moderation is None
    tasks.sweep_moderation()
    reply = Message.objects.get(role="assistant")
    assert (reply.status, reply.metadata["error"]["code"]) == ("stopped", "moderated")


def test_a_verdict_on_what_is_gone_is_none() -> None:
    message = post("I will kill you")
    Conversation.objects.all().delete()
    tasks._moderate(message)
    assert not Message.objects.exists()


def test_a_harmless_message_keeps_its_reply() -> None:
    message = post("Can you kill the lights in the shop?")
    tasks.moderate_messages([str(message.pk)])
    assert Message.objects.get(role="assistant").status == "queued"
    message.refresh_from_db()
    assert message.moderation == {"flagged": False, "categories": [], "provider": "local"}


def test_sweeps_find_what_was_missed(monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[tuple[str, str]] = []
    monkeypatch.setattr(tasks, "dispatch", lambda task, key: sent.append((task.name, key)))
    message = post("Hello?")
    tasks.sweep_replies()
    tasks.sweep_moderation()
    assert sent == []
    past = timezone.now() - timedelta(minutes=5)
    Message.objects.filter(role="assistant").update(lease_expires_at=past)
    Message.objects.update(created_at=past)
    tasks.sweep_replies()
    tasks.sweep_moderation()
    reply = Message.objects.get(role="assistant")
    assert sent == [("chatbot.tasks.run_reply", str(reply.pk)), ("chatbot.tasks.moderate_messages", [str(message.pk)])]


def test_moderation_without_the_provider(openai_worker: FakeLLM) -> None:
    """One that has no moderation is replaced by the local rules; one that is away is asked again by the sweep."""
    message = post("I will kill you")
    openai_worker.behave(status=500, endpoint="moderations")
    tasks.moderate_messages([str(message.pk)])
    message.refresh_from_db()
    assert message.moderation is None
    openai_worker.behave(status=404, endpoint="moderations")
    tasks.moderate_messages([str(message.pk)])
    message.refresh_from_db()
    assert message.moderation == {"flagged": True, "categories": ["violence"], "provider": "local"}


def test_a_reply_run_as_a_task_gets_a_title(knowledge: None, settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[tuple[str, object]] = []
    monkeypatch.setattr(tasks, "dispatch", lambda task, argument: sent.append((task.name, argument)))
    settings.LOCAL_WORDS_PER_SECOND = 10_000
    question = "What is the delivery time?"
    post(question)
    reply = Message.objects.get(role="assistant")
    tasks.run_reply(str(reply.pk), question, "en")
    reply.refresh_from_db()
    assert (reply.status, "two days" in reply.content) == ("sent", True)
    assert ("chatbot.tasks.generate_title", str(reply.conversation_id)) in sent


def test_a_worker_warms_its_models_up(monkeypatch: pytest.MonkeyPatch) -> None:
    embedded: list[str] = []

    class Recording:
        provider = "local"

        async def embed(self, texts: list[str]) -> list[list[float]]:
            embedded.extend(texts)
            return [[1.0] for _ in texts]

    monkeypatch.setattr(registry, "embedders", lambda: [Recording(), Recording()])
    try:
        tasks.warm_up()
        frozen = gc.get_freeze_count()
    finally:
        gc.unfreeze()
    assert len(embedded) == 2
    assert frozen > 0


def test_a_worker_may_end_before_it_is_warm(monkeypatch: pytest.MonkeyPatch) -> None:
    failed: list[threading.ExceptHookArgs] = []
    begun = threading.Event()

    def ended() -> None:
        begun.set()
        raise CancelledError

    monkeypatch.setattr(threading, "excepthook", failed.append)
    monkeypatch.setattr(tasks, "warm_up", ended)
    tasks.warm_up_beside(sender=None)
    for thread in threading.enumerate():
        if thread.name == "warm-up":
            thread.join()
    assert begun.is_set()
    assert not failed
