"""Asking over HTTP on a live system: the stream ends with the stored text however often it is cut."""

import asyncio
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import aiohttp
import orjson
import pytest

from .system import LiveSystem

QUESTION = "How long does delivery take?"
PASSWORD = "correct horse battery"
CUTS = 20


@dataclass
class Stream:
    """What a client of docs/api.md keeps: the text it holds, and the id of the last event."""

    text: str = ""
    last_id: str = ""
    ended: dict[str, Any] = field(default_factory=dict)
    ids: dict[str, Any] = field(default_factory=dict)

    def take(self, block: str) -> None:
        lines = dict(line.split(": ", 1) for line in block.splitlines() if line[:1] not in {"", ":"})
        self.last_id = lines.get("id", self.last_id)
        if not lines:
            return
        data = orjson.loads(lines["data"])
        match lines["event"]:
            case "ack":
                self.ids = data
            case "delta":
                assert data["offset"] == len(self.text.encode("utf-16-le")) // 2
                self.text += data["text"]
            case "snapshot":
                self.text = data["content"]
            case "response":
                self.ended = data


async def token_of(session: aiohttp.ClientSession, system: LiveSystem) -> str:
    account = {"email": f"{uuid4()}@example.com", "password": PASSWORD}
    async with session.post(f"{system.url}/api/v1/auth/register", json=account) as registered:
        assert registered.status == 202
    async with session.post(f"{system.url}/api/v1/auth/login", json=account) as signed_in:
        return str((await signed_in.json())["access"])


async def listen(session: aiohttp.ClientSession, system: LiveSystem, stream: Stream, body: Any, events: int) -> None:
    """Read this many events (all of them: a large number), then cut the connection."""
    headers = {"Accept": "text/event-stream"} | ({"Last-Event-ID": stream.last_id} if stream.last_id else {})
    async with session.post(f"{system.url}/api/v1/chat/send", json=body, headers=headers) as response:
        assert (response.status, response.content_type) == (200, "text/event-stream")
        for _ in range(events):
            block = await response.content.readuntil(b"\n\n")
            if block:
                stream.take(block.decode())
            if not block or stream.ended:
                break
        response.close()


@pytest.fixture
async def session(live_system: LiveSystem) -> Any:
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=60)) as session:
        session.headers["Authorization"] = f"Bearer {await token_of(session, live_system)}"
        yield session


async def test_a_client_that_is_cut_20_times_ends_with_the_stored_text(
    live_system: LiveSystem, session: aiohttp.ClientSession
) -> None:
    stream, body = Stream(), {"content": QUESTION, "client_id": str(uuid4())}
    for cut in range(CUTS):
        await listen(session, live_system, stream, body, events=1 + cut % 3)
    assert stream.text or not stream.ended
    await listen(session, live_system, stream, body, events=10_000)
    (stored,) = live_system.rows(
        "SELECT content, status FROM conversations_message WHERE conversation_id = %s AND role = 'assistant'",
        stream.ids["conversation_id"],
    )
    assert stored == (stream.text, "sent")
    assert stream.ended["content"] == stream.text
    assert stream.ended["sources"]


async def test_without_a_stream_the_ids_come_at_once_and_the_answer_is_in_the_log(
    live_system: LiveSystem, session: aiohttp.ClientSession
) -> None:
    body = {"content": QUESTION, "client_id": str(uuid4())}
    async with session.post(f"{live_system.url}/api/v1/chat/send", json=body) as sent:
        assert sent.status == 202
        ids = await sent.json()
    address = f"{live_system.url}/api/v1/conversations/{ids['conversation_id']}/messages?after={ids['seq']}"
    async with asyncio.timeout(30):
        while True:
            async with session.get(address) as page:
                rows = (await page.json())["results"]
            if rows and rows[0]["status"] == "sent":
                break
            await asyncio.sleep(0.05)
    assert rows[0]["id"] == ids["reply_id"]


async def test_errors_of_a_stream_are_json(live_system: LiveSystem, session: aiohttp.ClientSession) -> None:
    headers = {"Accept": "text/event-stream"}
    body = {"content": "", "client_id": "x", "conversation_id": str(uuid4())}
    async with session.post(f"{live_system.url}/api/v1/chat/send", json=body, headers=headers) as response:
        assert (response.status, response.content_type) == (400, "application/json")
        assert set((await response.json())["fields"]) == {"content", "client_id"}
    body = {"content": "Hi", "client_id": str(uuid4()), "conversation_id": str(uuid4())}
    async with session.post(f"{live_system.url}/api/v1/chat/send", json=body, headers=headers) as response:
        assert response.status == 404
