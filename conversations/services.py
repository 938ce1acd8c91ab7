"""What people do with conversations. Replies have a module of their own, `replies`."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid5

from django.db import transaction
from django.db.models import Q
from django.db.models.functions import Coalesce, Now
from django.utils import timezone

from accounts.models import User

from . import signals
from .log import Log, locked
from .models import Conversation, Feedback, Message

TITLE_LENGTH = 120
HUMAN_TAG = "human_requested"


@dataclass(frozen=True)
class Posted:
    message: Message
    duplicate: bool


def conversation_id_for(user: User, client_id: UUID) -> UUID:
    """The id of the conversation that a first message opens: the same on every resend."""
    return uuid5(user.pk, str(client_id))


def post_message(
    *, user: User, content: str, client_id: UUID, conversation_id: UUID | None = None, language: str = ""
) -> Posted:
    """Store a visitor's message once, and queue the reply that it needs.

    Raises Conversation.DoesNotExist when `conversation_id` is not one of the user's.
    """
    if conversation_id is None:
        conversation_id = _open_conversation(user, client_id, language)
    with locked(conversation_id, user=user) as log:
        known = Message.objects.filter(
            Q(client_id=client_id) | Q(status__in=Message.ACTIVE), conversation=log.conversation
        )
        first, active = None, None
        for row in known:
            first, active = (row, active) if row.client_id == client_id else (first, row)
        if first is not None:
            return Posted(first, duplicate=True)
        message = Message(
            role=Message.Role.USER,
            user=user,
            content=content,
            client_id=client_id,
            language=language or log.conversation.language,
        )
        _append_with_reply(log, message, active)
        transaction.on_commit(lambda: signals.message_posted.send_robust(sender=Message, message=message), robust=True)
    return Posted(message, duplicate=False)


def _open_conversation(user: User, client_id: UUID, language: str) -> UUID:
    conversation = Conversation(
        pk=conversation_id_for(user, client_id),
        user=user,
        language=language or user.language,
        last_message_at=timezone.now(),
    )
    Conversation.objects.bulk_create([conversation], ignore_conflicts=True)
    return conversation.pk


def _append_with_reply(log: Log, message: Message, active: Message | None) -> None:
    """A queued reply answers the new message too, from behind it; a streaming one is followed by the next."""
    wants_reply = log.conversation.owner == Conversation.Owner.ASSISTANT
    if active is None and wants_reply:
        log.append(message, log.new_reply())
        return
    log.append(message)
    if active is not None:
        log.change(active, only_if={"status": Message.Status.QUEUED}, position=log.conversation.last_seq + 1)


def mark_read(*, user: User, conversation_id: UUID, seq: int) -> None:
    """The visitor has seen what the other side wrote, up to `seq`."""
    Message.objects.filter(
        conversation_id=conversation_id, conversation__user=user, seq__lte=seq, read_at__isnull=True
    ).exclude(role=Message.Role.USER).update(read_at=Now(), delivered_at=Coalesce("delivered_at", Now()))


def give_feedback(*, user: User, message_id: UUID, value: str | None, reason: str = "") -> Message:
    """Set, change or (None) remove the visitor's verdict on an answer. Raises Message.DoesNotExist."""
    message = Message.objects.get(pk=message_id, conversation__user=user, role=Message.Role.ASSISTANT)
    with locked(message.conversation_id) as log:
        if value is None:
            Feedback.objects.filter(message=message).delete()
        else:
            Feedback.objects.update_or_create(
                message=message, defaults={"user": user, "value": value, "reason": reason}
            )
        message = Message.objects.select_related("feedback").get(pk=message.pk)
        log.change(message)
    return message


def rename(*, conversation: Conversation, title: str) -> None:
    _update(conversation, title=" ".join(title.split())[:TITLE_LENGTH])


def set_title_if_untitled(*, conversation_id: UUID, title: str) -> bool:
    """Give a generated title unless somebody chose one meanwhile."""
    title = " ".join(title.split())[:TITLE_LENGTH]
    if not title or not Conversation.objects.filter(pk=conversation_id, title="").update(title=title):
        return False
    _announce(Conversation.objects.get(pk=conversation_id))
    return True


def set_archived(*, conversation: Conversation, archived: bool) -> None:
    _update(conversation, is_archived=archived)


def delete(*, conversation: Conversation) -> None:
    """Remove a conversation with everything in it; a running reply finds nothing to write to."""
    user_id, pk = conversation.user_id, conversation.pk
    conversation.delete()
    conversation.pk, conversation.user_id = pk, user_id
    _announce(conversation, deleted=True)


def reassign(*, source: User, target: User) -> None:
    """Move all that a guest said to the account that claims it."""
    for model in (Conversation, Message, Feedback):
        model._default_manager.filter(user=source).update(user=target)


def _update(conversation: Conversation, **values: Any) -> None:
    for name, value in values.items():
        setattr(conversation, name, value)
    conversation.save(update_fields=[*values, "updated_at"])
    _announce(conversation)


def _announce(conversation: Conversation, *, deleted: bool = False) -> None:
    transaction.on_commit(
        lambda: signals.conversation_changed.send_robust(
            sender=Conversation, conversation=conversation, deleted=deleted
        ),
        robust=True,
    )


def request_human(*, conversation_id: UUID) -> None:
    """Note for the team that this visitor asked for a person."""
    conversation = Conversation.objects.get(pk=conversation_id)
    if HUMAN_TAG not in conversation.tags:
        conversation.tags.append(HUMAN_TAG)
        conversation.context["human_requested_at"] = timezone.now().isoformat()
        conversation.save(update_fields=["tags", "context", "updated_at"])


def record_moderation(*, message_id: UUID, flagged: bool, categories: list[str], provider: str) -> Message | None:
    """Store the verdict on a visitor's message, once; None when it had one (or is gone)."""
    verdict = {"flagged": flagged, "categories": categories, "provider": provider}
    if not Message.objects.filter(pk=message_id, moderation__isnull=True).update(moderation=verdict):
        return None
    return Message.objects.select_related("conversation").get(pk=message_id)
