"""What the endpoints of the chat take and give."""

from typing import Any

from django.conf import settings
from django.utils.translation import gettext_lazy as _
from rest_framework import serializers

from rest.fields import Choice, Identifier, Text

from .protocol import MESSAGE_CHARACTERS


class SendSerializer(serializers.Serializer[Any]):
    """A message to the assistant. `client_id` makes a resend harmless; without `conversation_id` it opens a conversation."""

    content = Text(max_length=MESSAGE_CHARACTERS)
    client_id = Identifier(
        help_text=_("A fresh UUID; send the same one again when you do not know whether it arrived.")
    )
    conversation_id = Identifier(required=False, allow_null=True, default=None)
    language = Choice(settings.LANGUAGES, required=False, default="")


class SentSerializer(serializers.Serializer[Any]):
    """The message is stored. `reply_id` is the answer that is being written, null when a human answers."""

    message_id = serializers.UUIDField()
    conversation_id = serializers.UUIDField()
    client_id = serializers.UUIDField()
    seq = serializers.IntegerField()
    duplicate = serializers.BooleanField()
    reply_id = serializers.UUIDField(allow_null=True)


class StopSerializer(serializers.Serializer[Any]):
    conversation_id = Identifier()


class EventSerializer(serializers.Serializer[Any]):
    """One of the Server-Sent Events of a stream."""

    event = serializers.CharField(required=False, help_text=_("What it is; `message` where none is named."))
    id = serializers.CharField(required=False, help_text=_("Send the last one as `Last-Event-ID` to go on behind it."))
    data = serializers.CharField(help_text="JSON.")  # type: ignore[assignment]
