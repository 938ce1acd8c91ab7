"""Following a reply without a socket: from any place, through new attempts, gaps and a Redis that forgot."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any
from uuid import UUID, uuid4

import pytest
from channels.layers import get_channel_layer

from accounts import sign_ins
from accounts.models import User
from chatbot import ends, following, live, sse
from chatbot.following import Follower, Held
from chatbot.hub import Hub
from chatbot.openai_api import Completion
from chatbot.runtime import db
from conversations import replies, services
from conversations.models import Message
from conversations.replies import Outcome

pytestmark = pytest.mark.django_db(transaction=True)


class Reply:
    """The worker's side of one reply."""

    def __init__(self, question: Message) -> None:
        self.question = question
        self.publisher = live.Publisher(live.connect())

    async def claim(self) -> None:
        active = await db(Message.objects.get, conversation=self.question.conversation, status__in=Message.ACTIVE)
        claimed = await db(replies.claiming(active.pk).ask)
        assert claimed is not None
        self.message = claimed.reply
        self.stream = live.Stream(str(claimed.reply.conversation_id), str(claimed.reply.pk), claimed.reply.attempt)

    async def write(self, text: str) -> None:
        await self.publisher.add(self.stream, text)
        await self.publisher.drain(self.stream)

    async def finish(self, content: str, **values: Any) -> None:
        await db(replies.finish, self.message, Outcome(status="sent", content=content, **values))


@pytest.fixture
async def reply() -> AsyncIterator[Reply]:
    user = await db(User.objects.create_user, "ada@example.com", "x")
    posted = await db(services.post_message, user=user, content="When?", client_id=uuid4())
    reply = Reply(posted.message)
    yield reply
    await reply.publisher.client.aclose()
    await ends.hub().aclose()


class Client:
    """Reads frames as they come; `text` is what a client of docs/api.md would show."""

    def __init__(self, reply: Reply, held: Held | None = None, text: str = "") -> None:
        self.follower = Follower(reply.question.user_id, reply.question, held or Held())  # type: ignore[arg-type]
        self.kinds: list[str] = []
        self.text = text
        self.task = asyncio.create_task(self.read())

    async def read(self) -> None:
        async for frame in self.follower.frames():
            self.kinds.append(frame["type"])
            if frame["type"] == "delta":
                self.text = (self.text if frame["offset"] else "") + frame["text"]
            elif frame["type"] == "snapshot":
                self.text = frame["content"]

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(10):
            while not condition():
                await asyncio.sleep(0.01)

    async def shows(self, ending: str) -> None:
        await self.until(lambda: self.text.endswith(ending))

    async def ended(self) -> None:
        async with asyncio.timeout(10):
            await self.task


async def test_from_the_beginning_it_is_deltas_and_the_response(reply: Reply) -> None:
    client = Client(reply)
    await reply.claim()
    for piece in ("Grüß ", "😀", "!"):
        await reply.write(piece)
        await client.shows(piece)
    await reply.finish("Grüß 😀!")
    await client.ended()
    assert client.text == "Grüß 😀!"
    assert set(client.kinds) == {"delta", "response"}


async def test_what_was_stored_otherwise_than_streamed_replaces_it(reply: Reply) -> None:
    client = Client(reply)
    await reply.claim()
    await reply.write("Two days. ")
    await client.until(lambda: bool(client.text))
    await reply.finish("Two days.")
    await client.ended()
    assert (client.text, client.kinds[-2:]) == ("Two days.", ["snapshot", "response"])


async def test_a_new_attempt_starts_afresh(reply: Reply) -> None:
    client = Client(reply)
    await reply.claim()
    await reply.write("Perhaps")
    await client.until(lambda: client.text == "Perhaps")
    await db(Message.objects.filter(pk=reply.message.pk).update, status="queued")
    await reply.claim()
    await reply.write("Two")
    await client.until(lambda: client.text == "Two")
    await reply.write(" days.")
    await reply.finish("Two days.")
    await client.ended()
    assert client.text == "Two days."


@pytest.mark.parametrize("held_units", [0, 4, 6])
async def test_it_goes_on_where_the_client_was(reply: Reply, held_units: int) -> None:
    await reply.claim()
    await reply.write("Two 😀 days")
    text = "Two 😀"[: {0: 0, 4: 4, 6: 5}[held_units]]
    held = Held(str(reply.message.pk), 1, held_units, text=None)
    client = Client(reply, held, text)
    await client.until(lambda: client.text == "Two 😀 days")
    await reply.finish("Two 😀 days")
    await client.ended()
    assert client.kinds == ["delta", "response"]


