"""`python -m benchmarks.turns`: what a turn costs between the language model and the visitor.

Sockets ask at evenly spread moments; the model streams stamped tokens at 30 a second. Printed per number of streams: the time to
the first token added to a direct call in the same run, the lateness of tokens, and CPU-ms per 1,000 tokens by process: of whole
turns with everything that is done about their messages, and last what the tokens alone cost (the relay), while all answers run, none
begins and none ends. No question is asked twice, and the first line, right after the start, warms up.
"""

import argparse
import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain, cycle
from uuid import uuid4

import aiohttp
import orjson
import psycopg
from redis import Redis

from chatbot.demo import GOLDEN_FILE
from deploy.tests.processes import until
from tests.client import Visitor

from .live import Bench, bench

RATE = 30.0
RELAY_TIMES = 2
RELAY_SECONDS = 15.0
# Long enough for all to begin one after the other, to be examined, and to be measured.
RELAY_TOKENS = int(RATE * 3 * RELAY_SECONDS)
FIRST_SECONDS = 0.3
LATE_MS = 250
LEFT = "SELECT count(*) FROM conversations_message WHERE role = 'user' AND (moderation IS NULL OR analysis IS NULL)"


def questions() -> Iterator[str]:
    """What visitors of the demo shop may ask, without end and no two alike: what was asked before is not embedded again."""
    golden = [row["question"] for row in json.loads(GOLDEN_FILE.read_text()) if row["expected"]]
    return (f"{question} (order {number})" for number, question in enumerate(cycle(golden), 1000))


_questions = questions()


async def set_pace(http: aiohttp.ClientSession, model_url: str, tokens: int) -> None:
    """Let the model answer everything with tokens that carry the time they were sent."""
    pace = {"stamp": True, "tokens": tokens, "interval": 1 / RATE, "first": FIRST_SECONDS}
    async with http.post(model_url.removesuffix("/v1") + "/_control", json=pace) as response:
        response.raise_for_status()


@dataclass
class Measured:
    """Of one run: ms to the first token by stream, ms of lateness by token, streams that did not end well."""

    first_ms: list[float] = field(default_factory=list)
    late_ms: list[float] = field(default_factory=list)
    broken: int = 0

    def read(self, text: str, *, after: int = 0) -> int:
        """Take the stamps in a text, but for so many at its beginning; tells how many those were."""
        now = time.monotonic_ns()
        stamps = [stamp for stamp in text.split() if stamp.isdigit()][after:]
        self.late_ms.extend((now - int(stamp)) / 1e6 for stamp in stamps)
        return len(stamps)


def percentile(values: Sequence[float], share: float) -> float:
    return sorted(values)[min(int(len(values) * share), len(values) - 1)] if values else float("nan")


async def direct(http: aiohttp.ClientSession, url: str, content: str, measured: Measured) -> None:
    """One stream straight from the model, read the cheapest way."""
    body = {"model": "fake", "stream": True, "messages": [{"role": "user", "content": content}]}
    asked: float | None = time.monotonic()
    async with http.post(f"{url}/chat/completions", json=body) as response:
        async for line in response.content:
            text = orjson.loads(line[6:])["choices"][0]["delta"].get("content") if line.startswith(b"data: {") else ""
            if text and asked is not None:
                measured.first_ms.append((time.monotonic() - asked) * 1000)
                asked = None
            measured.read(text or "")


