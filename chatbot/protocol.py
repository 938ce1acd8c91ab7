"""The frames of docs/protocol.md: how rows become frames, and how a client's frame is read."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson
from django.conf import settings

from conversations.models import Conversation, Message

VERSION = 1
FRAME_BYTES = 32 * 1024
MESSAGE_CHARACTERS = 4000
REASON_CHARACTERS = 1000
ECHOED_CHARACTERS = 64
SYNC_LIMIT = 200
CONVERSATIONS_LIMIT = 50
TYPING_TTL_SECONDS = 6

Frame = dict[str, Any]


class FrameError(Exception):
    """A client's frame that cannot be used; becomes an `error` frame and the socket lives on."""

    def __init__(self, code: str, message: str, **where: Any) -> None:
        super().__init__(message)
        self.frame: Frame = {"type": "error", "code": code, "message": message} | where


def encode(frame: Frame) -> str:
    return orjson.dumps(frame).decode()


def utf16_length(text: str) -> int:
    """The length of a text in UTF-16 code units, the unit of `offset`."""
    return len(text) + sum(character > "\uffff" for character in text)


def is_echoed(value: Any) -> bool:
    """Whether this goes back to the client that sent it: other JSON may nest deeper than can be encoded again."""
    return isinstance(value, str) and len(value) <= ECHOED_CHARACTERS


def timestamp(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")


def message_frame(message: Message) -> Frame:
    """A message as every client sees it; `response` for a reply that has ended."""
    ended_reply = message.is_reply and not message.is_active
    feedback = getattr(message, "feedback", None) if ended_reply else None
    return {
        "type": "response" if ended_reply else "message",
        "message_id": str(message.pk),
        "conversation_id": str(message.conversation_id),
        "seq": message.seq,
        "position": message.position,
        "role": message.role,
        "message_type": message.type,
        "status": message.status,
        "content": message.content,
        "language": message.language,
        "attempt": message.attempt,
        "client_id": str(message.client_id) if message.client_id else None,
        "sources": message.sources,
        "suggestions": message.metadata.get("suggestions", []),
        "feedback": feedback.value if feedback else None,
        "error": message.metadata.get("error"),
        "timestamp": timestamp(message.created_at),
    }


def conversation_frame(conversation: Conversation, *, deleted: bool = False) -> Frame:
    return {
        "type": "conversation",
        "conversation_id": str(conversation.pk),
        "title": conversation.title,
        "is_archived": conversation.is_archived,
        "is_deleted": deleted,
        "owner": conversation.owner,
        "last_seq": conversation.last_seq,
        "revision": conversation.revision,
        "last_message_at": timestamp(conversation.last_message_at),
    }


def delta_frame(conversation_id: str, message_id: str, attempt: int, offset: int, text: str) -> Frame:
    return {
        "type": "delta",
        "conversation_id": conversation_id,
        "message_id": message_id,
        "attempt": attempt,
        "offset": offset,
        "text": text,
    }


def snapshot_frame(conversation_id: str, message_id: str, attempt: int, content: str) -> Frame:
    return {
        "type": "snapshot",
        "conversation_id": conversation_id,
        "message_id": message_id,
        "attempt": attempt,
        "content": content,
    }


def ack_frame(message: Message, *, duplicate: bool) -> Frame:
    return {
        "type": "ack",
        "client_id": str(message.client_id),
        "conversation_id": str(message.conversation_id),
        "message_id": str(message.pk),
        "seq": message.seq,
        "duplicate": duplicate,
    }


def ready_frame(user_id: UUID) -> Frame:
    limits = {
        "frame_bytes": FRAME_BYTES,
        "message_characters": MESSAGE_CHARACTERS,
        "frames_per_second": settings.SOCKET_FRAMES_PER_SECOND,
        "frames_burst": settings.SOCKET_FRAMES_BURST,
    }
    return {"type": "ready", "user_id": str(user_id), "protocol": VERSION, "limits": limits}


@dataclass
class Incoming:
    """A client's frame whose fields are read one by one, each checked as it is read."""

    fields: Frame

    @classmethod
    def decode(cls, text: str) -> "Incoming":
        if len(text) > FRAME_BYTES or len(text.encode()) > FRAME_BYTES:
            raise FrameError("frame_too_large", f"A frame may have at most {FRAME_BYTES} bytes.")
        try:
            fields = orjson.loads(text)
        except orjson.JSONDecodeError:
            fields = None
        if not isinstance(fields, dict):
            raise FrameError("bad_json", "A frame must be a JSON object.")
        return cls(fields)

    @property
    def type(self) -> str:
        value = self.fields.get("type")
        return value if isinstance(value, str) else ""

    def where(self) -> Frame:
        """What in this frame helps the client to match an error with it."""
        echoed = ((name, self.fields.get(name)) for name in ("client_id", "conversation_id", "message_id"))
        return {name: value for name, value in echoed if is_echoed(value)}

    def invalid(self, field: str, message: str) -> FrameError:
        return FrameError("invalid", message, field=field, **self.where())

    def uuid(self, field: str) -> UUID:
        try:
            return UUID(self.fields[field])
        except (KeyError, ValueError, AttributeError, TypeError):
            raise self.invalid(field, f"`{field}` must be a UUID.") from None

    def optional_uuid(self, field: str) -> UUID | None:
        return None if self.fields.get(field) is None else self.uuid(field)

    def number(self, field: str, default: int | None = None) -> int:
        value = self.fields.get(field, default)
        if type(value) is not int or not 0 <= value < 2**53:
            raise self.invalid(field, f"`{field}` must be a whole number from 0.")
        return value

    def text(self, field: str, *, longest: int, shortest: int = 0) -> str:
        value = self.fields.get(field, "" if not shortest else None)
        if not isinstance(value, str):
            raise self.invalid(field, f"`{field}` must be a text.")
        value = value.replace("\x00", "").strip()
        if not shortest <= len(value) <= longest:
            raise self.invalid(field, f"`{field}` must have {shortest} to {longest} characters; it has {len(value)}.")
        try:
            value.encode()
        except UnicodeEncodeError:
            raise self.invalid(field, f"`{field}` holds half a surrogate pair; send well-formed Unicode.") from None
        return value

    def choice(self, field: str, choices: Callable[[Any], bool], message: str) -> Any:
        value = self.fields.get(field)
        if not choices(value):
            raise self.invalid(field, message)
        return value

    def language(self) -> str:
        """The turn's language when it is one of the configured ones, else "" (the conversation's)."""
        value = self.fields.get("language")
        code = value[:2].lower() if isinstance(value, str) else ""
        return code if code in dict(settings.LANGUAGES) else ""
