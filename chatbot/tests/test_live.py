"""The publisher: what leaves when, and what a slow tick costs nobody. The hub: what reaches a socket again after Redis was away."""

import asyncio
import socket
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import urlsplit

import pytest

from chatbot import live
from chatbot.hub import Hub
from chatbot.live import Publisher, Stream
from chatbot.metrics import LIVE_FAILURES
from deploy.tests.processes import free_port
from tests.faults.proxy import Proxy


@pytest.fixture
async def publisher() -> AsyncIterator[Publisher]:
    made = Publisher(live.connect())
    yield made
    await made.client.aclose()


async def text_of(publisher: Publisher, stream: Stream) -> str | None:
    return await live.read_snapshot(publisher.client, stream.message_id, stream.attempt)


async def test_the_first_piece_leaves_at_once_and_the_next_with_a_tick(publisher: Publisher) -> None:
    stream = Stream("conversation", "first-and-next", 1)
    await publisher.add(stream, "One")
    assert await text_of(publisher, stream) == "One"
    await publisher.add(stream, " two")
    await publisher.add(stream, " three")
    assert await text_of(publisher, stream) == "One"
    await publisher.tick()
    await publisher.drain(stream)
    assert await text_of(publisher, stream) == "One two three"


async def test_what_is_added_at_a_tick_goes_with_it(publisher: Publisher, monkeypatch: pytest.MonkeyPatch) -> None:
    batches: list[int] = []

    async def publish(streams: list[Stream]) -> None:
        batches.append(len(streams))
        for stream in streams:
            stream.pending.clear()

    streams = [Stream("conversation", f"message {n}", 1, text="begun") for n in range(30)]
    monkeypatch.setattr(publisher, "_publish_batch", publish)

    async def write(stream: Stream) -> None:
        for _ in range(3):
            await publisher.tick()
            await publisher.add(stream, "more")

    await asyncio.gather(*map(write, streams))
    async with asyncio.timeout(5):
        while sum(batches) < 90:
            await asyncio.sleep(0.01)
    assert batches[:3] == [30, 30, 30]


@pytest.mark.parametrize(("replies", "seconds"), [(0, 0.02), (10, 0.02), (50, 0.05), (500, 0.1)])
def test_ticks_stretch_with_load_to_a_limit(replies: int, seconds: float) -> None:
    assert live.tick_seconds(replies) == pytest.approx(seconds)


async def test_a_cancelled_writer_does_not_stop_the_ticks(publisher: Publisher) -> None:
    stays = asyncio.create_task(publisher.tick())
    goes = asyncio.create_task(publisher.tick())
    await asyncio.sleep(0)
    goes.cancel()
    await asyncio.wait_for(stays, 5)
    assert stays.done()
    assert goes.cancelled()


async def test_two_attempts_of_one_reply_keep_their_own_texts(publisher: Publisher) -> None:
    streams = [Stream("conversation", "twice", attempt) for attempt in (1, 2)]
    for piece in ("One", " two"):
        for stream in streams:
            await publisher.add(stream, piece)
    async with asyncio.timeout(5):
        while any(stream.pending for stream in streams):
            await asyncio.sleep(0.01)
        await publisher.drain(streams[0])
    assert [await text_of(publisher, stream) for stream in streams] == ["One two", "One two"]


@pytest.fixture
async def network(settings: Any) -> AsyncIterator[Proxy]:
    """The way to Valkey for what is made after it."""
    real = urlsplit(settings.REDIS_URL)
    async with Proxy(real.port or 6379) as proxy:
        settings.REDIS_URL = real._replace(netloc=urlsplit(proxy.url).netloc).geturl()
        yield proxy


async def test_a_valkey_that_stands_still_holds_nobody_and_is_told_the_rest_afterwards(
    publisher: Publisher, network: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "LONG_SECONDS", 0.3)
    monkeypatch.setattr(live, "AWAY_SECONDS", 0.3)
    far = Publisher(live.connect(socket_timeout=0.5))
    streams = [Stream("conversation", f"held {n}", 1) for n in range(5)]
    for stream in streams[:-1]:
        await far.add(stream, "One")
    network.delay = 60
    async with asyncio.timeout(1.5):
        for piece in (" two", " three", " four", " five"):
            await far.tick()
            for stream in streams:
                await far.add(stream, piece)
        await far.drain(streams[0])
    network.delay = 0.0
    async with asyncio.timeout(10):
        for stream in streams:
            while await text_of(publisher, stream) != stream.text:
                await far.add(stream, " more")
                await far.tick()
                await far.drain(stream)
    assert streams[0].text.startswith("One two three four five more")
    await far.client.aclose()


@pytest.fixture
async def hub(network: Proxy) -> AsyncIterator[Hub]:
    made = Hub()
    yield made
    await made.aclose()


class Heard:
    """A socket's sink: the text of each conversation, and how often its client was told to sync."""

    def __init__(self) -> None:
        self.texts: dict[str, str] = {}
        self.resyncs = 0

    def __call__(self, frame: dict[str, Any]) -> None:
        if frame["type"] == "resync":
            self.resyncs += 1
        else:
            self.texts[frame["conversation_id"]] = frame["text"]


async def failures(times: int) -> None:
    """Wait until so many more subscriptions have failed."""
    counter = LIVE_FAILURES.labels("subscribe")._value
    until = counter.get() + times
    async with asyncio.timeout(10):
        while counter.get() < until:
            await asyncio.sleep(0.01)


async def say_to_all(publisher: Publisher, heard: Heard, conversations: list[str]) -> None:
    """Publish to each conversation, and wait until all is heard."""
    async with asyncio.timeout(10):
        while not heard.resyncs:
            await asyncio.sleep(0.01)
        for conversation in conversations:
            await publisher.add(Stream(conversation, f"of {conversation}", 1), "Hello")
        while len(heard.texts) < len(conversations):
            await asyncio.sleep(0.01)


async def test_after_an_outage_every_conversation_is_heard_again(
    publisher: Publisher, network: Proxy, hub: Hub
) -> None:
    heard, conversations = Heard(), [f"conversation {n}" for n in range(8)]
    assert len({live.channel_of(conversation) for conversation in conversations}) > 2
    hub.attach(heard)
    for conversation in conversations[:-1]:
        await hub.watch(conversation, heard)
    valkey, network.target = network.target, free_port()
    network.cut()
    await failures(2)
    await hub.watch(conversations[-1], heard)
    network.target = valkey
    await say_to_all(publisher, heard, conversations)


async def test_what_is_watched_while_redis_is_away_is_heard_when_it_is_back(
    publisher: Publisher, network: Proxy, hub: Hub
) -> None:
    heard, valkey = Heard(), network.target
    hub.attach(heard)
    network.target = free_port()
    await hub.watch("early", heard)
    network.target = valkey
    await say_to_all(publisher, heard, ["early"])
    assert heard.texts == {"early": "Hello"}


async def test_a_redis_that_stands_still_holds_nobody_who_begins_to_watch(settings: Any) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        settings.REDIS_URL = f"redis://127.0.0.1:{silent.getsockname()[1]}/0"
        hub = Hub()
        async with asyncio.timeout(6):
            await asyncio.gather(*(hub.watch(f"conversation {n}", Heard()) for n in range(5)))
        assert [hub.watchers(f"conversation {n}") for n in range(5)] == [1] * 5
        await hub.aclose()
