"""The chat socket: one per browser tab or device, all conversations of its user (docs/protocol.md)."""

import contextlib
import time
from collections.abc import Awaitable, Callable
from typing import Any, ClassVar
from uuid import UUID

import structlog
from channels.generic.websocket import AsyncWebsocketConsumer
from django.conf import settings
from django.db import DatabaseError, InterfaceError

from accounts.services import visitor_of
from conversations import replies, selectors, services
from conversations.models import Conversation, Message
from conversations.services import Post
from rest import limits

from . import events, live, protocol
from .ends import hub, inbox
from .inbox import Limited
from .metrics import SOCKETS, SOCKETS_CLOSED
from .outbox import Outbox
from .protocol import FrameError, Incoming
from .runtime import db
from .socket_auth import PROTOCOL

log = structlog.get_logger(__name__)

CLOSE_NO_SESSION = 4401
CLOSE_FORBIDDEN = 4403
CLOSE_TOO_SLOW = 4408
CLOSE_SIGN_IN_ENDED = 4409
CLOSE_RATE_LIMIT = 4429
# Frames beyond the limit that are answered with an error before the socket is closed.
REFUSALS = 400


class RateLimit:
    """A token bucket of frames."""

    def __init__(self, rate: float, burst: int) -> None:
        self.rate, self.burst = rate, burst
        self.tokens, self.at = float(burst), time.monotonic()

    def wait(self) -> float:
        """Take one token: 0, or the seconds until there is one."""
        now = time.monotonic()
        self.tokens = min(self.burst, self.tokens + (now - self.at) * self.rate)
        self.at = now
        if self.tokens >= 1:
            self.tokens -= 1
            return 0.0
        return (1 - self.tokens) / self.rate


