"""The one way to write a conversation's log: under its row lock, numbering every visible change.

Numbers are handed out from `last_seq` inside the transaction that uses them, so a number that was given is a change that happened.
Several logs can be written in one transaction: what they add is stored together at its end.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from itertools import takewhile
from typing import Any
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from accounts.models import User
from rest import prepared

from . import rows, signals
from .models import Conversation, Message

# How long a queued reply may wait for its worker before the sweeper dispatches it again.
DISPATCH_GRACE = timedelta(seconds=8)

# What writing its log may change of a conversation.
_COLUMNS = (
    "last_seq",
    "message_count",
    "total_tokens",
    "duration_seconds",
    "owner_epoch",
    "owner",
    "last_message_at",
    "updated_at",
)
_SAVE = rows.updating(Conversation, _COLUMNS)
_ADD = rows.inserting(Message)
_OPEN = rows.inserting(Conversation, "ON CONFLICT DO NOTHING")
_LOCK = rows.selecting(Conversation, "WHERE id = ANY(%s) ORDER BY id FOR NO KEY UPDATE")
_LOOK = rows.selecting(
    Message, "WHERE conversation_id = ANY(%s) AND (client_id = ANY(%s) OR status IN ('queued', 'streaming'))"
)
_MOVE = rows.updating(Message, ("seq", "position", "updated_at"), "AND old.status = 'queued' RETURNING old.id")


class Log:
    """A locked conversation being written; collects what to store and announce with the commit."""

    def __init__(self, conversation: Conversation) -> None:
        self.conversation = conversation
        self.now: datetime = timezone.now()
        self.added: list[Message] = []
        self.changed: list[Message] = []
        self.queued: Message | None = None

    def next_seq(self) -> int:
        self.conversation.last_seq += 1
        return self.conversation.last_seq

    def append(self, *messages: Message) -> None:
        """Put new messages at the end of the transcript; they are stored with the transaction."""
        conversation = self.conversation
        for message in messages:
            message.conversation = conversation
            message.seq = message.position = self.next_seq()
        conversation.message_count += len(messages)
        conversation.last_message_at = conversation.updated_at = self.now
        conversation.duration_seconds = int((self.now - conversation.created_at).total_seconds())
        self.added.extend(messages)
        self.changed.extend(messages)

    def change(self, message: Message, *, only_if: dict[str, Any] | None = None, **values: Any) -> bool:
        """Give a message new values and the next `seq`; False (and no number used) when `only_if` no longer holds."""
        values |= {"seq": self.conversation.last_seq + 1, "updated_at": self.now}
        only_if = only_if or {}
        only = "".join(f" AND old.{name} = %s" for name in only_if)
        with prepared.cursor() as cursor:
            row = rows.dump([{"id": message.pk, **values}])
            cursor.execute(rows.updating(Message, values, f"{only} RETURNING old.id"), [row, *only_if.values()])
            if cursor.fetchone() is None:
                return False
        self.next_seq()
        self.conversation.updated_at = self.now
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

    def _asked_last(self) -> str:
        said = reversed([message for message in self.added if message is not self.queued])
        last = takewhile(lambda message: message.role == Message.Role.USER, said)
        return "\n".join(reversed([message.content for message in last]))

    def announce(self) -> None:
        user_id, changed, queued = self.conversation.user_id, self.changed, self.queued
        if queued is not None:
            asked = self._asked_last()
            transaction.on_commit(
                lambda: signals.reply_queued.send_robust(sender=Message, reply=queued, asked=asked), robust=True
            )
        if changed:
            transaction.on_commit(
                lambda: signals.log_changed.send_robust(sender=Message, user_id=user_id, messages=changed), robust=True
            )


def open_all(conversations: Iterable[Conversation]) -> None:
    """Store new conversations, but for those that are there already."""
    with prepared.cursor() as cursor:
        cursor.execute(_OPEN, [rows.dump(map(rows.added, sorted(conversations, key=lambda one: one.pk)))])


def move_behind(replies: Sequence[tuple[Log, Message]]) -> None:
    """Put queued replies behind what was appended, so that they answer it too; one that a worker holds by now stays where it is."""
    if not replies:
        return
    changes = [
        {"id": reply.pk, "seq": seq, "position": seq, "updated_at": log.now}
        for log, reply in replies
        for seq in [log.conversation.last_seq + 1]
    ]
    with prepared.cursor() as cursor:
        cursor.execute(_MOVE, [rows.dump(changes)])
        moved = {row[0] for row in cursor.fetchall()}
    for log, reply in replies:
        if reply.pk in moved:
            reply.seq = reply.position = log.next_seq()
            log.changed.append(reply)


@contextmanager
def locked_all(
    conversation_ids: Iterable[UUID], client_ids: Iterable[UUID]
) -> Iterator[tuple[dict[UUID, Log], list[Message]]]:
    """Open the logs of those conversations that exist for writing in one transaction; locked in one order everywhere.

    Also gives what they hold under these client ids, and their active replies.
    """
    ids = list(set(conversation_ids))
    with transaction.atomic(savepoint=False):
        with prepared.cursor() as locking, prepared.cursor() as looking:
            locking.execute(_LOCK, [ids])
            looking.execute(_LOOK, [ids, list(client_ids)])
            logs = [Log(rows.read(Conversation, row)) for row in locking.fetchall()]
            held = [rows.read(Message, row) for row in looking.fetchall()]
        yield {log.conversation.pk: log for log in logs}, held
        _store([log for log in logs if log.changed])


@contextmanager
def locked(conversation_id: UUID, *, user: User | None = None) -> Iterator[Log]:
    """Open one conversation's log for writing in one transaction.

    Raises Conversation.DoesNotExist when there is none such, or not one of `user`.
    """
    with transaction.atomic():
        with prepared.cursor() as cursor:
            cursor.execute(_LOCK, [[conversation_id]])
            row = cursor.fetchone()
        log = Log(rows.read(Conversation, row)) if row else None
        if log is None or (user is not None and log.conversation.user_id != user.pk):
            raise Conversation.DoesNotExist
        yield log
        _store([log] if log.changed else [])


def _store(logs: list[Log]) -> None:
    """Write the logs' new messages and their conversations' columns, and announce them after the commit."""
    if not logs:
        return
    with prepared.cursor() as cursor:
        if added := [message for log in logs for message in log.added]:
            cursor.execute(_ADD, [rows.dump(map(rows.added, added))])
        saved = [{name: getattr(log.conversation, name) for name in ("id", *_COLUMNS)} for log in logs]
        cursor.execute(_SAVE, [rows.dump(saved)])
    for log in logs:
        log.announce()