class Tab:
    """A socket of a visitor; the one that asks, or one that only watches."""

    def __init__(self, http: aiohttp.ClientSession, visitor: Visitor) -> None:
        self.http, self.visitor = http, visitor
        self.conversation_id: str | None = None
        self.answer_id = ""

    async def open(self) -> None:
        address = f"{self.visitor.url}/api/v1/chat/ws/{self.visitor.user_id}"
        headers = {"Cookie": self.visitor.cookie, "Origin": self.visitor.url}
        self.socket = await self.http.ws_connect(address, headers=headers, max_msg_size=0)

    async def ask(self, content: str, measured: Measured) -> None:
        """Ask, in one conversation, and read the answer."""
        frame = {
            "type": "message",
            "client_id": str(uuid4()),
            "content": content,
            "conversation_id": self.conversation_id,
        }
        asked = time.monotonic()
        await self.socket.send_str(orjson.dumps(frame).decode())
        await self.watch(measured, asked)

    async def watch(self, measured: Measured, asked: float | None = None) -> None:
        """Read until an answer has ended. What its end brings that was not streamed came with it, as late as that."""
        read = 0
        async for message in self.socket:
            got = orjson.loads(message.data)
            if got["type"] in {"delta", "response"} and asked is not None and got.get("message_id") != self.answer_id:
                measured.first_ms.append((time.monotonic() - asked) * 1000)
                asked = None
            if got["type"] == "delta" and got.get("message_id") != self.answer_id:
                read += measured.read(got["text"])
            elif got["type"] == "ack":
                self.conversation_id = got["conversation_id"]
            elif got["type"] == "response" and got.get("message_id") != self.answer_id:
                measured.read(got.get("content", ""), after=read)
                measured.broken += got["status"] != "sent"
                self.answer_id = got.get("message_id", "")
                return
        measured.broken += 1


def examined(b: Bench) -> None:
    """Wait until nothing is left to do about what was asked."""
    with (
        psycopg.connect(b.system.database_url, autocommit=True) as connection,
        Redis.from_url(b.system.redis_url) as valkey,
    ):
        until(
            lambda: not valkey.llen("default") and connection.execute(LEFT).fetchone() == (0,),
            "an end of the work",
            300,
        )


async def spread(count: int, seconds: float, one: Callable[[int], Awaitable[None]]) -> None:
    """Start `count` at even distances over the length of a stream, so that they run side by side and not in step."""

    async def start(number: int) -> None:
        await asyncio.sleep(number * seconds / count)
        await one(number)

    await asyncio.gather(*(start(number) for number in range(count)))


async def open_tabs(b: Bench, http: aiohttp.ClientSession, count: int, watchers: int, url: str = "") -> list[list[Tab]]:
    """The tabs of each of so many new visitors, the first of which asks."""
    guests = [replace(guest, url=url or guest.url) for guest in b.guests(count)]
    tabs = [[Tab(http, guest) for _ in range(1 + watchers)] for guest in guests]
    for tab in chain.from_iterable(tabs):
        await tab.open()
    return tabs


async def close_tabs(tabs: list[list[Tab]]) -> None:
    for tab in chain.from_iterable(tabs):
        await tab.socket.close()


async def turn(tabs: list[Tab], through: Measured, watched: Measured) -> None:
    """One visitor's question and answer, watched in the other tabs."""
    asking, *others = tabs
    looking = [asyncio.create_task(tab.watch(watched)) for tab in others]
    await asking.ask(next(_questions), through)
    await asyncio.gather(*looking)


async def measure(b: Bench, streams: int, watchers: int, rounds: int, tokens: int, *, url: str = "") -> bool:
    """Print one line; of another server at `url` that takes the same frames.

    Tells whether 99% of the tokens were less than `LATE_MS` late and every answer ended well.
    """
    length = FIRST_SECONDS + tokens / RATE
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as http:
        await set_pace(http, b.model_url, tokens)
        plain = Measured()
        await spread(streams, length, lambda _number: direct(http, b.model_url, next(_questions), plain))
        tabs = await open_tabs(b, http, streams, watchers, url)
        through, watched = Measured(), Measured()

        async def turns(number: int) -> None:
            for _ in range(rounds):
                await turn(tabs[number], through, watched)

        before = b.cpu_ms()
        began = time.monotonic()
        await spread(streams, length, turns)
        load = {name: b.cpu_ms()[name] - before[name] for name in ("load", "model")}
        seconds = time.monotonic() - began
        await asyncio.to_thread(examined, b)
        spent = {name: after - before[name] for name, after in b.cpu_ms().items()} | load
        await close_tabs(tabs)
    report(streams, watchers, rounds * tokens, plain, through, watched, spent, seconds)
    late = percentile(through.late_ms + watched.late_ms, 0.99)
    return late < LATE_MS and not through.broken + watched.broken


