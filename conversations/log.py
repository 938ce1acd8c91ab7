"""The one way to write a conversation's log: under its row lock, numbering every visible change.

Numbers are handed out from `last_seq` inside the transaction that uses them, so a number that was given is a change that happened.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from . import signals
from .models import Conversation, Message

# How long a queued reply may wait for its worker before the sweeper dispatches it again.
DISPATCH_GRACE = timedelta(seconds=8)


class Log:
    """A locked conversation being written; collects what to announce after the commit."""

    def __init__(self, conversation: Conversation) -> None:
        self.conversation = conversation
        self.now: datetime = timezone.now()
        self.changed: list[Message] = []
        self.queued: Message | None = None

    def next_seq(self) -> int:
        self.conversation.last_seq += 1
        return self.conversation.last_seq

    def append(self, *messages: Message) -> None:
        """Insert new messages at the end of the transcript."""
        for message in messages:
            message.conversation = self.conversation
            message.seq = message.position = self.next_seq()
        Message.objects.bulk_create(messages)
        self.conversation.message_count += len(messages)
        self.conversation.last_message_at = self.now
        self.conversation.duration_seconds = int((self.now - self.conversation.created_at).total_seconds())
        self.changed.extend(messages)

    def change(self, message: Message, *, only_if: dict[str, Any] | None = None, **values: Any) -> bool:
        """Give a message new values and the next `seq`; False (and no number used) when `only_if` no longer holds."""
        values |= {"seq": self.conversation.last_seq + 1, "updated_at": self.now}
        if not Message.objects.filter(pk=message.pk, **(only_if or {})).update(**values):
            return False
        self.next_seq()
        for name, value in values.items():
            setattr(message, name, value)
        self.changed.append(message)
        return True

    def new_reply(self) -> Message:
        """An unsaved queued reply under the conversation's current epoch."""
        self.queued = Message(
            role=Message.Role.ASSISTANT,
            status=Message.Status.QUEUED,
            language=self.conversation.language,
            owner_epoch=self.conversation.owner_epoch,
            lease_expires_at=self.now + DISPATCH_GRACE,
        )
        return self.queued

    def active_reply(self) -> Message | None:
        return Message.objects.filter(conversation=self.conversation, status__in=Message.ACTIVE).first()

    def announce(self) -> None:
        user_id, changed, queued = self.conversation.user_id, self.changed, self.queued
        if changed:
            transaction.on_commit(
                lambda: signals.log_changed.send_robust(sender=Message, user_id=user_id, messages=changed), robust=True
            )
        if queued is not None:
            transaction.on_commit(
                lambda: signals.reply_queued.send_robust(sender=Message, reply_id=queued.pk), robust=True
            )


@contextmanager
def locked(conversation_id: UUID, **owner: Any) -> Iterator[Log]:
    """Open a conversation's log for writing in one transaction.

    Raises Conversation.DoesNotExist when there is none such (`owner` narrows: `user=...`).
    """
    with transaction.atomic():
        log = Log(Conversation.objects.select_for_update(no_key=True).get(pk=conversation_id, **owner))
        before = log.conversation.last_seq
        yield log
        if log.conversation.last_seq != before:
            log.conversation.save(
                update_fields=[
                    "last_seq",
                    "message_count",
                    "total_tokens",
                    "last_message_at",
                    "duration_seconds",
                    "owner",
                    "owner_epoch",
                    "updated_at",
                ]
            )
        log.announce()
