"""The interface that OpenAI's clients speak, in front of this assistant: what they send is asked in a conversation of the key's owner."""

import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any, ClassVar

from django.conf import settings
from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from conversations.models import Message
from conversations.replies import Said
from rest.fields import Choice, Text, YesNo
from rest.problems import refused

from .following import Follower
from .protocol import MESSAGE_CHARACTERS, Frame, encode

MODEL = "parley"
# When this model came to be; clients want a number.
MODEL_CREATED = 1_700_000_000
HISTORY = 50


class _Loose(serializers.Serializer[Any]):
    """Clients send more than we use: temperature, tools, users. It is neither refused nor looked at."""


class PartSerializer(_Loose):
    type = Choice([("text", "text")])
    text = Text(max_length=MESSAGE_CHARACTERS)


@extend_schema_field(
    {
        "oneOf": [
            {"type": "string", "maxLength": MESSAGE_CHARACTERS},
            {
                "type": "array",
                "items": {
                    "type": "object",
                    "properties": {"type": {"const": "text"}, "text": {"type": "string", "minLength": 1}},
                    "required": ["type", "text"],
                },
            },
        ]
    }
)
class ContentField(serializers.Field[str, Any, Any, Any]):
    """A text, or a list of parts of type `text`."""

    default_error_messages: ClassVar[dict[str, Any]] = {"invalid": _("Send a text, or a list of parts of type text.")}

    def to_internal_value(self, data: Any) -> str:
        if data is None:
            return ""
        if isinstance(data, list):
            parts = PartSerializer(data=data, many=True)
            parts.is_valid(raise_exception=True)
            data = "\n".join(part["text"] for part in parts.validated_data)
        return str(Text(max_length=MESSAGE_CHARACTERS, allow_blank=True).run_validation(data))


class InputMessageSerializer(_Loose):
    role = Choice([(one, one) for one in ("system", "developer", "user", "assistant", "tool")])
    content = ContentField(required=False, default="", allow_null=True)


class CompletionRequestSerializer(_Loose):
    model = Text(max_length=100)
    messages = serializers.ListField(child=InputMessageSerializer(), min_length=1)
    stream = YesNo(required=False, default=False, allow_null=True)

    def validate_messages(self, value: list[dict[str, str]]) -> list[Said]:
        said = [Said(one["role"], one["content"] or "") for one in value if one["role"] in {"user", "assistant"}]
        if not said or said[-1].role != "user" or not said[-1].content:
            raise refused(_("The last message must be the user's, and hold a text."))
        return [one for one in said[:-1] if one.content][-HISTORY:] + said[-1:]


def model_card() -> dict[str, Any]:
    return {"id": MODEL, "object": "model", "created": MODEL_CREATED, "owned_by": settings.SITE_NAME}


class Interrupted(Exception):
    """The reply began afresh when words of it had been sent: this interface cannot take them back."""


@dataclass
class Completion:
    """One reply in the words of OpenAI's interface."""

    message: Message
    follower: Follower
    created: int = field(default_factory=lambda: int(time.time()))
    sent: str = ""
    reply: Frame = field(default_factory=dict)

    @property
    def id(self) -> str:
        return f"chatcmpl-{self.message.pk.hex}"

    async def pieces(self) -> AsyncIterator[str]:
        """The reply's text as it comes, what was told of nothing as "". Raises Interrupted."""
        async for frame in self.follower.frames():
            if frame["type"] == "response":
                self.reply = frame
            elif frame["type"] in {"delta", "snapshot"}:
                whole = self.follower.held.text or ""
                if not whole.startswith(self.sent):
                    if self.sent.startswith(whole) and not self.sent[len(whole) :].strip():
                        continue
                    raise Interrupted
                piece, self.sent = whole[len(self.sent) :], whole
                yield piece
            else:
                yield ""

    async def wait(self) -> None:
        """Until the reply has ended."""
        async for frame in self.follower.frames():
            if frame["type"] == "response":
                self.reply = frame

    def extension(self) -> dict[str, Any]:
        """What OpenAI's interface has no word for."""
        return {
            "conversation_id": str(self.message.conversation_id),
            "message_id": self.reply.get("message_id"),
            "status": self.reply.get("status"),
            "sources": self.reply.get("sources", []),
            "suggestions": self.reply.get("suggestions", []),
            "error": self.reply.get("error"),
        }

    def _head(self, kind: str) -> dict[str, Any]:
        return {"id": self.id, "object": kind, "created": self.created, "model": MODEL}

    def whole(self, tokens: int) -> dict[str, Any]:
        message = {"role": "assistant", "content": self.reply.get("content", ""), "refusal": None}
        choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}
        usage = {"prompt_tokens": 0, "completion_tokens": tokens, "total_tokens": tokens}
        return self._head("chat.completion") | {"choices": [choice], "usage": usage, "parley": self.extension()}

    def chunk(self, delta: dict[str, Any], **more: Any) -> str:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": more.pop("finish_reason", None)}
        return f"data: {encode(self._head('chat.completion.chunk') | {'choices': [choice]} | more)}\n\n"

    async def chunks(self) -> AsyncIterator[str]:
        yield self.chunk({"role": "assistant", "content": ""})
        try:
            async for piece in self.pieces():
                yield self.chunk({"content": piece}) if piece else ": still here\n\n"
        except Interrupted:
            message = "The answer began afresh. Ask again."
            yield f"data: {encode({'error': {'message': message, 'type': 'server_error', 'code': 'interrupted'}})}\n\n"
            return
        yield self.chunk({}, finish_reason="stop", parley=self.extension())
        yield "data: [DONE]\n\n"
