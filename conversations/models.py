"""Conversations and their messages: the log that every client replays (docs/protocol.md)."""

from datetime import datetime
from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _
from uuid_utils.compat import uuid7


class Conversation(models.Model):
    """One thread between a visitor and the assistant or a human agent.

    `revision` counts the changes of its title and its place in the list: of two that were told, the one that happened later has
    the greater number.
    """

    class Owner(models.TextChoices):
        ASSISTANT = "assistant", _("Assistant")
        AGENT = "agent", _("Agent")

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="conversations")
    title = models.CharField(max_length=120, blank=True)
    language = models.CharField(max_length=8, default="en")
    context = models.JSONField(default=dict, blank=True)
    tags = models.JSONField(default=list, blank=True)
    message_count = models.PositiveIntegerField(default=0)
    total_tokens = models.PositiveIntegerField(default=0)
    duration_seconds = models.PositiveIntegerField(default=0)
    is_active = models.BooleanField(default=True)
    is_archived = models.BooleanField(default=False)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)
    last_message_at = models.DateTimeField()
    last_seq = models.PositiveBigIntegerField(default=0)
    revision = models.PositiveIntegerField(default=0, db_default=0, editable=False)
    owner = models.CharField(max_length=16, choices=Owner, default=Owner.ASSISTANT)
    owner_epoch = models.PositiveIntegerField(default=0)

    class Meta:
        indexes: ClassVar[list[models.Index]] = [
            models.Index("user", F("last_message_at").desc(), name="conversation_recent", condition=Q(is_active=True)),
            models.Index(fields=["-last_message_at"], name="conversation_latest"),
        ]

    def __str__(self) -> str:
        return self.title or str(self.pk)


class Message(models.Model):
    """One entry of a conversation's log; an assistant's message is a *reply* and has a life (docs/protocol.md).

    `seq` is the number of the latest visible change, `position` the place in the transcript. `lease_expires_at` is until when
    a worker holds a streaming reply, and for a queued reply when the sweeper may dispatch it again.
    """

    class Role(models.TextChoices):
        USER = "user", _("User")
        ASSISTANT = "assistant", _("Assistant")
        AGENT = "agent", _("Agent")
        SYSTEM = "system", _("System")

    class Type(models.TextChoices):
        TEXT = "text", _("Text")
        EVENT = "event", _("Event")

    class Status(models.TextChoices):
        QUEUED = "queued", _("Queued")
        STREAMING = "streaming", _("Streaming")
        SENT = "sent", _("Sent")
        STOPPED = "stopped", _("Stopped")
        FAILED = "failed", _("Failed")
        DISCARDED = "discarded", _("Discarded")

    ACTIVE: ClassVar[list[str]] = [Status.QUEUED, Status.STREAMING]

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    conversation = models.ForeignKey(Conversation, on_delete=models.CASCADE, related_name="messages")
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True, related_name="messages"
    )
    role = models.CharField(max_length=16, choices=Role)
    type = models.CharField(max_length=16, choices=Type, default=Type.TEXT)
    status = models.CharField(max_length=16, choices=Status, default=Status.SENT)
    content = models.TextField(blank=True)
    language = models.CharField(max_length=8, blank=True)
    seq = models.PositiveBigIntegerField()
    position = models.PositiveBigIntegerField()
    client_id = models.UUIDField(null=True, blank=True)
    attempt = models.PositiveSmallIntegerField(default=0)
    owner_epoch = models.PositiveIntegerField(default=0)
    lease_expires_at = models.DateTimeField(null=True, blank=True)
    stop_requested_at = models.DateTimeField(null=True, blank=True)
    sources = models.JSONField(default=list, blank=True)
    tokens_used = models.PositiveIntegerField(default=0)
    model_used = models.CharField(max_length=100, blank=True)
    response_time_ms = models.PositiveIntegerField(null=True, blank=True)
    # Of a reply: the calibrated probability that its best passage answers the question.
    confidence = models.FloatField(null=True, blank=True, editable=False)
    metadata = models.JSONField(default=dict, blank=True)
    # {"flagged": bool, "categories": [str], "provider": str}; null until a visitor's message has been checked.
    moderation = models.JSONField(null=True, blank=True, editable=False)
    # {"intent", "sentiment": -1 to 1, "entities": [{"kind", "text"}], "language"}; null until a visitor's message has been read.
    # Of a history that came along (`imports`) it is {}, and the verdict's provider "imported": nobody looked.
    analysis = models.JSONField(null=True, blank=True, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)
    delivered_at = models.DateTimeField(null=True, blank=True)
    read_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["conversation", "seq"], name="message_seq_unique"),
            models.UniqueConstraint(fields=["conversation", "position"], name="message_position_unique"),
            models.UniqueConstraint(
                fields=["conversation", "client_id"],
                name="message_client_id_unique",
                condition=Q(client_id__isnull=False),
            ),
            models.UniqueConstraint(
                fields=["conversation"],
                name="message_one_active_reply",
                condition=Q(status__in=["queued", "streaming"]),
            ),
            models.CheckConstraint(
                name="message_position_within_seq", condition=Q(position__gte=1, seq__gte=F("position"))
            ),
            models.CheckConstraint(
                name="message_only_replies_wait", condition=Q(role="assistant") | Q(status__in=["sent", "discarded"])
            ),
            models.CheckConstraint(
                name="message_lease_iff_active",
                condition=Q(status__in=["queued", "streaming"], lease_expires_at__isnull=False)
                | (~Q(status__in=["queued", "streaming"]) & Q(lease_expires_at__isnull=True)),
            ),
            models.CheckConstraint(
                name="message_confidence_is_probability",
                condition=Q(confidence__isnull=True) | Q(confidence__gte=0, confidence__lte=1),
            ),
            models.CheckConstraint(
                name="message_streaming_has_attempt", condition=~Q(status="streaming") | Q(attempt__gte=1)
            ),
        ]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(
                fields=["lease_expires_at"], name="message_lease_due", condition=Q(status__in=["queued", "streaming"])
            ),
            models.Index(
                fields=["created_at"],
                name="message_unmoderated",
                condition=Q(role="user", moderation__isnull=True),
            ),
            models.Index(fields=["created_at"], name="message_unread", condition=Q(role="user", analysis__isnull=True)),
        ]

    def __str__(self) -> str:
        return f"{self.role} {self.position}"

    @property
    def is_reply(self) -> bool:
        return self.role == self.Role.ASSISTANT

    @property
    def is_active(self) -> bool:
        return self.status in self.ACTIVE

    @property
    def is_flagged(self) -> bool:
        return bool(self.moderation and self.moderation["flagged"])

    def lease_expired(self, now: datetime) -> bool:
        return self.lease_expires_at is not None and self.lease_expires_at <= now


class Feedback(models.Model):
    """A person's verdict on one answer."""

    class Value(models.TextChoices):
        UP = "up", _("Helpful")
        DOWN = "down", _("Not helpful")

    message = models.OneToOneField(Message, on_delete=models.CASCADE, related_name="feedback")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="feedback")
    value = models.CharField(max_length=8, choices=Value)
    reason = models.CharField(max_length=1000, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        verbose_name_plural = "feedback"

    def __str__(self) -> str:
        return f"{self.value} on {self.message_id}"