async def relay(b: Bench, streams: int, watchers: int) -> None:
    """Print CPU-ms per 1,000 tokens of our processes while all answers run, none begins, none ends and no message is left to examine."""
    through, watched = Measured(), Measured()
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as http:
        await set_pace(http, b.model_url, RELAY_TOKENS)
        tabs = await open_tabs(b, http, streams, watchers)
        asking = asyncio.create_task(
            spread(streams, RELAY_SECONDS, lambda number: turn(tabs[number], through, watched))
        )
        await asyncio.to_thread(until, lambda: len(through.first_ms) == streams, "all answers to begin")
        await asyncio.to_thread(examined, b)
        before, read = b.cpu_ms(), len(through.late_ms)
        await asyncio.sleep(RELAY_SECONDS)
        late = through.late_ms[read:]
        per_token = {name: (after - before[name]) / len(late) for name, after in b.cpu_ms().items()}
        all_ran = not any(row[0].answer_id for row in tabs)
        await asking
        await close_tabs(tabs)
    name = f"relay at {streams} streams, {1 + watchers} tabs each:"
    if through.broken + watched.broken or not all_ran:
        print(name, "not measured, an answer broke or ended too early")
        return
    spent = {process: value * 1000 for process, value in ours(per_token).items()}
    by_process = " ".join(f"{process} {value:.0f}" for process, value in spent.items())
    print(
        f"{name} {sum(spent.values()):.0f} CPU-ms per 1,000 tokens, 99% less than {percentile(late, 0.99):.0f} ms late  {by_process}",
        flush=True,
    )


def ours(spent: dict[str, float]) -> dict[str, float]:
    """The CPU-ms of Parley's processes and servers."""
    return {name: value for name, value in spent.items() if name not in {"model", "load"}}


def header() -> None:
    print("streams tabs  added first token  lateness of tokens  CPU-ms per")
    print("              p50 ms   p95 ms   p50 ms   p99 ms  1k tokens  by process")


def report(
    streams: int,
    watchers: int,
    tokens: int,
    plain: Measured,
    through: Measured,
    watched: Measured,
    spent: dict[str, float],
    seconds: float,
) -> None:
    thousands = streams * tokens / 1000
    per_process = {name: value / thousands for name, value in ours(spent).items()}
    added = [percentile(through.first_ms, share) - percentile(plain.first_ms, share) for share in (0.5, 0.95)]
    late = through.late_ms + watched.late_ms
    cells = [
        f"{streams:5d}",
        f"{1 + watchers:4d}",
        f"{added[0]:8.1f}",
        f"{added[1]:8.1f}",
        f"{percentile(late, 0.5):8.1f}",
        f"{percentile(late, 0.99):8.1f}",
        f"{sum(per_process.values()):8.0f}",
        "  " + " ".join(f"{name} {value:.0f}" for name, value in per_process.items()),
        f" load {spent['load'] / seconds / 10:.0f}% model {spent['model'] / seconds / 10:.0f}%",
        f" broken {through.broken + watched.broken}" if through.broken + watched.broken else "",
    ]
    print(" ".join(cells), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--streams", type=int, nargs="+", default=[50, 100, 200, 250, 300, 350, 400])
    parser.add_argument("--tabs", type=int, nargs="+", default=[1, 3], help="of each visitor; one asks, all watch")
    parser.add_argument("--rounds", type=int, default=2, help="questions of each visitor")
    parser.add_argument("--tokens", type=int, default=300, help="of each answer")
    options = parser.parse_args()
    with bench() as b:
        print("Warming up:")
        asyncio.run(measure(b, options.streams[0], 0, 1, options.tokens))
        for tabs in options.tabs:
            header()
            in_time = 0
            for streams in options.streams:
                if not asyncio.run(measure(b, streams, tabs - 1, options.rounds, options.tokens)):
                    break
                in_time = streams
            print(f"99% of tokens under {LATE_MS} ms late with up to {in_time} streams, {tabs} tabs each")
            for _ in range(RELAY_TIMES):
                asyncio.run(relay(b, options.streams[0], tabs - 1))


if __name__ == "__main__":
    main()
