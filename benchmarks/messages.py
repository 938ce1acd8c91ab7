"""`python -m benchmarks.messages`: visitors' messages stored per second through the socket and over REST, against plain INSERTs.

All write to the same server, with 10^4, 10^5 and 10^6 messages stored before; the INSERTs from one connection, and from
as many as there are sockets, one commit a row. A message through the socket is acknowledged when it is committed with its number,
its conversation's counters and the queued reply.
"""

import argparse
import asyncio
import secrets
import time
from statistics import median
from uuid import uuid4

import aiohttp
import orjson
import psycopg

from tests.client import Visitor

from .live import Bench, bench
from .turns import Tab

UNACKNOWLEDGED = 10
COLUMNS = (
    "id, conversation_id, role, type, status, content, language, seq, position, attempt, owner_epoch, sources, tokens_used, "
    "model_used, metadata, client_id, created_at, updated_at"
)
INSERT = (
    f"INSERT INTO conversations_message ({COLUMNS}) VALUES (gen_random_uuid(), %s, 'user', 'text', 'sent', %s, 'en', %s, %s, "
    "0, 0, '[]', 0, '', '{}', gen_random_uuid(), now(), now())"
)
FILL = f"""
WITH opened AS (
    INSERT INTO conversations_conversation (id, user_id, title, language, context, tags, message_count, total_tokens,
        duration_seconds, is_active, is_archived, last_seq, owner, owner_epoch, created_at, updated_at, last_message_at)
    SELECT gen_random_uuid(), %(user)s, 'Filled', 'en', '{{}}', '[]', 20, 0, 0, true, false, 20, 'agent', 0, now(), now(), now()
    FROM generate_series(1, %(conversations)s) RETURNING id
)
INSERT INTO conversations_message ({COLUMNS})
SELECT gen_random_uuid(), id, 'user', 'text', 'sent', 'A message that was stored before, number ' || n, 'en', n, n, 0, 0, '[]', 0, '',
    '{{}}', gen_random_uuid(), now(), now() FROM opened, generate_series(1, 20) n
"""
TEXT = "Where is my parcel? I ordered it last week and have heard nothing since."


async def through_sockets(b: Bench, connections: int, each: int) -> float:
    """Messages a second."""
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as http:
        tabs = [Tab(http, guest) for guest in b.guests(connections)]
        for tab in tabs:
            await tab.open()
        began = time.monotonic()
        await asyncio.gather(*(post(tab, each) for tab in tabs))
        seconds = time.monotonic() - began
        for tab in tabs:
            await tab.socket.close()
    return connections * each / seconds


async def post(tab: Tab, count: int) -> None:
    """The first opens the conversation, the others follow with a few unacknowledged at a time."""
    conversation_id: str | None = None
    sent = acknowledged = 0
    while acknowledged < count:
        while sent < count and sent - acknowledged < (UNACKNOWLEDGED if conversation_id else 1):
            frame = {"type": "message", "client_id": str(uuid4()), "content": TEXT, "conversation_id": conversation_id}
            await tab.socket.send_str(orjson.dumps(frame).decode())
            sent += 1
        got = orjson.loads((await tab.socket.receive()).data)
        if got["type"] == "ack":
            acknowledged, conversation_id = acknowledged + 1, got["conversation_id"]
        elif got["type"] == "ping":
            await tab.socket.send_str(orjson.dumps({"type": "pong", "id": got["id"]}).decode())
        assert got["type"] != "error", got


async def over_rest(b: Bench, connections: int, each: int) -> float:
    """Messages a second, each connection one request after the other."""
    token = secrets.token_hex(16)
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as http:

        async def one(guest: Visitor) -> None:
            headers = {"Cookie": f"{guest.cookie}; csrftoken={token}", "X-CSRFToken": token, "Origin": guest.url}
            conversation_id = None
            for _ in range(each):
                body = {"client_id": str(uuid4()), "content": TEXT, "conversation_id": conversation_id}
                async with http.post(f"{guest.url}/api/v1/chat/send", json=body, headers=headers) as response:
                    assert response.status == 202, await response.text()
                    conversation_id = (await response.json())["conversation_id"]

        guests = b.guests(connections)
        began = time.monotonic()
        await asyncio.gather(*map(one, guests))
        return connections * each / (time.monotonic() - began)


async def plain_inserts(b: Bench, connections: int, each: int) -> float:
    """Rows a second, one statement and one commit a row."""
    conversations = [row[0] for row in b.system.rows("SELECT id FROM conversations_conversation LIMIT %s", connections)]

    async def insert(conversation: object) -> None:
        async with await psycopg.AsyncConnection.connect(b.system.database_url, autocommit=True) as connection:
            for number in range(each):
                seq = 1_000_000 + number
                await connection.execute(INSERT, (conversation, TEXT, seq, seq))

    began = time.monotonic()
    await asyncio.gather(*(insert(conversation) for conversation in conversations))
    seconds = time.monotonic() - began
    b.system.rows("DELETE FROM conversations_message WHERE seq >= 1000000 RETURNING 1")
    return len(conversations) * each / seconds


def fill(b: Bench, wanted: int) -> None:
    stored = b.system.rows("SELECT count(*) FROM conversations_message")[0][0]
    with psycopg.connect(b.system.database_url, autocommit=True) as connection:
        user = connection.execute("SELECT id FROM accounts_user LIMIT 1").fetchone()
        assert user is not None
        connection.execute(FILL, {"user": user[0], "conversations": max(wanted - stored, 0) // 20})


def tidy(b: Bench) -> None:
    """What the server would else do while something is measured."""
    with psycopg.connect(b.system.database_url, autocommit=True) as connection:
        connection.execute("VACUUM ANALYZE conversations_message, conversations_conversation")
        connection.execute("CHECKPOINT")


async def side_by_side(b: Bench, connections: int, each: int) -> tuple[float, float, float, float, float]:
    """INSERTs a second from one connection and from many, messages a second through as many sockets, and what they are to each."""
    tidy(b)
    one = await plain_inserts(b, 1, 10 * each)
    many = await plain_inserts(b, connections, each)
    sockets = await through_sockets(b, connections, each)
    return one, many, sockets, sockets / one, sockets / many


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--stored", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--connections", type=int, default=20)
    parser.add_argument("--each", type=int, default=100, help="messages of each connection")
    parser.add_argument("--rounds", type=int, default=5, help="of which the medians are printed, but for REST")
    options = parser.parse_args()
    limits = {"SOCKET_FRAMES_PER_SECOND": "1000000", "SOCKET_FRAMES_BURST": "1000000"}
    with bench("web", **limits) as b:
        asyncio.run(through_sockets(b, options.connections, 10))
        count = options.connections
        print(f"stored at first  socket/s  REST/s  INSERT/s on 1  on {count:3d}  socket's ratio to 1  to {count:3d}")
        for stored in options.stored:
            fill(b, stored)
            rounds = [asyncio.run(side_by_side(b, options.connections, options.each)) for _ in range(options.rounds)]
            one, many, sockets, to_one, to_many = map(median, zip(*rounds, strict=True))
            rest = asyncio.run(over_rest(b, options.connections, options.each // 4))
            ratios = f"{to_one:19.2f} {to_many:7.2f}"
            print(f"{stored:15,d} {sockets:9.0f} {rest:7.0f} {one:14.0f} {many:7.0f} {ratios}", flush=True)


if __name__ == "__main__":
    main()
