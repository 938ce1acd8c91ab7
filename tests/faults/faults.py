"""What goes wrong: each fault is done to a running system and repaired as its supervisor would."""

import asyncio
import contextlib
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator

import aiohttp
import psycopg
import redis.asyncio
from redis.exceptions import RedisError

from benchmarks.live import Bench
from deploy.servers import Server
from deploy.tests.processes import handles

from .proxy import Proxy

MODEL_FAULTS: list[dict[str, object]] = [
    {"status": 500},
    {"status": 429},
    {"refuse": True},
    {"cut": 3},
    {"stall": 3},
    {"invalid": 2},
]
SECONDS_TO_END = 120
SECONDS_TO_LISTEN = 60
# Whether it happened: what is away already cannot be killed.
Fault = Callable[[], Awaitable[bool]]


def process_of(server: Server | None) -> "subprocess.Popen[bytes]":
    """Of a server that was started."""
    assert server is not None
    assert server.process is not None
    return server.process


def kill(process: "subprocess.Popen[bytes]") -> bool:
    """False when it has ended already."""
    if process.poll() is not None:
        return False
    process.kill()
    return True


class Faults:
    """Every fault by name.

    `done` counts those that happened, `unended` names what did not end well when asked. `pace` scales how long they last.
    """

    def __init__(self, bench: Bench, proxy: Proxy, chance: random.Random, pace: float) -> None:
        self.bench, self.system, self.proxy, self.chance, self.pace = bench, bench.system, proxy, chance, pace
        self.done: Counter[str] = Counter()
        self.unended: list[str] = []
        # Those that spare our own processes, so that what leaks adds up.
        self.around: dict[str, Fault] = {
            "PostgreSQL backend killed": self._kill_backend,
            "PostgreSQL postmaster killed": self._kill_postmaster,
            "Valkey killed": self._kill_valkey,
            "Valkey flushed": self._flush_valkey,
            "Valkey paused": self._pause_valkey,
            "every socket cut": self._cut,
            "every socket delayed": self._delay,
            "language model away": self._fail_model,
        }
        self.all: dict[str, Fault] = self.around | {
            "rolling restart": self._rolling_restart,
            "web ended, Valkey paused": self._end_web_while_valkey_is_paused,
            **{f"{name} killed": self._killing(name) for name in self.system.processes},
        }

    async def do(self, name: str) -> bool:
        happened = await self.all[name]()
        self.done[name] += happened
        return happened

    def _killing(self, name: str) -> Fault:
        async def kill() -> bool:
            self.system.kill(name)
            await asyncio.sleep(self.pace * self.chance.uniform(0, 2))
            self.system.start(name)
            return True

        return kill

    async def _rolling_restart(self) -> bool:
        """One process after the other is asked to end, and started again: a deploy."""
        for name in list(self.system.processes):
            await self.end(name)
            self.system.start(name)
        return True

    async def _end_web_while_valkey_is_paused(self) -> bool:
        with self._paused_valkey() as paused:
            if not paused:
                return False
            await asyncio.sleep(self.pace)
            await self.end("web")
        self.system.start("web")
        return True

    async def end(self, name: str) -> None:
        """Ask a process to end; one that does not, or only by force of its own, is noted with the end of its log."""
        process = self.system.processes.pop(name)
        # What was started so lately that it does not listen yet is ended by the signal itself.
        is_deaf = time.monotonic() - self.system.started[name] < SECONDS_TO_LISTEN and not handles(
            process.pid, signal.SIGTERM
        )
        well = {0, -signal.SIGTERM} if is_deaf else {0}
        process.terminate()
        try:
            status = await asyncio.to_thread(process.wait, SECONDS_TO_END)
        except subprocess.TimeoutExpired:
            process.kill()
            status = await asyncio.to_thread(process.wait)
        if status not in well:
            self.unended.append(name)
            print(f"{name}, asked to end, ended with {status}:\n{self.system.log(name)}", file=sys.stderr, flush=True)

    async def _kill_backend(self) -> bool:
        """`kill -9` of one backend: PostgreSQL ends all connections and recovers."""
        query = "SELECT pid FROM pg_stat_activity WHERE datname = %s AND pid <> pg_backend_pid()"
        with contextlib.suppress(psycopg.Error, ProcessLookupError):
            pids = [row[0] for row in await asyncio.to_thread(self.system.rows, query, self.system.database)]
            if pids:
                os.kill(self.chance.choice(pids), signal.SIGKILL)
                return True
        return False

    async def _kill_postmaster(self) -> bool:
        return kill(process_of(self.bench.services.postgresql))

    async def _kill_valkey(self) -> bool:
        return kill(process_of(self.bench.services.valkey))

    async def _flush_valkey(self) -> bool:
        with contextlib.suppress(RedisError, OSError):
            async with redis.asyncio.Redis.from_url(self.system.redis_url) as client:
                await client.flushall()
                return True
        return False

    async def _pause_valkey(self) -> bool:
        with self._paused_valkey() as paused:
            if paused:
                await asyncio.sleep(self.pace * self.chance.uniform(1, 6))
        return paused

    @contextlib.contextmanager
    def _paused_valkey(self) -> Iterator[bool]:
        """Gives whether it runs at all."""
        process = process_of(self.bench.services.valkey)
        runs = process.poll() is None
        process.send_signal(signal.SIGSTOP)
        try:
            yield runs
        finally:
            process.send_signal(signal.SIGCONT)

    async def _cut(self) -> bool:
        return self.proxy.cut() > 0

    async def _delay(self) -> bool:
        self.proxy.delay = self.chance.uniform(0.2, 1.5)
        await asyncio.sleep(self.pace * self.chance.uniform(2, 6))
        self.proxy.delay = 0.0
        return True

    async def _fail_model(self) -> bool:
        """For some seconds everything fails, in one of several ways."""
        await self._control(self.chance.choice(MODEL_FAULTS))
        await asyncio.sleep(self.pace * self.chance.uniform(1, 4))
        await self._control({})
        return True

    async def _control(self, behaviour: dict[str, object]) -> None:
        async with aiohttp.ClientSession() as http:
            async with http.post(self.bench.model_url.removesuffix("/v1") + "/_control", json=behaviour) as response:
                response.raise_for_status()
