"""`python -m benchmarks.bare`: the least that a first token can cost on this machine, beside Parley in the same run.

A socket server and a worker on bare asyncio do what a first token waits for: the same limits by the same script, message and queued reply
in one durable transaction, a Redis list, the claim beside embedding and search, the model, pub/sub. Nothing else: no Django, no Celery,
no SDK, no check of what comes in, nothing that survives a fault. Not a thing to use.
"""

import argparse
import asyncio
import os
import subprocess
import sys
from array import array
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import uuid4

import aiohttp
import orjson
import redis.asyncio
import uvloop
from aiohttp import web
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from deploy.tests.processes import free_port

from .live import Bench, bench
from .turns import header, measure

QUEUE, LIVE = "bare:queue", "bare:live"
TICK_SECONDS = 0.02
CONNECTIONS = 4
LIMITS = (1_000_000, 60, 1_000_000, 3600, 1_000_000, 86_400)
TABLES = """
CREATE TABLE bare_conversation (id uuid PRIMARY KEY, last_seq integer NOT NULL DEFAULT 0);
CREATE TABLE bare_message (
    id uuid PRIMARY KEY, conversation_id uuid NOT NULL, role text NOT NULL, content text NOT NULL, status text NOT NULL,
    attempt integer NOT NULL DEFAULT 0, position integer NOT NULL, client_id uuid,
    UNIQUE (conversation_id, position), UNIQUE (conversation_id, client_id)
);
"""
OPEN = "INSERT INTO bare_conversation (id) VALUES (%s) ON CONFLICT DO NOTHING"
LOCK = "SELECT last_seq FROM bare_conversation WHERE id = %s FOR NO KEY UPDATE"
ADD = """INSERT INTO bare_message (id, conversation_id, role, content, status, position, client_id)
VALUES (%s, %s, 'user', %s, 'sent', %s, %s), (%s, %s, 'assistant', '', 'queued', %s, NULL)"""
SAVE = "UPDATE bare_conversation SET last_seq = %s WHERE id = %s"
CLAIM = "UPDATE bare_message SET status = 'streaming', attempt = attempt + 1 WHERE id = %s AND status = 'queued'"
SAID = "SELECT role, content FROM bare_message WHERE conversation_id = %s AND content <> '' ORDER BY position DESC LIMIT 10"
END = "UPDATE bare_message SET status = 'sent', content = %s WHERE id = %s"

Pool = AsyncConnectionPool[AsyncConnection[Any]]


async def _pool() -> Pool:
    pool: Pool = AsyncConnectionPool(
        os.environ["DATABASE_URL"],
        kwargs={"autocommit": True, "prepare_threshold": 0},
        min_size=CONNECTIONS,
        max_size=CONNECTIONS,
        open=False,
    )
    await pool.open(wait=True)
    return pool


def _redis() -> "redis.asyncio.Redis":
    return redis.asyncio.Redis.from_url(os.environ["REDIS_URL"], socket_timeout=None)


