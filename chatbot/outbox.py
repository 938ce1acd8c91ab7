"""What waits to be sent on one socket, bounded in bytes whatever the server or the reader does."""

import asyncio
import contextlib
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine

from .protocol import Frame, encode

PING_EVERY_BYTES = 256 * 1024
UNANSWERED_BYTES = 1024 * 1024


class Outbox:
    """Sends frames in order from a task that exists only while something waits.

    A server may buffer without telling, so what was sent counts as outstanding until the reader answers the `ping` that
    follows it. Over `UNANSWERED_BYTES` outstanding, everything is dropped and `on_overflow` is called once.
    """

    def __init__(
        self, send: Callable[[str], Awaitable[None]], on_overflow: Callable[[], Coroutine[None, None, None]]
    ) -> None:
        self._send, self._on_overflow = send, on_overflow
        self._waiting: deque[str] = deque()
        self._writer: asyncio.Task[None] | None = None
        self._put_bytes = self._answered_bytes = self._pinged_bytes = 0
        self._pings: dict[int, int] = {}
        self._closed = False

    def put(self, frame: Frame) -> None:
        if self._closed:
            return
        self._enqueue(encode(frame))
        if self._put_bytes - self._pinged_bytes >= PING_EVERY_BYTES:
            self._ping()
        if self._put_bytes - self._answered_bytes > UNANSWERED_BYTES:
            self.close()
            self._writer = asyncio.create_task(self._on_overflow())

    def answered(self, number: int) -> None:
        """The reader has read everything up to this ping; unknown numbers mean nothing."""
        self._answered_bytes = max(self._answered_bytes, self._pings.pop(number, 0))

    def close(self) -> None:
        self._closed = True
        self._waiting.clear()
        if self._writer is not None:
            self._writer.cancel()

    def _ping(self) -> None:
        number = self._put_bytes
        self._pings[number] = self._pinged_bytes = self._put_bytes
        self._enqueue(encode({"type": "ping", "id": number}))

    def _enqueue(self, text: str) -> None:
        self._put_bytes += len(text)
        self._waiting.append(text)
        if self._writer is None or self._writer.done():
            self._writer = asyncio.create_task(self._write())

    async def _write(self) -> None:
        # The socket may go away while frames wait; its consumer is told by `disconnect`.
        with contextlib.suppress(ConnectionError):
            while self._waiting:
                await self._send(self._waiting.popleft())
