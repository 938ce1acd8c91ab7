"""One turn in process: real database and Valkey, the local composer or the SDK against the fake provider."""

import asyncio
import contextlib
import gc
import socket
import threading
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import CancelledError, ThreadPoolExecutor
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.db import DataError, IntegrityError, OperationalError, connection
from django.utils import timezone

from benchmarks.fake_llm import FakeLLM
from chatbot import embedding, live, retrieval, tasks, titles, turn
from chatbot.live_models import LiveModel
from chatbot.providers import registry
from chatbot.providers.base import ProviderUnavailable
from chatbot.runtime import db, run
from conversations import replies
from conversations.log import Log
from conversations.models import Conversation, Message
from faqs.models import FAQ, Embedding

from .asking import answer, post

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
async def openai(settings: Any, fake_llm: FakeLLM) -> AsyncIterator[FakeLLM]:
    settings.CHAT_PROVIDER = settings.MODERATION_PROVIDER = "openai"
    settings.OPENAI_API_KEY, settings.OPENAI_BASE_URL = "test", fake_llm.base_url
    registry.chat.cache_clear()
    registry.moderator.cache_clear()
    yield fake_llm
    await registry.chat().aclose()
    registry.chat.cache_clear()
    registry.moderator.cache_clear()


async def test_a_question_in_other_words_is_answered_with_its_source(
    knowledge: None, publisher: live.Publisher
) -> None:
    reply = await answer("how long does shipping take?", publisher)
    assert (reply.status, reply.content) == ("sent", "It takes **two days**. [1]")
    assert [source["question"] for source in reply.sources] == ["When will my order arrive?"]
    assert reply.metadata["decision"] == "answer"


async def test_a_list_keeps_its_shape_and_its_source(knowledge: None, publisher: live.Publisher) -> None:
    reply = await answer("how can I return my item?", publisher)
    assert reply.content.endswith("off. [1]")


@pytest.mark.parametrize(
    ("question", "decision"),
    [
        ("What will the weather be tomorrow in Lisbon?", "decline"),
        ("Hello!", "greeting"),
        ("I want to talk to a human", "human"),
    ],
)
async def test_what_is_no_question_for_the_knowledge_base(
    knowledge: None, publisher: live.Publisher, question: str, decision: str
) -> None:
    reply = await answer(question, publisher)
    assert reply.metadata["decision"] == decision
    assert reply.sources == []
    conversation = await db(Conversation.objects.get)
    assert ("human_requested" in conversation.tags) == (decision == "human")


async def test_without_models_it_declines(publisher: live.Publisher) -> None:
    assert (await answer("Anything?", publisher)).metadata["decision"] == "decline"


async def test_a_model_streams_with_valid_citations_only(
    knowledge: None, publisher: live.Publisher, openai: FakeLLM
) -> None:
    reply = await answer('Delivery time? [[fake: text="Two days [1], or [9]."]]', publisher)
    assert (reply.status, reply.content) == ("sent", "Two days [1], or .")
    assert [source["n"] for source in reply.sources] == [1]
    assert reply.tokens_used > 0
    assert reply.model_used != "local"


async def test_the_deadline_ends_a_reply_and_keeps_what_was_shown(
    knowledge: None, publisher: live.Publisher, openai: FakeLLM, settings: Any
) -> None:
    settings.REPLY_DEADLINE_SECONDS = 4.0
    reply = await answer("Delivery time? [[fake: tokens=1000 interval=0.05]]", publisher)
    assert reply.status == "failed"
    assert reply.metadata["error"]["code"] == "deadline_exceeded"
    assert reply.content.endswith(reply.metadata["error"]["message"])
    assert len(reply.content) > len(reply.metadata["error"]["message"])


async def test_stop_keeps_what_was_shown(knowledge: None, publisher: live.Publisher, openai: FakeLLM) -> None:
    posted = await db(post, "Delivery time? [[fake: tokens=1000 interval=0.02]]")
    queued = await db(Message.objects.get, status="queued")
    running = asyncio.create_task(turn.take(queued.pk, publisher))
    async with asyncio.timeout(10):
        while (key := str(queued.pk)) not in turn.running or not turn.running[key].stream.text.strip():
            await asyncio.sleep(0.01)
    turn.stop("somebody else's")
    turn.stop(key)
    ended = await running
    assert ended is not None
    assert ended.status == "stopped"
    assert ended.content
    assert posted.conversation_id == ended.conversation_id