class Server:
    """Takes messages from sockets, and hands them what the worker publishes."""

    def __init__(self) -> None:
        self.sockets: dict[str, web.WebSocketResponse] = {}

    async def run(self, port: int) -> None:
        from rest.limits import TAKE

        self.pool, self.client = await _pool(), _redis()
        self.take = self.client.register_script(TAKE)
        app = web.Application()
        app.add_routes([web.get("/api/v1/chat/ws/{user_id}", self.socket)])
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", port).start()
        pubsub = self.client.pubsub(ignore_subscribe_messages=True)
        await pubsub.subscribe(LIVE)
        print("ready", flush=True)
        async for message in pubsub.listen():
            for conversation_id, text in orjson.loads(message["data"]):
                frame = {"type": "delta", "text": text} if text else {"type": "response", "status": "sent"}
                socket = self.sockets.get(conversation_id)
                if socket is not None and not socket.closed:
                    await socket.send_str(orjson.dumps(frame).decode())

    async def socket(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse(compress=False)
        await socket.prepare(request)
        async for frame in socket:
            asked = orjson.loads(frame.data)
            conversation_id = asked["conversation_id"] or str(uuid4())
            self.sockets[conversation_id] = socket
            windows = [f"bare:limit:{who}:{number}" for who in (conversation_id, "address") for number in range(3)]
            await self.take(keys=windows, args=LIMITS * 2)
            reply_id = await self.store(conversation_id, asked["content"], asked["client_id"])
            await self.client.lpush(QUEUE, orjson.dumps([conversation_id, reply_id, asked["content"]]))  # type: ignore[misc]
            await socket.send_str(orjson.dumps({"type": "ack", "conversation_id": conversation_id}).decode())
        return socket

    async def store(self, conversation_id: str, content: str, client_id: str) -> str:
        reply_id = str(uuid4())
        async with self.pool.connection() as own, own.pipeline():
            await own.execute("BEGIN")
            await own.execute(OPEN, [conversation_id])
            row = await (await own.execute(LOCK, [conversation_id])).fetchone()
            last = row[0] if row else 0
            asked = [str(uuid4()), conversation_id, content, last + 1, client_id]
            await own.execute(ADD, [*asked, reply_id, conversation_id, last + 2])
            await own.execute(SAVE, [last + 2, conversation_id])
            await own.execute("COMMIT")
        return reply_id


class Worker:
    """Answers what is in the list, all at the same time."""

    def __init__(self) -> None:
        import django

        django.setup()
        from chatbot.providers.bge import BgeSmallEn
        from faqs import selectors

        self.encoder = BgeSmallEn()
        self.encoder.load()
        self.model = next(one for one in selectors.live_models() if one.name == self.encoder.name)
        self.searching = selectors.searching
        self.vectors: dict[str, array[float]] = {}
        self.pending: dict[str, list[str]] = defaultdict(list)
        self.answering: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        self.pool, self.client = await _pool(), _redis()
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as self.http:
            ticker = asyncio.create_task(self.tick())
            print("ready", flush=True)
            while not ticker.done():
                _name, order = await self.client.brpop([QUEUE])  # type: ignore[misc]
                task = asyncio.create_task(self.answer(*orjson.loads(order)))
                self.answering.add(task)
                task.add_done_callback(self.answering.discard)

    async def tick(self) -> None:
        while True:
            await asyncio.sleep(TICK_SECONDS)
            if self.pending:
                rows = [[conversation_id, "".join(texts)] for conversation_id, texts in self.pending.items()]
                self.pending.clear()
                await self.client.publish(LIVE, orjson.dumps(rows))

    async def answer(self, conversation_id: str, reply_id: str, asked: str) -> None:
        found, said = await asyncio.gather(self.search(asked), self.claim(conversation_id, reply_id))
        sources = "\n\n".join(f"[{number}] {row[1]}" for number, row in enumerate(found[:5], 1))
        history = [{"role": role, "content": content} for role, content in reversed(said)]
        body = {
            "model": "fake",
            "stream": True,
            "messages": [{"role": "system", "content": f"Answer from these:\n\n{sources}"}, *history],
        }
        written: list[str] = []
        async with self.http.post(f"{os.environ['OPENAI_BASE_URL']}/chat/completions", json=body) as response:
            async for line in response.content:
                if not line.startswith(b"data: {"):
                    continue
                text = orjson.loads(line[6:])["choices"][0]["delta"].get("content")
                if not text:
                    continue
                if written:
                    self.pending[conversation_id].append(text)
                else:
                    await self.client.publish(LIVE, orjson.dumps([[conversation_id, text]]))
                written.append(text)
        async with self.pool.connection() as own:
            await own.execute(END, ["".join(written), reply_id])
        rest = "".join(self.pending.pop(conversation_id, []))
        rows = [[conversation_id, text] for text in (rest, None) if text != ""]
        await self.client.publish(LIVE, orjson.dumps(rows))

    async def search(self, question: str) -> list[tuple[Any, ...]]:
        if question not in self.vectors:
            self.vectors[question] = array("f", await asyncio.to_thread(self.encoder.embed, question))
        query = self.searching(
            model=self.model, vector=self.vectors[question], query_text=question, language="en", limit=20
        )
        async with self.pool.connection() as own:
            return await (await own.execute(*query.statements[0])).fetchall()

    async def claim(self, conversation_id: str, reply_id: str) -> list[tuple[Any, ...]]:
        async with self.pool.connection() as own:
            await own.execute(CLAIM, [reply_id])
            return await (await own.execute(SAID, [conversation_id])).fetchall()


@contextmanager
def running(b: Bench) -> Iterator[str]:
    """The two processes on the servers of a Parley; gives their address."""
    port = free_port()
    roles = {"bare-server": ["server", str(port)], "bare-worker": ["worker"]}
    processes = [
        subprocess.Popen(
            [sys.executable, "-m", "benchmarks.bare", *role], env=b.system.env, stdout=subprocess.PIPE, text=True
        )
        for role in roles.values()
    ]
    try:
        for name, process in zip(roles, processes, strict=True):
            assert process.stdout is not None
            if process.stdout.readline() != "ready\n":
                raise SystemExit(f"{name} did not start.")
            b.pids[name] = process.pid
        yield f"http://127.0.0.1:{port}"
    finally:
        for process in processes:
            process.terminate()
            process.wait()


async def _make_tables(url: str) -> None:
    async with await AsyncConnection.connect(url, autocommit=True) as own:
        await own.execute(TABLES)


def compare(streams: list[int], rounds: int, times: int) -> None:
    with bench() as b:
        asyncio.run(_make_tables(b.system.database_url))
        with running(b) as url:
            print("Warming up:")
            asyncio.run(measure(b, streams[0], 0, 1, 300))
            header()
            for count in streams:
                for _ in range(times):
                    asyncio.run(measure(b, count, 0, rounds, 300))
                    print("bare:")
                    asyncio.run(measure(b, count, 0, rounds, 300, url=url))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("role", nargs="?", choices=["compare", "server", "worker"], default="compare")
    parser.add_argument("port", nargs="?", type=int, default=0, help="of the server")
    parser.add_argument("--streams", type=int, nargs="+", default=[50])
    parser.add_argument("--rounds", type=int, default=3, help="questions of each visitor")
    parser.add_argument("--times", type=int, default=2, help="how often the two are measured, in turn")
    options = parser.parse_args()
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "chatbot.settings")
    if options.role == "server":
        uvloop.run(Server().run(options.port))
    elif options.role == "worker":
        uvloop.run(Worker().run())
    else:
        compare(options.streams, options.rounds, options.times)


if __name__ == "__main__":
    main()
