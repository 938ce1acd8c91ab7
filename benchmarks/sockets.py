"""`python -m benchmarks.sockets`: how fast sockets connect, what an idle one costs, and whether they stay while others chat.

Every socket belongs to a guest of its own. The memory is the web process's private memory; the chat is that of `turns`.
"""

import argparse
import asyncio
import contextlib
import resource
import time

import aiohttp
import orjson

from tests.client import Visitor

from . import turns
from .live import Bench, bench, memory_mb

CONNECTING = 50
SETTLE_SECONDS = 5
ANSWER_SECONDS = 60


class Idle(turns.Tab):
    """A tab that asks nothing, and reads on: only so are the server's pings answered, without which it closes the socket."""

    async def open(self) -> None:
        await super().open()
        await self.socket.receive()
        self.answered = asyncio.Event()
        self.reader = asyncio.create_task(self._read())

    async def _read(self) -> None:
        async for message in self.socket:
            if orjson.loads(message.data)["type"] == "pong":
                self.answered.set()

    async def answers(self) -> bool:
        """Whether the server still answers on this socket."""
        self.answered.clear()
        with contextlib.suppress(ConnectionError, TimeoutError):
            await self.socket.send_str('{"type": "ping"}')
            async with asyncio.timeout(ANSWER_SECONDS):
                return await self.answered.wait()
        return False

    async def close(self) -> None:
        await self.socket.close()
        await self.reader


async def alive(tabs: list[Idle]) -> int:
    return sum(await asyncio.gather(*(tab.answers() for tab in tabs)))


async def connect_all(http: aiohttp.ClientSession, guests: list[Visitor]) -> list[Idle]:
    tabs = [Idle(http, guest) for guest in guests]
    waiting = iter(tabs)

    async def connect() -> None:
        for tab in waiting:
            await tab.open()

    await asyncio.gather(*(connect() for _ in range(CONNECTING)))
    return tabs


async def measure(b: Bench, idle: int, chatting: int, tokens: int) -> None:
    guests = b.guests(idle)
    pid = b.system.processes["web"].pid
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as http:
        before, began = memory_mb(pid), time.monotonic()
        tabs = await connect_all(http, guests)
        rate = idle / (time.monotonic() - began)
        await asyncio.sleep(SETTLE_SECONDS)
        each = (memory_mb(pid) - before) * 1024 / idle
        spent = b.cpu_ms()["web"]
        await asyncio.sleep(SETTLE_SECONDS)
        burning = (b.cpu_ms()["web"] - spent) / SETTLE_SECONDS / 10
        held = await alive(tabs)
        answered = (memory_mb(pid) - before) * 1024 / idle
        print(
            f"{held:,d} of {idle:,d} sockets answer: {rate:.0f} connected a second, {each:.1f} kB each, {answered:.1f} kB once it "
            f"answered, {burning:.1f}% of a core at rest"
        )
        if chatting:
            turns.header()
            await turns.measure(b, chatting, 0, 2, tokens)
        held = await alive(tabs)
        print(f"{held:,d} of {idle:,d} still answer after {time.monotonic() - began:.0f} s")
        for tab in tabs:
            await tab.close()
        if held < idle:
            raise SystemExit(f"{idle - held:,d} were lost.")


def allow_many_files() -> None:
    """Every socket is a file here and in the web process, which inherits the limit."""
    _soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--idle", type=int, default=10_000)
    parser.add_argument("--chatting", type=int, default=50)
    parser.add_argument("--tokens", type=int, default=300)
    options = parser.parse_args()
    allow_many_files()
    with bench() as b:
        asyncio.run(measure(b, options.idle, options.chatting, options.tokens))


if __name__ == "__main__":
    main()
