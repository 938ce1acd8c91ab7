"""A reply's life: queued -> streaming -> sent | stopped | failed | discarded (docs/protocol.md).

A worker holds a streaming reply by a lease and writes only under the `attempt` it claimed and the conversation's `owner_epoch` it
started under, so neither a worker that was thought dead nor one that a human took over from can speak.
"""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any, NamedTuple
from uuid import UUID

from django.db import connection, transaction
from django.utils import timezone

from accounts.models import User
from rest.prepared import Query, pipelined

from . import rows, services, signals
from .log import DISPATCH_GRACE, Log, locked
from .models import Conversation, Message

LEASE = timedelta(seconds=8)
Status = Message.Status


class CannotRegenerate(Exception):
    """Only the last message of a conversation can be asked for again, once it has ended."""


@dataclass(frozen=True)
class Outcome:
    """How a reply ended. `error` is {"code", "message"} when it ended badly."""

    status: str
    content: str
    sources: list[dict[str, Any]] = field(default_factory=list)
    model_used: str = ""
    tokens_used: int = 0
    response_time_ms: int | None = None
    confidence: float | None = None
    metadata: dict[str, Any] = field(default_factory=dict)


# One statement, so that the row's lock orders it against posting: a message that moves a queued reply behind itself does so
# before the claim, and is answered by it, or finds the reply streaming.
_CLAIM = f"""
UPDATE conversations_message SET status = 'streaming', attempt = attempt + 1, lease_expires_at = %(lease)s
WHERE id = %(id)s AND (status = 'queued' OR (status = 'streaming' AND lease_expires_at <= %(now)s))
RETURNING {rows.names(Message)}
"""  # noqa: S608
# A statement of its own: only so does it see what was posted while the claim waited for the row.
_SAID = """
SELECT role, content, metadata, analysis FROM (
    SELECT said.* FROM conversations_message said JOIN conversations_message reply
        ON reply.id = %(id)s AND said.conversation_id = reply.conversation_id AND said.position < reply.position
    WHERE said.type = 'text' AND said.status IN ('sent', 'stopped') AND said.content <> ''
    ORDER BY said.position DESC LIMIT %(history)s
) latest WHERE NOT coalesce((moderation ->> 'flagged')::boolean, false) ORDER BY position
"""


class Said(NamedTuple):
    role: str
    content: str
    metadata: Mapping[str, Any] = MappingProxyType({})
    analysis: dict[str, Any] | None = None


class Claimed(NamedTuple):
    """A reply that is ours to write, and what was said before it, in reading order; flagged and failed messages are left out."""

    reply: Message
    said: list[Said]


def claiming(reply_id: UUID, *, history: int = 0) -> Query[Claimed | None]:
    """Take a waiting (or abandoned) reply under a new attempt, with its last `history` messages; None when there is nothing to take."""
    now = timezone.now()
    claim = {"id": reply_id, "now": now, "lease": now + LEASE}
    return Query([(_CLAIM, claim), (_SAID, {"id": reply_id, "history": history})], _claimed)


def _claimed(taken: Sequence[rows.Row], said: Sequence[rows.Row]) -> Claimed | None:
    if not taken:
        return None
    return Claimed(rows.read(Message, taken[0]), [Said(*one[:2], *map(rows.loaded, one[2:])) for one in said])


_RENEW = """
UPDATE conversations_message m SET lease_expires_at = %(lease)s
FROM unnest(%(ids)s::uuid[], %(attempts)s::integer[]) AS held(id, attempt)
WHERE m.id = held.id AND m.attempt = held.attempt AND m.status = 'streaming' RETURNING m.id, m.stop_requested_at IS NOT NULL
"""


def renew(held: Sequence[Message]) -> dict[UUID, bool]:
    """Extend the leases of claimed replies: for each that is still ours, whether somebody asked it to end."""
    parameters: dict[str, Any] = {
        "lease": timezone.now() + LEASE,
        "ids": [reply.pk for reply in held],
        "attempts": [reply.attempt for reply in held],
    }
    with connection.cursor() as cursor:
        cursor.execute(_RENEW, parameters)
        return dict(cursor.fetchall())


def finish(reply: Message, outcome: Outcome) -> Message | None:
    """Write a claimed reply's end and queue the next one if more was asked meanwhile.

    Returns None, with nothing written, when the reply is no longer this attempt's.
    """
    try:
        with pipelined(), locked(reply.conversation_id) as log:
            return _end(log, reply, outcome)
    except Conversation.DoesNotExist:
        return None


