"""A socket's outbox: in order, and never more than its bound."""

import asyncio

from chatbot.outbox import UNANSWERED_BYTES, Outbox
from chatbot.protocol import Frame

BIG: Frame = {"type": "x", "text": "a" * 64_000}


class Reader:
    def __init__(self) -> None:
        self.received: list[str] = []
        self.overflows = 0
        self.open = asyncio.Event()
        self.open.set()
        self.outbox = Outbox(self.send, self.overflow)

    async def send(self, text: str) -> None:
        await self.open.wait()
        self.received.append(text)

    async def overflow(self) -> None:
        self.overflows += 1

    async def settle(self) -> None:
        while self.outbox._writer is not None and not self.outbox._writer.done():
            await asyncio.wait({self.outbox._writer})


async def test_frames_leave_in_order() -> None:
    reader = Reader()
    for number in range(5):
        reader.outbox.put({"type": "n", "number": number})
    await reader.settle()
    assert reader.received == [f'{{"type":"n","number":{number}}}' for number in range(5)]


async def test_a_reader_that_answers_never_overflows() -> None:
    reader = Reader()
    for _ in range(100):
        reader.outbox.put(BIG)
        await reader.settle()
        for text in reader.received:
            if text.startswith('{"type":"ping"'):
                reader.outbox.answered(int(text.rsplit(":", 1)[1][:-1]))
        reader.received.clear()
    assert reader.overflows == 0


async def test_a_silent_reader_is_given_up_once_and_its_memory_freed() -> None:
    reader = Reader()
    reader.open.clear()
    for _ in range(100):
        reader.outbox.put(BIG)
    assert len(reader.outbox._waiting) == 0
    await reader.settle()
    assert reader.overflows == 1
    assert sum(map(len, reader.received)) <= UNANSWERED_BYTES


async def test_an_unknown_pong_means_nothing() -> None:
    reader = Reader()
    reader.outbox.answered(10**12)
    for _ in range(20):
        reader.outbox.put(BIG)
    await reader.settle()
    assert reader.overflows == 1


async def test_a_connection_that_is_gone_ends_the_writing() -> None:
    async def gone(text: str) -> None:
        raise ConnectionResetError

    outbox = Outbox(gone, Reader().overflow)
    outbox.put({"type": "x"})
    assert outbox._writer is not None
    await outbox._writer
    outbox.close()
    outbox.put({"type": "y"})
    assert len(outbox._waiting) == 0