async def test_a_stop_whose_cancellation_gets_lost_still_stops(
    knowledge: None, publisher: live.Publisher, openai: FakeLLM, monkeypatch: pytest.MonkeyPatch
) -> None:
    await db(post, "Delivery time? [[fake: tokens=1000 interval=0.02]]")
    queued = await db(Message.objects.get, status="queued")
    add = publisher.add

    async def deaf(stream: live.Stream, piece: str) -> None:
        await add(stream, piece)
        turn.stop(stream.message_id)
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.sleep(0)

    monkeypatch.setattr(publisher, "add", deaf)
    ended = await turn.take(queued.pk, publisher)
    assert ended is not None
    assert ended.status == "stopped"


async def test_a_valkey_that_stands_still_fails_no_reply(
    knowledge: None, publisher: live.Publisher, openai: FakeLLM, settings: Any
) -> None:
    settings.REPLY_DEADLINE_SECONDS = 6.0
    with socket.create_server(("127.0.0.1", 0)) as silent:
        settings.REDIS_URL = f"redis://127.0.0.1:{silent.getsockname()[1]}/0"
        held = live.Publisher(live.connect())
        for n in range(5):
            await db(post, f"Delivery time of {n}? [[fake: tokens=100 interval=0.02]]")
        queued = await db(list, Message.objects.filter(status="queued"))
        async with asyncio.timeout(15):
            ended = await asyncio.gather(*(turn.take(reply.pk, held) for reply in queued))
        await held.client.aclose()
    assert [reply and reply.status for reply in ended] == ["sent"] * 5


