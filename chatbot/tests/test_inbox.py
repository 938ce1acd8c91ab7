"""What sockets post at the same time is stored together, and each fails only for itself."""

import asyncio
import threading
from collections.abc import Sequence
from uuid import uuid4

import pytest
from django.db import DataError, OperationalError

from accounts.models import User
from chatbot import inbox
from chatbot.inbox import Inbox, Limited
from chatbot.runtime import db
from conversations import services
from conversations.models import Conversation, Message
from conversations.services import Post, Posted
from rest import limits

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
async def user() -> User:
    return await db(User.objects.create_user, "ada@example.com", "correct horse battery")


class Gate:
    """Stands before `post_messages`: counts the batches and holds the first back until it is opened."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.sizes: list[int] = []
        self.opened = threading.Event()
        self.real = services.post_messages
        monkeypatch.setattr(services, "post_messages", self.post_messages)

    def post_messages(self, posts: Sequence[Post]) -> list[Posted | None]:
        self.sizes.append(len(posts))
        if len(self.sizes) == 1:
            assert self.opened.wait(10)
        return self.real(posts)


async def begun(gate: Gate, count: int) -> None:
    async with asyncio.timeout(10):
        while len(gate.sizes) < count:
            await asyncio.sleep(0.005)


async def test_what_arrives_during_a_transaction_goes_into_the_next(
    user: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate, box = Gate(monkeypatch), Inbox()
    monkeypatch.setattr(inbox, "PATIENCE_SECONDS", 60)
    first = asyncio.create_task(box.post(Post(user, "first", uuid4()), []))
    await begun(gate, 1)
    others = [asyncio.create_task(box.post(Post(user, f"message {n}", uuid4()), [])) for n in range(5)]
    await asyncio.sleep(0)
    gate.opened.set()
    posted = await asyncio.gather(first, *others)
    assert gate.sizes == [1, 5]
    assert [one.message.content for one in posted] == ["first", *(f"message {n}" for n in range(5))]
    assert await db(Message.objects.filter(role="user").count) == 6


async def test_who_waits_long_behind_a_lock_gets_a_writer(user: User, monkeypatch: pytest.MonkeyPatch) -> None:
    gate, box = Gate(monkeypatch), Inbox()
    monkeypatch.setattr(inbox, "PATIENCE_SECONDS", 0.01)
    held = asyncio.create_task(box.post(Post(user, "held", uuid4()), []))
    await begun(gate, 1)
    posted = await asyncio.wait_for(box.post(Post(user, "quick", uuid4()), []), 10)
    assert posted.message.content == "quick"
    assert not held.done()
    gate.opened.set()
    assert (await held).message.content == "held"


async def test_each_fails_only_for_itself(user: User, monkeypatch: pytest.MonkeyPatch) -> None:
    gate, box = Gate(monkeypatch), Inbox()
    monkeypatch.setattr(inbox, "PATIENCE_SECONDS", 60)
    first = asyncio.create_task(box.post(Post(user, "first", uuid4()), []))
    await begun(gate, 1)
    waiting = [
        asyncio.create_task(box.post(Post(user, content, uuid4(), conversation_id), []))
        for content, conversation_id in (("good", None), ("not\x00storable", None), ("nowhere", uuid4()))
    ]
    await asyncio.sleep(0)
    gate.opened.set()
    await first
    good, bad, nowhere = await asyncio.gather(*waiting, return_exceptions=True)
    assert isinstance(good, Posted)
    assert isinstance(bad, DataError | ValueError)
    assert isinstance(nowhere, Conversation.DoesNotExist)
    assert gate.sizes == [1, 3, 1, 1, 1]


async def test_a_database_that_is_away_is_everybodys_error(user: User, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(posts: Sequence[Post]) -> list[Posted | None]:
        raise OperationalError("gone")

    monkeypatch.setattr(services, "post_messages", away)
    box = Inbox()
    results = await asyncio.gather(*(box.post(Post(user, "x", uuid4()), []) for _ in range(3)), return_exceptions=True)
    assert [type(result) for result in results] == [OperationalError] * 3


async def test_a_cancelled_post_disturbs_nobody(user: User, monkeypatch: pytest.MonkeyPatch) -> None:
    gate, box = Gate(monkeypatch), Inbox()
    first = asyncio.create_task(box.post(Post(user, "first", uuid4()), []))
    await begun(gate, 1)
    second = asyncio.create_task(box.post(Post(user, "second", uuid4()), []))
    await asyncio.sleep(0)
    first.cancel()
    gate.opened.set()
    assert (await second).message.content == "second"


async def test_who_sent_too_much_stores_nothing_and_delays_nobody(user: User, monkeypatch: pytest.MonkeyPatch) -> None:
    gate, box = Gate(monkeypatch), Inbox()
    allowance = ("1/minute", f"user:{uuid4()}")
    first = asyncio.create_task(box.post(Post(user, "first", uuid4()), [allowance]))
    await begun(gate, 1)
    waiting = [
        asyncio.create_task(box.post(Post(user, content, uuid4()), [one]))
        for content, one in (("too much", allowance), ("other", ("1/minute", f"user:{uuid4()}")))
    ]
    await asyncio.sleep(0)
    gate.opened.set()
    assert (await first).message.content == "first"
    refused, other = await asyncio.gather(*waiting, return_exceptions=True)
    assert isinstance(refused, Limited)
    assert refused.verdict.limit == 1
    assert isinstance(other, Posted)
    assert await db(Message.objects.filter(role="user").count) == 2


async def test_what_is_tried_again_is_counted_once(user: User, monkeypatch: pytest.MonkeyPatch) -> None:
    gate, box = Gate(monkeypatch), Inbox()
    allowance = ("2/minute", f"user:{uuid4()}")
    first = asyncio.create_task(box.post(Post(user, "first", uuid4()), []))
    await begun(gate, 1)
    waiting = [
        asyncio.create_task(box.post(Post(user, content, uuid4()), allowances))
        for content, allowances in (("good", [allowance]), ("not\x00storable", []))
    ]
    await asyncio.sleep(0)
    gate.opened.set()
    good, bad = await asyncio.gather(*waiting, return_exceptions=True)
    assert isinstance(good, Posted)
    assert isinstance(bad, DataError | ValueError)
    assert (await first).message.content == "first"
    verdict = limits.take("person", [allowance])
    assert (verdict.allowed, verdict.remaining) == (True, 0)
