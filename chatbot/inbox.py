"""What the sockets of a web process post: stored together, so that one commit serves everybody who waited for the last one."""

import asyncio
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from django.db import DataError, IntegrityError

from conversations import services
from conversations.models import Conversation
from conversations.services import Post, Posted

from .runtime import db

BATCH = 100
# A row that something else holds locked delays its batch; whoever waited this long behind it gets another writer.
PATIENCE_SECONDS = 0.2
WRITERS = 4


@dataclass(frozen=True)
class _Waiting:
    post: Post
    stored: "asyncio.Future[Posted | None]"
    since: float


class Inbox:
    """One per event loop."""

    def __init__(self) -> None:
        self._waiting: deque[_Waiting] = deque()
        self._writers: set[asyncio.Task[None]] = set()

    async def post(self, post: Post) -> Posted:
        """Store a message, perhaps together with others. Raises Conversation.DoesNotExist, django.db.Error."""
        loop = asyncio.get_running_loop()
        stored: asyncio.Future[Posted | None] = loop.create_future()
        self._waiting.append(_Waiting(post, stored, time.monotonic()))
        if not self._writers:
            self._start_writer()
        else:
            loop.call_later(PATIENCE_SECONDS, self._help)
        posted = await stored
        if posted is None:
            raise Conversation.DoesNotExist
        return posted

    def _start_writer(self) -> None:
        writer = asyncio.create_task(self._write())
        self._writers.add(writer)
        writer.add_done_callback(self._writers.discard)

    def _help(self) -> None:
        overdue = self._waiting and time.monotonic() - self._waiting[0].since >= PATIENCE_SECONDS
        if overdue and len(self._writers) < WRITERS:
            self._start_writer()

    async def _write(self) -> None:
        while self._waiting:
            await self._store([self._waiting.popleft() for _ in range(min(BATCH, len(self._waiting)))])

    async def _store(self, batch: Sequence[_Waiting]) -> None:
        """Everybody gets an answer. What the database refuses is tried one by one, so that each fails only for itself."""
        try:
            posted = await db(services.post_messages, [waiting.post for waiting in batch])
        except Exception as error:
            if len(batch) > 1 and isinstance(error, DataError | IntegrityError):
                for waiting in batch:
                    await self._store([waiting])
                return
            for waiting in batch:
                if not waiting.stored.done():
                    waiting.stored.set_exception(error)
            return
        for waiting, one in zip(batch, posted, strict=True):
            if not waiting.stored.done():
                waiting.stored.set_result(one)
