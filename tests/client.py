"""A chat client that follows the four rules of docs/protocol.md and nothing else; it knows only the network."""

import asyncio
import contextlib
import time
from collections.abc import MutableSequence
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import aiohttp
import orjson
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake
from websockets.typing import Origin

Frame = dict[str, Any]
RESEND_SECONDS = 5.0
ENDED = {"sent", "stopped", "failed", "discarded"}


@dataclass
class Visitor:
    """A guest with a session of their own."""

    url: str
    user_id: str
    cookie: str


async def new_guest(url: str) -> Visitor:
    """Do what a browser does before its first message: open the page, then ask for a guest."""
    async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as session:
        async with session.get(f"{url}/") as page:
            page.raise_for_status()
        token = next(cookie.value for cookie in session.cookie_jar if cookie.key == "csrftoken")
        async with session.post(f"{url}/chat/guest", headers={"X-CSRFToken": token, "Referer": url}) as response:
            response.raise_for_status()
            user_id = (await response.json())["user_id"]
        cookie = "; ".join(f"{cookie.key}={cookie.value}" for cookie in session.cookie_jar)
        return Visitor(url, user_id, cookie)


@dataclass
class ChatClient:
    """One tab, which shows one conversation. `messages` holds its log by id, `running` (attempt, text) of each running reply.

    `cursor` is the number up to which nothing is missing.
    """

    visitor: Visitor
    conversation_id: str | None = None
    messages: dict[str, Frame] = field(default_factory=dict)
    running: dict[str, tuple[int, str]] = field(default_factory=dict)
    cursor: int = 0
    syncing: bool = False
    frames: MutableSequence[Frame] = field(default_factory=list)
    unacknowledged: dict[str, Frame] = field(default_factory=dict)
    sent_at: dict[str, float] = field(default_factory=dict)
    duplicates: int = 0
    connections: int = 0
    changed: asyncio.Condition = field(default_factory=asyncio.Condition)
    _socket: ClientConnection | None = None
    _loop_task: "asyncio.Task[None] | None" = None

    async def __aenter__(self) -> "ChatClient":
        self._loop_task = asyncio.create_task(self._stay_connected())
        # A killed server takes its time to come back on a busy machine.
        await self.until(lambda: self._socket is not None, seconds=90)
        return self

    async def __aexit__(self, *error: object) -> None:
        assert self._loop_task is not None
        self._loop_task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._loop_task

    async def until(self, condition: Any, seconds: float = 30) -> None:
        """Wait until a condition on this client holds. Raises TimeoutError."""
        async with asyncio.timeout(seconds), self.changed:
            await self.changed.wait_for(condition)

    async def ask(self, content: str) -> str:
        client_id = str(uuid4())
        frame = {
            "type": "message",
            "client_id": client_id,
            "content": content,
            "conversation_id": self.conversation_id,
        }
        self.unacknowledged[client_id] = frame
        await self._send_message(frame)
        return client_id

    async def _send_message(self, frame: Frame) -> None:
        self.sent_at[frame["client_id"]] = time.monotonic()
        await self.send(frame)

    async def _resend(self, after: float) -> None:
        """Rule 1: what has waited this long for its `ack` is sent again."""
        due = time.monotonic() - after
        for frame in [one for key, one in self.unacknowledged.items() if self.sent_at[key] <= due]:
            await self._send_message(frame)

    async def send(self, frame: Frame) -> None:
        """Send if connected."""
        if self._socket is not None:
            with contextlib.suppress(ConnectionClosed):
                await self._socket.send(orjson.dumps(frame).decode())

    async def cut(self) -> None:
        """Lose the network: the connection goes without a closing handshake, and comes back."""
        before = self.connections
        if self._socket is not None:
            self._socket.transport.abort()
        await self.until(lambda: self.connections > before)

    def replies(self) -> list[Frame]:
        shown = [m for m in self.messages.values() if m["role"] == "assistant" and m["status"] != "discarded"]
        return sorted(shown, key=lambda m: int(m["position"]))

    def answered(self, count: int = 1) -> bool:
        replies = self.replies()
        return len(replies) >= count and all(reply["status"] in ENDED for reply in replies)

    async def _stay_connected(self) -> None:
        address = self.visitor.url.replace("http", "ws", 1) + f"/api/v1/chat/ws/{self.visitor.user_id}"
        headers = {"Cookie": self.visitor.cookie}
        while True:
            # The network or the server is away: coming back is what this client is for.
            with contextlib.suppress(OSError, ConnectionClosed, InvalidHandshake, asyncio.IncompleteReadError):
                async with connect(
                    address, additional_headers=headers, origin=Origin(self.visitor.url), open_timeout=5
                ) as socket:  # type: ignore[arg-type]
                    await self._session(socket)
            self._socket = None
            await asyncio.sleep(0.05)

    async def _session(self, socket: ClientConnection) -> None:
        self._socket = socket
        async with self.changed:
            self.connections += 1
            self.changed.notify_all()
        await self._resend(after=0)
        await self._sync()
        while True:
            await self._resend(after=RESEND_SECONDS)
            try:
                async with asyncio.timeout(4):
                    frame = orjson.loads(await socket.recv())
            except TimeoutError:
                await self._sync()
                continue
            await self._receive(frame)

    async def _sync(self) -> None:
        if self.conversation_id is not None:
            self.syncing = True
            await self.send({"type": "sync", "conversation_id": self.conversation_id, "after": self.cursor})

    async def _receive(self, frame: Frame) -> None:
        self.frames.append(frame)
        if frame["type"] == "ack":
            await self._acknowledge(frame)
        elif frame.get("conversation_id") in (None, self.conversation_id):
            await self._take(frame)
        async with self.changed:
            self.changed.notify_all()

    async def _acknowledge(self, frame: Frame) -> None:
        self.duplicates += frame["duplicate"]
        self.unacknowledged.pop(frame["client_id"], None)
        if self.conversation_id is None:
            self.conversation_id = frame["conversation_id"]
            # What came of it before this was passed over.
            await self._sync()

    async def _take(self, frame: Frame) -> None:
        """A frame of this conversation, or of none."""
        match frame["type"]:
            case "message" | "response":
                await self._store(frame)
            case "delta":
                await self._append(frame)
            case "snapshot":
                self.running[frame["message_id"]] = (frame["attempt"], frame["content"])
            case "resync":
                await self._sync()
            case "synced" if frame["conversation_id"] is not None:
                self.cursor, self.syncing = max(self.cursor, frame["last_seq"]), False
                if frame["more"]:
                    await self._sync()
            case "error" if frame["code"] == "rate_limited" and frame.get("client_id") in self.unacknowledged:
                await asyncio.sleep(frame["retry_after"])
                await self._send_message(self.unacknowledged[frame["client_id"]])
            case "ping":
                await self.send({"type": "pong", "id": frame["id"]})

    async def _store(self, frame: Frame) -> None:
        held = self.messages.get(frame["message_id"])
        if held is None or frame["seq"] >= held["seq"]:
            self.messages[frame["message_id"]] = frame
        if frame["seq"] == self.cursor + 1:
            self.cursor += 1
        elif frame["seq"] > self.cursor and not self.syncing:
            await self._sync()

    async def _append(self, frame: Frame) -> None:
        attempt, text = self.running.get(frame["message_id"], (0, ""))
        length = len(text.encode("utf-16-le")) // 2
        if frame["attempt"] == attempt and frame["offset"] == length:
            self.running[frame["message_id"]] = (attempt, text + frame["text"])
        elif frame["attempt"] > attempt and frame["offset"] == 0:
            self.running[frame["message_id"]] = (frame["attempt"], frame["text"])
        elif frame["attempt"] >= attempt and not (frame["attempt"] == attempt and frame["offset"] < length):
            await self._sync()
