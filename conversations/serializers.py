"""Conversations and messages as the API shows them, in the words of docs/protocol.md."""

from typing import Any, ClassVar

from django.conf import settings
from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from rest.fields import Choice, Identifier, ModelSerializer, Text, YesNo
from rest.problems import refused

from .models import Conversation, Feedback, Message
from .services import TITLE_LENGTH

REASON_CHARACTERS = 1000


class ConversationSerializer(ModelSerializer):
    """A thread between a visitor and the assistant or a human agent."""

    title = Text(max_length=TITLE_LENGTH, allow_blank=True)
    is_archived = YesNo()

    class Meta:
        model = Conversation
        fields: ClassVar[list[str]] = [
            "id",
            "title",
            "language",
            "is_archived",
            "owner",
            "message_count",
            "last_seq",
            "last_message_at",
            "created_at",
            "updated_at",
        ]
        read_only_fields: ClassVar[list[str]] = [name for name in fields if name not in {"title", "is_archived"}]


class NewConversationSerializer(serializers.Serializer[Any]):
    """A conversation without a message yet; `client_id` makes a resend return the same one."""

    client_id = Identifier()
    title = Text(max_length=TITLE_LENGTH, required=False, allow_blank=True, default="")
    language = Choice(settings.LANGUAGES, required=False, default="")


class SourceSerializer(serializers.Serializer[Any]):
    """A FAQ that an answer cites as `[n]`."""

    n = serializers.IntegerField()
    faq_id = serializers.IntegerField()
    question = serializers.CharField()
    url = serializers.CharField()


class ReplyErrorSerializer(serializers.Serializer[Any]):
    """Why a reply ended badly."""

    code = serializers.CharField()
    message = serializers.CharField()


class MessageSerializer(ModelSerializer):
    """One entry of a conversation's log; `seq` is the number of its latest change, `position` its place."""

    sources = SourceSerializer(many=True)
    suggestions = serializers.SerializerMethodField()
    feedback = serializers.SerializerMethodField()
    error = serializers.SerializerMethodField()

    class Meta:
        model = Message
        fields: ClassVar[list[str]] = [
            "id",
            "conversation_id",
            "seq",
            "position",
            "role",
            "type",
            "status",
            "content",
            "language",
            "attempt",
            "client_id",
            "sources",
            "suggestions",
            "feedback",
            "error",
            "created_at",
        ]
        read_only_fields = fields

    def get_suggestions(self, message: Message) -> list[str]:
        return list(message.metadata.get("suggestions", []))

    @extend_schema_field({"type": ["string", "null"], "enum": ["up", "down", None]})
    def get_feedback(self, message: Message) -> str | None:
        feedback = getattr(message, "feedback", None)
        return feedback.value if feedback else None

    @extend_schema_field(ReplyErrorSerializer(allow_null=True))
    def get_error(self, message: Message) -> Any:
        return message.metadata.get("error")


class FeedbackSerializer(serializers.Serializer[Any]):
    value = Choice(Feedback.Value.choices, allow_null=True, help_text=_("null takes the verdict back."))
    reason = Text(max_length=REASON_CHARACTERS, required=False, allow_blank=True, default="")


class MessagesQuerySerializer(serializers.Serializer[Any]):
    """`after` asks for what a client that holds everything up to that number lacks; else pages go backwards from the end."""

    after = serializers.IntegerField(required=False, min_value=0, max_value=2**53)
    before = serializers.IntegerField(required=False, min_value=1, max_value=2**53)
    limit = serializers.IntegerField(required=False, min_value=1, max_value=200, default=50)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if "after" in attrs and "before" in attrs:
            raise refused(_("Send `after` or `before`, not both."))
        return attrs


class MessagePageSerializer(serializers.Serializer[Any]):
    """`next` continues the listing; `last_seq` is the conversation's latest number."""

    results = MessageSerializer(many=True)
    next = serializers.CharField(allow_null=True)
    last_seq = serializers.IntegerField()