def _end(log: Log, reply: Message, outcome: Outcome) -> Message | None:
    values = vars(outcome) | {"lease_expires_at": None}
    more_was_said = log.conversation.last_seq > reply.position
    if log.conversation.owner_epoch != reply.owner_epoch:
        values |= {"status": Status.DISCARDED, "content": "", "sources": []}
    if not log.change(reply, only_if={"status": Status.STREAMING, "attempt": reply.attempt}, **values):
        return None
    reply.conversation = log.conversation
    # Only a reply that has ended can have feedback: no need to look for it.
    Message._meta.get_field("feedback").set_cached_value(reply, None)  # type: ignore[union-attr]
    log.conversation.total_tokens += outcome.tokens_used
    log.conversation.last_message_at = log.now
    if more_was_said:
        _queue_next(log, after=reply.position)
    return reply


def _queue_next(log: Log, *, after: int) -> None:
    """Messages that arrived while a reply streamed are answered together by the next one."""
    if log.conversation.owner != Conversation.Owner.ASSISTANT:
        return
    unanswered = Message.objects.filter(conversation=log.conversation, role=Message.Role.USER, position__gt=after)
    if unanswered.exclude(moderation__flagged=True).exists():
        log.append(log.new_reply())


def request_stop(*, user: User, conversation_id: UUID) -> bool:
    """End the conversation's running reply; False when none runs. Raises Conversation.DoesNotExist."""
    with locked(conversation_id, user=user) as log:
        reply = log.active_reply()
        if reply is None:
            return False
        if log.change(reply, only_if={"status": Status.QUEUED}, status=Status.STOPPED, lease_expires_at=None):
            return True
        Message.objects.filter(pk=reply.pk).update(stop_requested_at=log.now)
        _tell_worker(reply)
    return True


def _tell_worker(reply: Message) -> None:
    """Whoever writes the reply is to end now, not at the next renewal of its lease."""
    transaction.on_commit(lambda: signals.stop_requested.send_robust(sender=Message, reply_id=reply.pk), robust=True)


def regenerate(*, user: User, message_id: UUID) -> Message:
    """Discard the last answer and queue another, which is returned. Raises Message.DoesNotExist, CannotRegenerate."""
    message = Message.objects.get(pk=message_id, conversation__user=user, role=Message.Role.ASSISTANT)
    with locked(message.conversation_id) as log:
        shown = Message.objects.filter(conversation=log.conversation).exclude(status=Status.DISCARDED)
        last = shown.order_by("-position").first()
        asked = shown.filter(role=Message.Role.USER).order_by("-position").first()
        if last != message or message.is_active or last.is_active or asked is None or asked.is_flagged:
            raise CannotRegenerate
        if log.conversation.owner != Conversation.Owner.ASSISTANT:
            raise CannotRegenerate
        log.change(last, status=Status.DISCARDED)
        reply = log.new_reply()
        log.append(reply)
    return reply


def take_over(*, conversation_id: UUID) -> None:
    """A human answers from here on: the running reply is discarded and can no longer be written. Done once, whoever asks again."""
    with locked(conversation_id) as log:
        if log.conversation.owner == Conversation.Owner.AGENT:
            return
        log.conversation.owner = Conversation.Owner.AGENT
        log.conversation.owner_epoch += 1
        log.append(Message(role=Message.Role.SYSTEM, type=Message.Type.EVENT, metadata={"event": "agent_took_over"}))
        if reply := log.active_reply():
            log.change(reply, status=Status.DISCARDED, lease_expires_at=None)
            _tell_worker(reply)


def withhold(*, message: Message, categories: list[str], provider: str, notice: str, error: dict[str, str]) -> None:
    """Flag a message, once, and in the same transaction let no answer to it stand.

    A running reply ends with `notice`; a sent one is replaced by it.
    """
    with suppress(Conversation.DoesNotExist), locked(message.conversation_id) as log:
        if services.record_moderation(message_id=message.pk, flagged=True, categories=categories, provider=provider):
            _replace_answer(log, message, notice, error)


def _replace_answer(log: Log, message: Message, notice: str, error: dict[str, str]) -> None:
    shown = Message.objects.filter(
        conversation=log.conversation, role=Message.Role.ASSISTANT, position__gt=message.position
    ).exclude(status=Status.DISCARDED)
    reply = shown.order_by("position").first()
    ending: dict[str, Any] = {
        "status": Status.STOPPED,
        "content": notice,
        "sources": [],
        "metadata": {"error": error},
    }
    if reply is not None and reply.is_active:
        log.change(reply, lease_expires_at=None, **ending)
        _tell_worker(reply)
        _queue_next(log, after=reply.position)
        return
    if reply is not None:
        log.change(reply, status=Status.DISCARDED)
    log.append(Message(role=Message.Role.ASSISTANT, language=message.language, **ending))


def sweep(*, now: datetime | None = None) -> list[UUID]:
    """Put abandoned and overlooked replies back in the queue; returns the ids to dispatch."""
    now = now or timezone.now()
    due = Message.objects.filter(status__in=Message.ACTIVE, lease_expires_at__lte=now)
    ids = list(due.values_list("pk", flat=True)[:500])
    due.filter(pk__in=ids).update(status=Status.QUEUED, lease_expires_at=now + DISPATCH_GRACE)
    return ids