async def test_a_lost_lease_writes_nothing(
    knowledge: None, publisher: live.Publisher, openai: FakeLLM, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(turn, "HEARTBEAT_SECONDS", 0.05)
    await db(post, "Delivery time? [[fake: tokens=1000 interval=0.02]]")
    queued = await db(Message.objects.get, status="queued")
    running = asyncio.create_task(turn.take(queued.pk, publisher))
    async with asyncio.timeout(10):
        while str(queued.pk) not in turn.running:
            await asyncio.sleep(0.01)
    await db(replies.take_over, conversation_id=queued.conversation_id)
    assert await running is None
    stored = await db(Message.objects.get, pk=queued.pk)
    assert (stored.status, stored.content) == ("discarded", "")


async def test_a_takeover_ends_the_reply_at_once(
    knowledge: None, publisher: live.Publisher, openai: FakeLLM, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(turn, "HEARTBEAT_SECONDS", 60)
    listening = asyncio.create_task(live.listen_for_stops(turn.stop))
    await db(post, "Delivery time? [[fake: tokens=1000 interval=0.02]]")
    queued = await db(Message.objects.get, status="queued")
    running = asyncio.create_task(turn.take(queued.pk, publisher))
    async with asyncio.timeout(10):
        while (key := str(queued.pk)) not in turn.running or not turn.running[key].stream.text.strip():
            await asyncio.sleep(0.01)
        await db(replies.take_over, conversation_id=queued.conversation_id)
        assert await running is None
    listening.cancel()
    stored = await db(Message.objects.get, pk=queued.pk)
    assert (stored.status, stored.content) == ("discarded", "")


async def test_a_second_attempt_in_the_same_process_ends_the_first(
    knowledge: None, publisher: live.Publisher, openai: FakeLLM
) -> None:
    """A reply whose lease lapsed while the database was away may come back to its own worker."""
    await db(post, "Delivery time? [[fake: tokens=1000 interval=0.02]]")
    key = str((await db(Message.objects.get, status="queued")).pk)
    takes = []
    for attempt in (1, 2):
        await db(Message.objects.filter(pk=key).update, status="queued")
        takes.append(asyncio.create_task(turn.take(UUID(key), publisher)))
        async with asyncio.timeout(10):
            while key not in turn.running or turn.running[key].reply.attempt < attempt:
                await asyncio.sleep(0.01)
    first, second = takes
    assert await asyncio.wait_for(first, 5) is None
    assert turn.running[key].reply.attempt == 2
    turn.stop(key)
    ended = await asyncio.wait_for(second, 5)
    assert ended is not None
    assert (ended.attempt, ended.status) == (2, "stopped")
    assert key not in turn.running


async def test_a_reply_that_failed_too_often_is_given_up(publisher: live.Publisher) -> None:
    await db(post, "Hello?")
    queued = await db(Message.objects.get, status="queued")
    await db(Message.objects.filter(pk=queued.pk).update, attempt=turn.MAX_ATTEMPTS)
    ended = await turn.take(queued.pk, publisher)
    assert ended is not None
    assert ended.metadata["error"]["code"] == "internal"


async def test_a_stop_before_a_crash_is_honoured_by_the_next_attempt(publisher: live.Publisher) -> None:
    await db(post, "Hello?")
    queued = await db(Message.objects.get, status="queued")
    await db(Message.objects.filter(pk=queued.pk).update, stop_requested_at=timezone.now())
    ended = await turn.take(queued.pk, publisher)
    assert ended is not None
    assert ended.status == "stopped"


async def test_a_fault_of_ours_ends_with_an_apology(publisher: live.Publisher, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(text: str, profile: str) -> str:
        raise RuntimeError("boom")

    monkeypatch.setattr("chatbot.understanding.language_of", broken)
    reply = await answer("Hello?", publisher)
    assert reply.metadata["error"]["code"] == "internal"


async def test_a_text_that_cannot_be_stored_ends_with_an_apology(
    knowledge: None, publisher: live.Publisher, openai: FakeLLM, monkeypatch: pytest.MonkeyPatch
) -> None:
    r"""PostgreSQL refuses \0. Left to the sweeper, the reply would be written, and paid for, five times."""
    monkeypatch.setattr("chatbot.notes.metadata", lambda _turn: {"decision": "\0"})
    reply = await answer("Delivery time?", publisher)
    assert (reply.status, reply.metadata) == ("failed", {"error": reply.metadata["error"]})
    assert (reply.metadata["error"]["code"], reply.content) == ("internal", reply.metadata["error"]["message"])


@pytest.mark.parametrize("fault", [DataError, IntegrityError])
async def test_a_question_the_database_refuses_ends_with_an_apology(
    publisher: live.Publisher, monkeypatch: pytest.MonkeyPatch, fault: type[Exception]
) -> None:
    async def refused(*args: object, **kwargs: object) -> None:
        raise fault("refused")

    monkeypatch.setattr(turn, "retrieve", refused)
    assert (await answer("Delivery time?", publisher)).metadata["error"]["code"] == "internal"


async def test_a_database_that_is_away_leaves_the_reply_to_the_sweeper(
    publisher: live.Publisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(*args: object, **kwargs: object) -> None:
        raise OperationalError("away")

    monkeypatch.setattr(turn, "retrieve", away)
    with pytest.raises(OperationalError):
        await answer("Delivery time?", publisher)
    assert (await db(Message.objects.get, role="assistant")).status == "streaming"


async def test_nothing_is_taken_twice(publisher: live.Publisher) -> None:
    assert await turn.take(uuid4(), publisher) is None


@pytest.fixture
def searched(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was searched for, in order."""
    texts: list[str] = []
    real = retrieval._searched

    async def counted(live: LiveModel, question: str, language: str) -> retrieval.Searched:
        texts.append(question)
        return await real(live, question, language)

    monkeypatch.setattr(retrieval, "_searched", counted)
    return texts


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ("how long does shipping take?", ["how long does shipping take?"]),
        ("how long does", ["how long does", "how long does shipping take?"]),
        ("Hello!", ["how long does shipping take?"]),
        ("", ["how long does shipping take?"]),
    ],
)
async def test_what_is_probably_asked_is_looked_for_once_while_the_reply_is_claimed(
    knowledge: None, publisher: live.Publisher, searched: list[str], asked: str, expected: list[str]
) -> None:
    await db(post, "how long does shipping take?")
    queued = await db(Message.objects.get, status="queued")
    ended = await turn.take(queued.pk, publisher, asked=asked, language="en")
    assert ended is not None
    assert ended.content == "It takes **two days**. [1]"
    # Side by side: which comes first is not ours to say.
    assert sorted(searched) == sorted(expected)


async def test_each_part_of_what_is_asked_is_looked_for_once(
    knowledge: None, publisher: live.Publisher, searched: list[str]
) -> None:
    question = "How long does shipping take? How can I return my item?"
    await db(post, question)
    queued = await db(Message.objects.get, status="queued")
    ended = await turn.take(queued.pk, publisher, asked=question, language="en")
    assert ended is not None
    assert len(ended.sources) == 2
    assert searched == ["How long does shipping take?", "How can I return my item?"]


async def test_a_search_that_failed_ahead_is_tried_by_the_turn(
    knowledge: None, publisher: live.Publisher, searched: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    counted = retrieval._searched

    async def fails_at_first(live: LiveModel, question: str, language: str) -> retrieval.Searched:
        found = await counted(live, question, language)
        if len(searched) == 1:
            raise ProviderUnavailable("gone")
        return found

    monkeypatch.setattr(retrieval, "_searched", fails_at_first)
    await db(post, "how long does shipping take?")
    queued = await db(Message.objects.get, status="queued")
    ended = await turn.take(queued.pk, publisher, asked="how long does shipping take?", language="en")
    assert ended is not None
    assert ended.content == "It takes **two days**. [1]"
    assert len(searched) == 2


async def test_follow_ups_are_read_with_the_question_before(knowledge: None, publisher: live.Publisher) -> None:
    first = await answer("What is the delivery time of an order?", publisher)
    second = await answer("and for two?", publisher, first.conversation_id)
    assert second.metadata["decision"] == "answer"


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


def test_the_embedding_sweep_repairs_what_is_stale(knowledge: None) -> None:
    before = Embedding.objects.count()
    Embedding.objects.filter(kind="question").delete()
    tasks.sweep_embeddings()
    assert Embedding.objects.count() == before
    tasks.embed_faq(0)


@pytest.fixture
def openai_worker(settings: Any, fake_llm: FakeLLM) -> Iterator[FakeLLM]:
    """The SDK for everything, used from the loop of the worker's tasks."""
    settings.EMBEDDING_PROVIDER = settings.MODERATION_PROVIDER = "openai"
    settings.OPENAI_API_KEY, settings.OPENAI_BASE_URL = "test", fake_llm.base_url
    settings.OPENAI_EMBEDDING_WIDTH = 64
    made = (registry.chat, registry.moderator, registry.embedders)
    for cached in made:
        cached.cache_clear()
    yield fake_llm
    run(registry.chat().aclose())
    for cached in made:
        cached.cache_clear()


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


def test_a_change_of_provider_embeds_anew_and_leaves_the_old_vectors(knowledge: None, openai_worker: FakeLLM) -> None:
    before = Embedding.objects.count()
    openai_worker.behave(status=500, endpoint="embeddings")
    tasks.sweep_embeddings()
    tasks.embed_faq(FAQ.objects.values_list("pk", flat=True)[0])
    assert Embedding.objects.count() == before
    openai_worker.behave(status=0)
    tasks.sweep_embeddings()
    assert Embedding.objects.filter(model__provider="openai").count() == 6
    assert Embedding.objects.filter(model__provider="local").count() == before
    decision, passages = retrieval.preview("When will my order arrive?", "en")
    assert (decision, passages[0].question) == ("answer", "When will my order arrive?")


def test_a_sweep_of_vectors_ends_in_time(knowledge: None) -> None:
    Embedding.objects.all().delete()
    embedding.embed_stale(seconds=-1)
    assert not Embedding.objects.exists()


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


def test_one_sweep_of_vectors_runs_at_a_time(knowledge: None) -> None:
    Embedding.objects.all().delete()
    with ThreadPoolExecutor(1) as elsewhere:
        elsewhere.submit(execute, f"SELECT pg_advisory_lock({embedding.SWEEPING})").result()
        embedding.embed_stale(seconds=60)
        assert not Embedding.objects.exists()
        elsewhere.submit(execute, "SELECT pg_advisory_unlock_all()", close=True).result()
    embedding.embed_stale(seconds=60)
    assert Embedding.objects.count() == 12


def execute(sql: str, *, close: bool = False) -> None:
    with connection.cursor() as cursor:
        cursor.execute(sql)
    if close:
        connection.close()
