from datetime import timedelta
from typing import Any, ClassVar

from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from rest_framework import serializers

from conversations.models import Conversation
from rest.fields import ModelSerializer
from rest.problems import refused

from .selectors import Period

USUAL = timedelta(days=30)
LONGEST = timedelta(days=366)
EARLIEST_YEAR = 2000


class PeriodSerializer(serializers.Serializer[Any]):
    """`since` (30 days ago) until just before `until` (now), a year at most."""

    since = serializers.DateTimeField(required=False)
    until = serializers.DateTimeField(required=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        until = attrs.get("until") or timezone.now()
        if until.year < EARLIEST_YEAR:
            raise refused({"until": [_("There was nothing to count then.")]})
        since = attrs.get("since") or until - USUAL
        if not since < until or until - since > LONGEST:
            raise refused(_("`since` must lie before `until`, by a year at most."))
        return {"period": Period(since, until)}


class ReplyFiguresSerializer(serializers.Serializer[Any]):
    """How replies ended, what was decided about them, and how long they took."""

    sent = serializers.IntegerField()
    stopped = serializers.IntegerField()
    failed = serializers.IntegerField()
    answered = serializers.IntegerField()
    asked_back = serializers.IntegerField()
    declined = serializers.IntegerField()
    human_wanted = serializers.IntegerField()
    tokens = serializers.IntegerField()
    median_ms = serializers.FloatField(allow_null=True)
    p90_ms = serializers.FloatField(allow_null=True)


class FeedbackFiguresSerializer(serializers.Serializer[Any]):
    up = serializers.IntegerField()
    down = serializers.IntegerField()


class DaySerializer(serializers.Serializer[Any]):
    day = serializers.DateField()
    questions = serializers.IntegerField()
    conversations = serializers.IntegerField()


class DashboardSerializer(serializers.Serializer[Any]):
    since = serializers.DateTimeField()
    until = serializers.DateTimeField()
    conversations = serializers.IntegerField()
    visitors = serializers.IntegerField()
    questions = serializers.IntegerField()
    replies = ReplyFiguresSerializer()
    feedback = FeedbackFiguresSerializer()
    days = DaySerializer(many=True)


class UserFiguresSerializer(serializers.Serializer[Any]):
    user_id = serializers.UUIDField()
    conversations = serializers.IntegerField()
    questions = serializers.IntegerField()
    tokens = serializers.IntegerField()
    first_at = serializers.DateTimeField(allow_null=True)
    last_at = serializers.DateTimeField(allow_null=True)
    feedback = FeedbackFiguresSerializer()


class ConversationFiguresSerializer(ModelSerializer):
    """A conversation's figures, without a word of what was said."""

    up = serializers.IntegerField()
    down = serializers.IntegerField()

    class Meta:
        model = Conversation
        fields: ClassVar[list[str]] = [
            "id",
            "user_id",
            "language",
            "owner",
            "message_count",
            "total_tokens",
            "duration_seconds",
            "created_at",
            "last_message_at",
            "up",
            "down",
        ]
        read_only_fields = fields
