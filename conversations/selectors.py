"""Reads of conversations; everything here is already narrowed to one user or one conversation."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import Q

from accounts.models import User

from .models import Conversation, Feedback, Message


@dataclass(frozen=True)
class SearchHit:
    conversation: Conversation
    snippet: str


def conversations_of(
    user: User, *, archived: bool = False, limit: int = 50, before: datetime | None = None
) -> list[Conversation]:
    """The user's conversations, the latest first; `before` continues a listing."""
    rows = Conversation.objects.filter(user=user, is_active=True, is_archived=archived)
    if before is not None:
        rows = rows.filter(last_message_at__lt=before)
    return list(rows.order_by("-last_message_at")[:limit])


def get_conversation(user: User, conversation_id: UUID) -> Conversation:
    """Raises Conversation.DoesNotExist for a stranger's conversation as for none."""
    return Conversation.objects.get(pk=conversation_id, user=user)


def transcript(conversation: Conversation, *, before: int | None = None, limit: int = 50) -> list[Message]:
    """The last `limit` shown messages (before a position), in reading order."""
    rows = Message.objects.filter(conversation=conversation).exclude(status=Message.Status.DISCARDED)
    if before is not None:
        rows = rows.filter(position__lt=before)
    return list(rows.select_related("feedback").order_by("-position")[:limit])[::-1]


def changes_after(conversation: Conversation, seq: int, *, limit: int) -> list[Message]:
    """What a client that holds everything up to `seq` lacks, in order of change; discarded messages included."""
    rows = Message.objects.filter(conversation=conversation, seq__gt=seq)
    return list(rows.select_related("feedback").order_by("seq")[:limit])


def active_replies(user: User) -> list[Message]:
    """The queued and streaming replies in any of the user's conversations."""
    return list(Message.objects.filter(conversation__user=user, status__in=Message.ACTIVE))


def streaming_reply(conversation: Conversation) -> Message | None:
    return Message.objects.filter(conversation=conversation, status=Message.Status.STREAMING).first()


def reply_to(message: Message) -> Message | None:
    """The shown reply that answers a visitor's message; None while it waits for one, or a human answers."""
    rows = Message.objects.filter(
        conversation=message.conversation_id, role=Message.Role.ASSISTANT, position__gt=message.position
    )
    return rows.exclude(status=Message.Status.DISCARDED).select_related("feedback").order_by("position").first()


def is_answering(conversation_id: UUID) -> bool:
    """Whether a reply is queued or streaming in a conversation."""
    return Message.objects.filter(conversation=conversation_id, status__in=Message.ACTIVE).exists()


def search_conversations(user: User, query: str, limit: int = 20) -> list[SearchHit]:
    """Conversations whose title or messages contain the query, each with a piece of the text around it."""
    query = query.strip()
    if not query:
        return []
    shown = ~Q(messages__status=Message.Status.DISCARDED)
    found = (
        Conversation.objects.filter(
            Q(title__icontains=query) | (Q(messages__content__icontains=query) & shown), user=user
        )
        .distinct()
        .order_by("-last_message_at")[:limit]
    )
    texts = (
        Message.objects.filter(conversation__in=list(found), content__icontains=query)
        .exclude(status=Message.Status.DISCARDED)
        .order_by("conversation_id", "-position")
        .distinct("conversation_id")
    )
    by_conversation = {message.conversation_id: message.content for message in texts}
    return [SearchHit(row, snippet(by_conversation.get(row.pk, row.title), query)) for row in found]


def snippet(text: str, query: str, around: int = 60) -> str:
    """The first place of `query` in `text` with `around` characters on either side."""
    at = max(text.lower().find(query.lower()), 0)
    start, end = max(at - around, 0), at + len(query) + around
    return ("…" if start else "") + " ".join(text[start:end].split()) + ("…" if end < len(text) else "")


def shown_before(message: Message, *, limit: int = 20) -> list[Message]:
    """The last text messages before one that nothing speaks against, in reading order."""
    rows = Message.objects.filter(
        conversation_id=message.conversation_id, position__lt=message.position, type=Message.Type.TEXT
    ).exclude(status=Message.Status.DISCARDED)
    latest = rows.order_by("-position")[:limit]
    return [row for row in reversed(latest) if not row.is_flagged]


def replies_since(first_id: UUID, *, decisions: list[str], limit: int = 1000) -> list[UUID]:
    """Ended replies with one of these decisions or a bad verdict whose id is not below `first_id`."""
    rows = Message.objects.filter(pk__gte=first_id, role=Message.Role.ASSISTANT).exclude(status__in=Message.ACTIVE)
    wanted = Q(metadata__decision__in=decisions) | Q(feedback__value=Feedback.Value.DOWN)
    return list(rows.filter(wanted).order_by("pk").values_list("pk", flat=True)[:limit])


def unmoderated(*, before: datetime, limit: int = 200) -> list[UUID]:
    """Visitors' messages that should have a verdict by now."""
    rows = Message.objects.filter(role=Message.Role.USER, moderation__isnull=True, created_at__lt=before)
    return list(rows.order_by("created_at").values_list("pk", flat=True)[:limit])


def unread(*, before: datetime, limit: int = 200) -> list[UUID]:
    """Visitors' messages that should have been analysed by now."""
    rows = Message.objects.filter(role=Message.Role.USER, analysis__isnull=True, created_at__lt=before)
    return list(rows.order_by("created_at").values_list("pk", flat=True)[:limit])


def latest_analyses(conversation_id: UUID, *, limit: int = 10) -> list[dict[str, Any] | None]:
    """Of the visitor's latest messages, in reading order."""
    rows = Message.objects.filter(conversation_id=conversation_id, role=Message.Role.USER).order_by("-position")
    return list(rows.values_list("analysis", flat=True)[:limit])[::-1]


def first_exchange(conversation_id: UUID) -> list[Message]:
    """The first question and its answer, from which a title is made."""
    rows = Message.objects.filter(conversation_id=conversation_id, type=Message.Type.TEXT)
    return list(rows.exclude(status=Message.Status.DISCARDED).order_by("position")[:2])