class ChatConsumer(AsyncWebsocketConsumer):
    """Decodes a frame, makes one domain call, encodes the result."""

    handlers: ClassVar[dict[str, str]] = {
        name: f"on_{name}"
        for name in ("message", "sync", "stop", "regenerate", "typing", "read", "feedback", "ping", "pong")
    }

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.outbox = Outbox(self._send_frame, self._too_slow)
        self.watched: set[str] = set()
        self.counted = False
        try:
            await super().__call__(scope, receive, send)
        finally:
            # Not in `disconnect`: a handler that fails, or is cancelled by the server, ends without it.
            await self._leave()

    async def connect(self) -> None:
        offered = self.scope.get("subprotocols", [])
        await self.accept(PROTOCOL if PROTOCOL in offered else None)
        user = await db(visitor_of, self.scope.get("user"), self.scope.get("session"))
        wanted = self.scope["url_route"]["kwargs"]["user_id"]
        if user is None:
            await self.shut(CLOSE_NO_SESSION)
            return
        if user.pk != wanted:
            await self.shut(CLOSE_FORBIDDEN)
            return
        self.user = user
        self.limit = RateLimit(settings.SOCKET_FRAMES_PER_SECOND, settings.SOCKET_FRAMES_BURST)
        self.refused = 0
        self.counted = True
        SOCKETS.inc()
        hub().attach(self.outbox.put)
        await self._join()
        self.outbox.put(protocol.ready_frame(user.pk))

    async def _join(self) -> None:
        await self.channel_layer.group_add(events.group_of(self.user.pk), self.channel_name)
        for reply in await db(selectors.active_replies, self.user):
            await self.watch(str(reply.conversation_id))

    async def _leave(self) -> None:
        self.outbox.close()
        if not self.counted:
            return
        SOCKETS.dec()
        hub().detach(self.outbox.put, self.watched)
        await events.leave(self.user.pk, self.channel_name)

    async def shut(self, code: int) -> None:
        SOCKETS_CLOSED.labels(str(code)).inc()
        await self.close(code)

    async def _send_frame(self, text: str) -> None:
        await self.send(text_data=text)

    async def _too_slow(self) -> None:
        await self.shut(CLOSE_TOO_SLOW)

    # -- frames from the client ------------------------------------------------------------------------------

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        if not self.counted:
            return
        # Before anything is read: what cannot be is not free.
        if (seconds := self.limit.wait()) > 0:
            await self._refuse(seconds, text_data or "")
            return
        where: protocol.Frame = {}
        try:
            if text_data is None:
                raise FrameError("bad_json", "Frames are JSON text, not binary.")
            frame = Incoming.decode(text_data)
            where = frame.where()
            await self._handle(frame)
        except FrameError as error:
            self.outbox.put(error.frame)
        except Limited as error:
            later = {"retry_after": error.verdict.reset}
            self._error("rate_limited", "Too many questions; send this one again later.", where | later)
        except (Conversation.DoesNotExist, Message.DoesNotExist):
            self._error("not_found", "There is no such conversation or message of yours.", where)
        except (DatabaseError, InterfaceError, TimeoutError) as error:
            log.warning("frame_not_stored", error=type(error).__name__)
            self._error("unavailable", "This could not be stored just now. Send it again.", where)

    async def _handle(self, frame: Incoming) -> None:
        name = self.handlers.get(frame.type)
        if name is None:
            raise FrameError("unknown_type", f"`type` must be one of {', '.join(self.handlers)}.")
        handler: Callable[[Incoming], Awaitable[None]] = getattr(self, name)
        await handler(frame)

    async def _refuse(self, seconds: float, text: str) -> None:
        self.refused += 1
        if self.refused > REFUSALS:
            await self.shut(CLOSE_RATE_LIMIT)
            return
        later: protocol.Frame = {"retry_after": round(seconds, 3)}
        with contextlib.suppress(FrameError):
            later |= Incoming.decode(text).where()
        self._error("rate_limited", "Too many frames; send this one again later.", later)

    def _error(self, code: str, message: str, where: protocol.Frame) -> None:
        self.outbox.put({"type": "error", "code": code, "message": message} | where)

    async def on_message(self, frame: Incoming) -> None:
        client_id, conversation_id = frame.uuid("client_id"), frame.optional_uuid("conversation_id")
        content = frame.text("content", shortest=1, longest=protocol.MESSAGE_CHARACTERS)
        key = str(conversation_id or services.conversation_id_for(self.user, client_id))
        watched = key in self.watched
        if conversation_id is not None and not watched:
            await db(selectors.get_conversation, self.user, conversation_id)
        # Watched before it is stored, so that the reply's first delta finds this socket.
        await self.watch(key)
        try:
            post = Post(self.user, content, client_id, conversation_id, frame.language())
            posted = await inbox().post(post, self._allowances())
        except Exception:
            if not watched:
                self.unwatch(key)
            raise
        self.outbox.put(protocol.ack_frame(posted.message, duplicate=posted.duplicate))

    def _allowances(self) -> list[limits.Allowance]:
        """What makes the assistant answer counts against the same limits as a request."""
        return limits.person(self.user.pk, limits.scope_address(self.scope))

    async def on_sync(self, frame: Incoming) -> None:
        conversation_id = frame.optional_uuid("conversation_id")
        if conversation_id is None:
            rows = await db(selectors.conversations_of, self.user, limit=protocol.CONVERSATIONS_LIMIT)
            for row in rows:
                self.outbox.put(protocol.conversation_frame(row))
            self.outbox.put({"type": "synced", "conversation_id": None, "last_seq": 0, "more": False})
            return
        conversation = await db(selectors.get_conversation, self.user, conversation_id)
        await self._catch_up(conversation, frame.number("after", default=0))

    async def _catch_up(self, conversation: Conversation, after: int) -> None:
        key = str(conversation.pk)
        await self.watch(key)
        messages = await db(selectors.changes_after, conversation, after, limit=protocol.SYNC_LIMIT)
        for message in messages:
            self.outbox.put(protocol.message_frame(message))
        reply = await db(selectors.streaming_reply, conversation)
        if reply is not None:
            text = await live.read_snapshot(hub().client, str(reply.pk), reply.attempt)
            if text is not None:
                self.outbox.put(protocol.snapshot_frame(key, str(reply.pk), reply.attempt, text))
        last = messages[-1].seq if messages else max(after, conversation.last_seq)
        more = len(messages) == protocol.SYNC_LIMIT
        self.outbox.put({"type": "synced", "conversation_id": key, "last_seq": last, "more": more})

    async def on_stop(self, frame: Incoming) -> None:
        stopped = await db(replies.request_stop, user=self.user, conversation_id=frame.uuid("conversation_id"))
        if not stopped:
            raise FrameError("nothing_to_stop", "No answer is being written in this conversation.", **frame.where())

    async def on_regenerate(self, frame: Incoming) -> None:
        try:
            await db(self._regenerate, frame.uuid("message_id"))
        except replies.CannotRegenerate:
            message = "Only the last answer can be asked for again, once it has ended."
            raise FrameError("cannot_regenerate", message, **frame.where()) from None

    def _regenerate(self, message_id: UUID) -> None:
        verdict = limits.take("person", self._allowances())
        if not verdict.allowed:
            raise Limited(verdict)
        replies.regenerate(user=self.user, message_id=message_id)

    async def on_typing(self, frame: Incoming) -> None:
        conversation = await db(selectors.get_conversation, self.user, frame.uuid("conversation_id"))
        typing = {
            "type": "typing",
            "conversation_id": str(conversation.pk),
            "role": "user",
            "ttl": protocol.TYPING_TTL_SECONDS,
        }
        await events.send(self.user.pk, {"type": "frames", "frames": [typing], "sender": self.channel_name})

    async def on_read(self, frame: Incoming) -> None:
        await db(
            services.mark_read, user=self.user, conversation_id=frame.uuid("conversation_id"), seq=frame.number("seq")
        )

    async def on_feedback(self, frame: Incoming) -> None:
        value = frame.choice("value", lambda v: v in ("up", "down", None), '`value` must be "up", "down" or null.')
        await db(
            services.give_feedback,
            user=self.user,
            message_id=frame.uuid("message_id"),
            value=value,
            reason=frame.text("reason", longest=protocol.REASON_CHARACTERS),
        )

    async def on_ping(self, frame: Incoming) -> None:
        message = f"`id` must be a number or a text of up to {protocol.ECHOED_CHARACTERS} characters."
        number = frame.choice("id", lambda v: v is None or isinstance(v, int | float) or protocol.is_echoed(v), message)
        self.outbox.put({"type": "pong", "id": number})

    async def on_pong(self, frame: Incoming) -> None:
        self.outbox.answered(frame.number("id"))

    # -- frames from elsewhere -------------------------------------------------------------------------------

    async def frames(self, event: dict[str, Any]) -> None:
        """The channel layer's event: frames for every socket of this user."""
        if event["sender"] == self.channel_name:
            return
        for frame in event["frames"]:
            if frame["type"] == "message" and frame["status"] in Message.ACTIVE:
                await self.watch(frame["conversation_id"])
            self.outbox.put(frame)

    async def sign_in_ended(self, event: dict[str, Any]) -> None:
        """The channel layer's event: a sign-in of this user ended, perhaps ours. Connecting again tells."""
        await self.shut(CLOSE_SIGN_IN_ENDED)

    async def watch(self, conversation_id: str) -> None:
        if conversation_id not in self.watched:
            self.watched.add(conversation_id)
            await hub().watch(conversation_id, self.outbox.put)

    def unwatch(self, conversation_id: str) -> None:
        self.watched.discard(conversation_id)
        hub().unwatch(conversation_id, self.outbox.put)
