"""One turn in process: real database and Valkey, the local composer or the SDK against the fake provider."""

import asyncio
import contextlib
import socket
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.db import DataError, IntegrityError, OperationalError
from django.utils import timezone

from benchmarks.fake_llm import FakeLLM
from chatbot import live, retrieval, turn
from chatbot.live_models import LiveModel
from chatbot.providers.base import ProviderUnavailable
from chatbot.runtime import db
from conversations import replies
from conversations.models import Conversation, Message

from .asking import answer, post

pytestmark = pytest.mark.django_db(transaction=True)


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
