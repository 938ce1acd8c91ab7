"""What people said and how they judged answers."""

from datetime import datetime

from django.conf import settings
from django.db.models import Max
from django.db.models.functions import Coalesce

from accounts.models import User
from accounts.privacy.holdings import Holding, Retention

from .models import Conversation, Feedback, Message


def _silent_guests(before: datetime) -> int:
    """Guests that have not written since; their conversations go with them."""
    last = Coalesce(Max("conversations__last_message_at"), "created_at")
    guests = User.objects.filter(status=User.Status.GUEST).annotate(last=last).filter(last__lt=before)
    keys = list(guests.values_list("pk", flat=True))
    User.objects.filter(pk__in=keys, status=User.Status.GUEST).delete()
    return len(keys)


def _old_conversations(before: datetime) -> int:
    old = Conversation.objects.filter(last_message_at__lt=before)
    count = old.count()
    old.delete()
    return count


HOLDINGS = [
    Holding(
        Feedback,
        "Feedback",
        lambda person: Feedback.objects.filter(user=person),
        ("message_id", "value", "reason", "created_at", "updated_at"),
    ),
    Holding(
        Message,
        "Messages",
        lambda person: Message.objects.filter(conversation__user=person).order_by("conversation_id", "position"),
        (
            "id",
            "conversation_id",
            "position",
            "role",
            "status",
            "content",
            "language",
            "sources",
            "moderation",
            "created_at",
            "read_at",
        ),
    ),
    Holding(
        Conversation,
        "Conversations",
        lambda person: Conversation.objects.filter(user=person),
        ("id", "title", "language", "context", "tags", "message_count", "created_at", "last_message_at"),
    ),
]
RETENTIONS = [
    Retention("guests", lambda: settings.RETENTION_GUEST_DAYS, _silent_guests),
    Retention("conversations", lambda: settings.RETENTION_CONVERSATION_DAYS, _old_conversations),
]
