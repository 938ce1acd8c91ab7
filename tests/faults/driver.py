"""`python -m tests.faults.driver`: a live system under steady chat load while everything is killed, and what was lost of it.

For two thirds of the time every fault happens, the kills of our own processes among them; the last third spares those, so that memory
and connections that leak add up. Ends with status 1 when anything was lost, doubled, stuck or leaked.
"""

import argparse
import asyncio
import contextlib
import random
import statistics
import sys
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import redis

from benchmarks.live import Bench, bench, memory_mb
from deploy.tests.processes import until
from tests.system import LiveSystem

from .faults import Faults
from .proxy import Proxy
from .verdict import endings, judge, logs_of, note_numbers
from .visitors import Agent, Crowd, Person, Seen

PROCESSES = ("web", "replies1", "replies2", "default", "beat")
QUIET_SECONDS = 90
# As /proc/net/tcp writes them.
ESTABLISHED, CLOSE_WAIT = "01", "08"
# How long connections to the model are kept for another reply.
KEPT_SECONDS = 120
# What a process may hold more at the end than when it was warm, nobody chatting at either: caches fill, and after a burst the pools keep
# up to 24 connections to PostgreSQL and as many to Valkey.
MORE_MB, MORE_OPEN = 60, 60
# The pools of all processes together.
MORE_CONNECTIONS = 60


@dataclass(frozen=True)
class Held:
    """What one process holds: private memory and open files; of a server (without a `pid`) only its connections."""

    pid: int
    megabytes: float
    open: int

    @property
    def may_open(self) -> int:
        return MORE_OPEN if self.pid else MORE_CONNECTIONS


def open_files(pid: int) -> int:
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))


def held(system: LiveSystem) -> dict[str, Held]:
    processes = {
        name: Held(process.pid, memory_mb(process.pid), open_files(process.pid))
        for name, process in system.processes.items()
    }
    backends = system.rows("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()")[0][0]
    with redis.Redis.from_url(system.redis_url) as valkey:
        clients = valkey.info("clients")["connected_clients"]
    return {**processes, "PostgreSQL": Held(0, 0, backends), "Valkey": Held(0, 0, clients)}


@dataclass
class Run:
    """Everything about one run that is reported."""

    clients: int
    seconds: float
    seen: Seen
    faults: Faults
    endings: Counter[str]
    violations: dict[str, list[str]]
    warm: dict[str, Held]
    end: dict[str, Held]

    def leaks(self) -> list[str]:
        """Processes that lived through the last third and hold much more than when it began."""
        return [
            name
            for name, before in self.warm.items()
            if (now := self.end[name]).pid == before.pid
            and (now.megabytes > before.megabytes + MORE_MB or now.open > before.open + before.may_open)
        ]

    def failed(self) -> bool:
        return bool(self.leaks() or any(self.violations.values()))


async def drive(
    b: Bench, *, clients: int, seconds: float, gap: tuple[float, float], pause: float, each_once: bool = False
) -> Run:
    """Load and faults for `seconds` (or until every fault was done once), then quiet, then the verdict.

    `gap` bounds the seconds between two faults, `pause` is how long a visitor thinks on average.
    """
    seen, began, died = Seen(), time.monotonic(), list[str]()
    note_numbers(b.system)
    supervisor = asyncio.create_task(supervise(b.system, died))
    async with Proxy(b.system.port) as proxy, Agent(b.system) as agent:
        faults = Faults(b, proxy, random.Random(1), pace=0.3 if each_once else 1)
        crowd = Crowd()
        people = [Person(proxy.url, number, agent, seen, pause=pause) for number in range(clients)]
        async with asyncio.TaskGroup() as group:
            living = [group.create_task(person.live(crowd)) for person in people]
            warm = await disturb(faults, crowd, began + seconds, gap, each_once=each_once)
            crowd.end()
            await asyncio.wait(living)
    await quiet(b.system)
    end = {} if each_once else await at_rest(b)
    supervisor.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await supervisor
    logs = logs_of(b.system)
    violations = judge(b.system, logs, seen) | {"ended by itself": died, "did not end when asked": faults.unended}
    return Run(clients, time.monotonic() - began, seen, faults, endings(logs), violations, warm, end)


async def supervise(system: LiveSystem, died: list[str]) -> None:
    """Start again what ended and was not told to, and keep the end of its log."""
    while True:
        for name, process in list(system.processes.items()):
            if (status := process.poll()) is not None:
                died.append(name)
                print(f"{name} ended by itself with {status}:\n{system.log(name)}", file=sys.stderr, flush=True)
                system.start(name)
        await asyncio.sleep(1)


