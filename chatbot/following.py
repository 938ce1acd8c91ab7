"""One reply from where a client stopped until it has ended, as frames of docs/protocol.md; for those who do not hold a socket.

What comes live is only a hint: the log is read first, again when something does not fit, and every few seconds.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from uuid import UUID

import structlog
from channels.layers import get_channel_layer
from redis.exceptions import RedisError

from conversations import selectors
from conversations.models import Message

from . import live, protocol
from .ends import hub
from .events import group_of, leave
from .protocol import Frame, utf16_length
from .runtime import db

log = structlog.get_logger(__name__)

# How long nothing may come before the log is read again.
SILENCE_SECONDS = 3.0
# A sign-in of the user ended, whichever it was.
SIGN_IN_ENDED: Frame = {"type": "sign_in_ended"}


@dataclass
class Held:
    """What the client holds of a reply: `units` (UTF-16) of an attempt's text. `text` is None when we do not know its words."""

    message_id: str = ""
    attempt: int = 0
    units: int = 0
    text: str | None = ""

    def goes_on_with(self, frame: Frame) -> bool:
        """Whether a delta continues our text, or begins one that replaces it."""
        if frame["message_id"] == self.message_id and frame["attempt"] == self.attempt:
            return bool(frame["offset"] == self.units and self.text is not None)
        return bool(frame["offset"] == 0 and self.lacks(frame))

    def lacks(self, frame: Frame) -> bool:
        """Whether a delta says something new; the others are echoes of what a snapshot brought."""
        if frame["message_id"] != self.message_id or frame["attempt"] > self.attempt:
            return True
        end = frame["offset"] + utf16_length(frame["text"])
        return bool(frame["attempt"] == self.attempt and end > self.units)

    def begins(self, message_id: str, attempt: int, text: str, *, stored: bool) -> bool:
        """Whether what we hold is the beginning of a text. That of a stored one may have other words than were streamed."""
        if not self.message_id:
            self.take(message_id, attempt, "")
        if (message_id, attempt) != (self.message_id, self.attempt):
            return False
        if self.text is None:
            if stored:
                return False
            self.text = text.encode("utf-16-le")[: self.units * 2].decode("utf-16-le", "ignore")
            return utf16_length(self.text) == self.units
        return text.startswith(self.text)

    def append(self, frame: Frame) -> None:
        before = (self.text or "") if frame["offset"] else ""
        self.take(frame["message_id"], frame["attempt"], before + frame["text"])

    def take(self, message_id: str, attempt: int, text: str) -> None:
        self.message_id, self.attempt, self.text, self.units = message_id, attempt, text, utf16_length(text)


@dataclass
class Follower:
    """Follows the answer to one message of a user."""

    user_id: UUID
    message: Message
    held: Held = field(default_factory=Held)
    _frames: "asyncio.Queue[Frame]" = field(default_factory=asyncio.Queue)

    async def frames(self) -> AsyncIterator[Frame]:
        """`delta`, `snapshot` and at last `response` frames.

        Between them `silence` when nothing was to be said for a while, and SIGN_IN_ENDED: who relies on a sign-in stops there.
        """
        async with self._listening():
            while True:
                reply = await db(selectors.reply_to, self.message)
                if reply is None and not await db(selectors.is_answering, self.message.conversation_id):
                    return
                if reply is not None:
                    async for frame in self._brought_to(reply):
                        yield frame
                    if not reply.is_active:
                        return
                async for frame in self._heard(reply):
                    yield frame

    @contextlib.asynccontextmanager
    async def _listening(self) -> AsyncIterator[None]:
        key, sink = str(self.message.conversation_id), self._frames.put_nowait
        hub().attach(sink)
        await hub().watch(key, sink)
        events = asyncio.create_task(self._events())
        try:
            yield
        finally:
            hub().detach(sink, {key})
            events.cancel()
            await asyncio.gather(events, return_exceptions=True)

    async def _events(self) -> None:
        """What the channel layer tells the user's sockets."""
        layer = get_channel_layer()
        if layer is None:
            return
        channel = await layer.new_channel()
        try:
            await layer.group_add(group_of(self.user_id), channel)
            while True:
                event = await layer.receive(channel)
                for frame in event.get("frames", [SIGN_IN_ENDED]):
                    self._frames.put_nowait(frame)
        except (RedisError, OSError) as error:
            log.warning("events_not_followed", error=type(error).__name__)
        finally:
            await leave(self.user_id, channel)

    async def _brought_to(self, reply: Message) -> AsyncIterator[Frame]:
        """The frames that make the client hold a reply as it is now."""
        key, message_id, text = str(reply.conversation_id), str(reply.pk), await _text_of(reply)
        if text is not None:
            fits = self.held.begins(message_id, reply.attempt, text, stored=not reply.is_active)
            before, units = self.held.text or "", self.held.units
            # First, so that whoever gets the frame may ask what is held with it.
            self.held.take(message_id, reply.attempt, text)
            if not fits:
                yield protocol.snapshot_frame(key, message_id, reply.attempt, text)
            elif rest := text[len(before) :]:
                yield protocol.delta_frame(key, message_id, reply.attempt, units, rest)
        if not reply.is_active:
            yield protocol.message_frame(reply)

    async def _heard(self, reply: Message | None) -> AsyncIterator[Frame]:
        """Deltas as long as they fit; ends when the log has to be read again."""
        while True:
            try:
                async with asyncio.timeout(SILENCE_SECONDS):
                    frame = await self._frames.get()
            except TimeoutError:
                yield {"type": "silence"}
                return
            if frame["type"] == "delta":
                if reply is None or frame["message_id"] != str(reply.pk):
                    continue
                if self.held.goes_on_with(frame):
                    self.held.append(frame)
                    yield frame
                elif self.held.lacks(frame):
                    return
            elif frame is SIGN_IN_ENDED:
                yield frame
            elif frame["type"] in {"resync", "response"} or (frame["type"] == "message" and reply is None):
                return


async def _text_of(reply: Message) -> str | None:
    """The reply's text so far; None when it has none or Redis does not hold it just now."""
    if not reply.is_active:
        return reply.content
    return await live.read_snapshot(hub().client, str(reply.pk), reply.attempt) if reply.attempt else None
