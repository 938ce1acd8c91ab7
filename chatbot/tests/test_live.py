"""The publisher: what leaves when, and what a slow tick costs nobody."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from chatbot import live
from chatbot.live import Publisher, Stream


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
        batches.append(len([stream for stream in streams if stream.pending]))
        for stream in streams:
            stream.pending.clear()

    streams = [Stream("conversation", f"message {n}", 1, text="begun") for n in range(30)]
    monkeypatch.setattr(publisher, "_publish", publish)

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