async def test_more_than_there_is_and_another_reply_are_replaced(reply: Reply) -> None:
    await reply.claim()
    await reply.write("Two")
    for held in (Held(str(reply.message.pk), 1, 99, text=None), Held(str(uuid4()), 1, 2, text=None)):
        client = Client(reply, held, "x" * 99)
        await client.shows("Two")
        assert client.text == "Two"
        client.task.cancel()
        await asyncio.gather(client.task, return_exceptions=True)


async def test_after_the_end_the_whole_answer_comes(reply: Reply) -> None:
    await reply.claim()
    await reply.finish("Two days.")
    client = Client(reply, Held(str(reply.message.pk), 1, 3, text=None), "Two")
    await client.ended()
    assert (client.text, client.kinds) == ("Two days.", ["snapshot", "response"])


async def test_with_every_hint_lost_the_log_is_read(reply: Reply, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(following, "SILENCE_SECONDS", 0.05)
    monkeypatch.setattr(following, "get_channel_layer", lambda: None)
    monkeypatch.setattr(Hub, "_deliver", lambda *_: None)
    client = Client(reply)
    await client.until(lambda: "silence" in client.kinds)
    await reply.claim()
    await reply.write("Two")
    await client.until(lambda: client.text == "Two")
    await reply.finish("Two days.")
    await client.ended()
    assert client.text == "Two days."


async def test_a_gap_is_filled_from_the_snapshot(reply: Reply) -> None:
    client = Client(reply)
    await reply.claim()
    await reply.write("One")
    await client.until(lambda: client.text == "One")
    client.follower.held.take(str(reply.message.pk), 1, "O")
    client.text = "O"
    await reply.write(", two")
    await client.until(lambda: client.text == "One, two")
    # The rest came as one delta, from the text that is kept.
    assert (client.text, client.kinds) == ("One, two", ["delta", "delta"])
    client.task.cancel()
    await asyncio.gather(client.task, return_exceptions=True)


async def test_nothing_follows_when_a_human_answers(reply: Reply) -> None:
    await db(replies.take_over, conversation_id=reply.question.conversation_id)
    client = Client(reply)
    await client.ended()
    assert client.kinds == []


async def test_a_message_sent_while_another_is_answered_waits_for_its_own(reply: Reply) -> None:
    await reply.claim()
    first, user = reply.question, await db(User.objects.get)
    posted = await db(
        services.post_message, user=user, content="And?", client_id=uuid4(), conversation_id=first.conversation_id
    )
    second = Reply(posted.message)
    client = Client(second)
    await reply.finish("First.")
    await second.claim()
    await second.write("Second.")
    await second.finish("Second.")
    await client.ended()
    assert client.text == "Second."
    await second.publisher.client.aclose()


async def test_completions_that_begin_afresh_say_so(reply: Reply) -> None:
    completion = Completion(reply.question, Follower(reply.question.user_id, reply.question))  # type: ignore[arg-type]
    chunks = completion.chunks()
    assert '"role":"assistant"' in await anext(chunks)
    await reply.claim()
    await reply.write("Perhaps")
    assert "Perhaps" in await anext(chunks)
    await db(Message.objects.filter(pk=reply.message.pk).update, status="queued")
    await reply.claim()
    await reply.write("Two")
    assert "interrupted" in await anext(chunks)
    assert [chunk async for chunk in chunks] == []


async def listening() -> None:
    async with asyncio.timeout(10):
        while not get_channel_layer().groups:
            await asyncio.sleep(0.01)


async def test_the_end_of_a_sign_in_ends_the_stream(reply: Reply) -> None:
    user_id = (await db(User.objects.get)).pk
    stream = sse.events({"type": "ack"}, Follower(user_id, reply.question))
    assert "ack" in await anext(stream)
    following_event = asyncio.create_task(anext(stream, None))
    await listening()
    await db(sign_ins.announce_end, user_id=user_id)
    assert await asyncio.wait_for(following_event, 2) is None


async def test_who_relies_on_no_sign_in_goes_on_listening(reply: Reply, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(following, "SILENCE_SECONDS", 60)
    client = Client(reply)
    await listening()
    await db(sign_ins.announce_end, user_id=(await db(User.objects.get)).pk)
    await client.until(lambda: bool(client.kinds))
    await reply.claim()
    await reply.finish("Two days.")
    await client.ended()
    assert (client.text, client.kinds) == ("Two days.", ["sign_in_ended", "delta", "response"])


@pytest.mark.parametrize("last_event_id", ["", "nonsense", "a:b:c", f"{UUID(int=7)}:1"])
def test_ids_that_are_not_ours_hold_nothing(last_event_id: str) -> None:
    assert sse.held(last_event_id) == Held()


def test_silence_is_a_comment_that_keeps_the_connection() -> None:
    assert sse.event({"type": "silence"}, Held()).startswith(":")
