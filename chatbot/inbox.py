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
from rest import limits
from rest.limits import Allowance, Verdict

from .runtime import db

BATCH = 100
# A row that something else holds locked delays its batch; whoever waited this long behind it gets another writer.
PATIENCE_SECONDS = 0.2
WRITERS = 4
_UNCOUNTED = Verdict(allowed=False)


class Limited(Exception):
    """The visitor sent more than is allowed; nothing was stored."""

    def __init__(self, verdict: Verdict) -> None:
        super().__init__(verdict)
        self.verdict = verdict


@dataclass
class _Waiting:
    """A message on its way in, with what it counts against; the verdict comes with the first attempt to store it."""

    post: Post
    allowances: Sequence[Allowance]
    stored: "asyncio.Future[Posted | None]"
    since: float
    verdict: Verdict = _UNCOUNTED

    def end(self, outcome: Posted | Exception | None) -> None:
        if self.stored.done():
            return
        if isinstance(outcome, Exception):
            self.stored.set_exception(outcome)
        else:
            self.stored.set_result(outcome)


def _store_allowed(batch: Sequence[_Waiting]) -> list[Posted | Exception | None]:
    """Count what was not counted yet, and store what is allowed."""
    new = [waiting for waiting in batch if waiting.verdict is _UNCOUNTED]
    for waiting, verdict in zip(new, limits.take_each("person", [one.allowances for one in new]), strict=True):
        waiting.verdict = verdict
    allowed = [waiting.post for waiting in batch if waiting.verdict.allowed]
    posted = iter(services.post_messages(allowed) if allowed else ())
    return [next(posted) if waiting.verdict.allowed else Limited(waiting.verdict) for waiting in batch]


class Inbox:
    """One per event loop."""

    def __init__(self) -> None:
        self._waiting: deque[_Waiting] = deque()
        self._writers: set[asyncio.Task[None]] = set()

    async def post(self, post: Post, allowances: Sequence[Allowance]) -> Posted:
        """Store a message, perhaps together with others, if what it counts against allows it.

        Raises Limited, Conversation.DoesNotExist, django.db.Error.
        """
        loop = asyncio.get_running_loop()
        stored: asyncio.Future[Posted | None] = loop.create_future()
        self._waiting.append(_Waiting(post, allowances, stored, time.monotonic()))
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
            outcomes = await db(_store_allowed, batch)
        except Exception as error:
            if len(batch) > 1 and isinstance(error, DataError | IntegrityError):
                for waiting in batch:
                    await self._store([waiting])
                return
            outcomes = [error] * len(batch)
        for waiting, outcome in zip(batch, outcomes, strict=True):
            waiting.end(outcome)