async def disturb(
    faults: Faults, crowd: Crowd, end: float, gap: tuple[float, float], *, each_once: bool
) -> dict[str, Held]:
    """Do one fault after the other. Returns what was held when the last third began, everybody at rest; nothing with `each_once`."""
    began = time.monotonic()
    if each_once:
        for name in faults.chance.sample(sorted(faults.all), len(faults.all)):
            await asyncio.sleep(faults.chance.uniform(*gap))
            while not await faults.do(name):
                await asyncio.sleep(faults.chance.uniform(*gap))
        return {}
    while time.monotonic() < began + (end - began) * 2 / 3:
        await asyncio.sleep(faults.chance.uniform(*gap))
        await faults.do(faults.chance.choice(sorted(faults.all)))
    await crowd.rest()
    await quiet(faults.system)
    warm = await at_rest(faults.bench)
    crowd.resume()
    while time.monotonic() < end:
        await asyncio.sleep(faults.chance.uniform(*gap))
        await faults.do(faults.chance.choice(sorted(faults.around)))
    return warm


async def at_rest(b: Bench) -> dict[str, Held]:
    """What is held while nobody chats, once all is ready and no connection to the model is kept, or has been for too long."""
    await settle(b.system)
    await asyncio.to_thread(
        b.system.wait, lambda: b.system.get("/health/ready").get("status") == "ok", "all to be ready"
    )
    port = urlsplit(b.model_url).port or 0
    with contextlib.suppress(AssertionError):
        await asyncio.to_thread(until, lambda: not connections_to(port), "the model's connections to end", KEPT_SECONDS)
    return held(b.system)


def connections_to(port: int) -> int:
    """How many of this machine's connections lead to a port and are held by their process."""
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return sum(
        remote.endswith(f":{port:04X}") and state in {ESTABLISHED, CLOSE_WAIT} for _, _, remote, state, *_ in rows
    )


async def quiet(system: LiveSystem) -> None:
    """Wait until no reply is waited for; what never ends is for the verdict."""
    until = time.monotonic() + QUIET_SECONDS
    active = "SELECT count(*) FROM conversations_message WHERE status IN ('queued', 'streaming')"
    while time.monotonic() < until:
        with contextlib.suppress(psycopg.Error):
            if not (await asyncio.to_thread(system.rows, active))[0][0]:
                return
        await asyncio.sleep(0.5)


async def settle(system: LiveSystem) -> None:
    """Wait until the web process has closed its sockets' files."""
    until, before, now = time.monotonic() + 20, -1, 0
    while now != before and time.monotonic() < until:
        await asyncio.sleep(2)
        before, now = now, open_files(system.processes["web"].pid)


def report(run: Run) -> None:
    print(f"\n{'fault':32} times")
    for name in sorted(run.faults.done):
        print(f"{name:32} {run.faults.done[name]:5d}")
    print(f"{'survived':32} {run.faults.done.total():5d}")
    seen = run.seen
    waits = sorted(seen.waits) or [float("nan")]
    print(
        f"\n{run.clients} clients for {run.seconds / 60:.1f} minutes: {len(seen.transcripts)} conversations, "
        f"{len(seen.accepted)} messages, {seen.answers} answers waited for "
        f"(median {statistics.median(waits):.1f} s, longest {waits[-1]:.1f} s), "
        f"{len(seen.taken_over)} takeovers"
    )
    for ending, count in run.endings.most_common():
        print(f"{ending:32} {count:5d}")
    for kind, found in run.violations.items():
        print(f"{kind:32} {len(found):5d}  {' '.join(found[:3])}")
    print(f"{'leaking':32} {len(run.leaks()):5d}  {' '.join(run.leaks())}")
    print("\nprocess     MB warm   end    open warm   end")
    for name, now in run.end.items():
        before = run.warm[name]
        print(f"{name:10} {before.megabytes:8.0f} {now.megabytes:5.0f} {before.open:12d} {now.open:5d}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--clients", type=int, default=100)
    options = parser.parse_args()
    with bench(*PROCESSES, SOCKET_FRAMES_PER_SECOND="500", REPLY_STALL_SECONDS="5") as b:
        run = asyncio.run(drive(b, clients=options.clients, seconds=options.minutes * 60, gap=(3, 12), pause=6))
        report(run)
    sys.exit(run.failed())


if __name__ == "__main__":
    main()
