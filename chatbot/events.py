"""From the log's signals to the people who watch: frames over the channel layer, tasks over the broker.

Everything here is a hint that something is to be seen in the database. Losing one is repaired by the clients' sync and the sweeper.
"""

import asyncio
import contextlib
import time
from typing import Any
from uuid import UUID

import structlog
from celery import Task
from channels.layers import get_channel_layer
from django.conf import settings
from kombu.exceptions import OperationalError
from redis.exceptions import RedisError

from conversations.models import Conversation, Message

from . import gaps, live, protocol, runtime, search
from .metrics import DISPATCH_FAILURES, LIVE_FAILURES

log = structlog.get_logger(__name__)
SEND_SECONDS = 2
LONG_SECONDS = 1
AWAY_SECONDS = 2
_broker_away_until = 0.0


def group_of(user_id: UUID) -> str:
    return f"user.{user_id.hex}"


async def send(user_id: UUID, event: dict[str, Any]) -> None:
    """Send an event to all sockets of a user; a Redis that is away is not the caller's business."""
    layer = get_channel_layer()
    if layer is None:
        return
    try:
        async with asyncio.timeout(SEND_SECONDS):
            await layer.group_send(group_of(user_id), event)
    except (RedisError, OSError) as error:
        LIVE_FAILURES.labels("broadcast").inc()
        log.warning("broadcast_failed", error=type(error).__name__)


async def leave(user_id: UUID, channel: str) -> None:
    """Let a channel hear no more of a user. Who leaves does not wait for a Redis that is away."""
    layer = get_channel_layer()
    if layer is None:
        return
    with contextlib.suppress(RedisError, OSError):
        async with asyncio.timeout(SEND_SECONDS):
            await layer.group_discard(group_of(user_id), channel)


def broadcast(user_id: UUID, frames: list[protocol.Frame]) -> None:
    """Send frames to all sockets of a user, soon."""
    runtime.soon(send(user_id, {"type": "frames", "frames": frames, "sender": ""}))


def dispatch(task: "Task[Any, Any]", *args: Any, countdown: float = 0) -> None:
    """Queue a task if the broker can be reached.

    A sweep does it otherwise, but for a title, a gap that only a takeover or a verdict told of, and a link check before its day.
    After a failure that took long nobody waits for the broker for AWAY_SECONDS: a batch of tasks must not wait as often as it has tasks.
    """
    global _broker_away_until
    began = time.monotonic()
    if began < _broker_away_until:
        DISPATCH_FAILURES.labels(task.name).inc()
        return
    try:
        # Celery would put what it prints of the arguments, such as a question, beside them.
        task.apply_async(args=args, countdown=countdown, argsrepr="")  # type: ignore[call-arg]
    except (OperationalError, RedisError, OSError) as error:
        failed = time.monotonic()
        if failed - began > LONG_SECONDS:
            _broker_away_until = failed + AWAY_SECONDS
        DISPATCH_FAILURES.labels(task.name).inc()
        log.warning("dispatch_failed", task=task.name, error=type(error).__name__)


def on_log_changed(sender: type, *, user_id: UUID, messages: list[Message], **kwargs: Any) -> None:
    broadcast(user_id, [protocol.message_frame(message) for message in messages])
    if noted := [message for message in messages if gaps.concerns(message)]:
        from .tasks import record_gap

        for message in noted:
            dispatch(record_gap, str(message.pk))


def on_conversation_changed(sender: type, *, conversation: Conversation, deleted: bool, **kwargs: Any) -> None:
    broadcast(conversation.user_id, [protocol.conversation_frame(conversation, deleted=deleted)])


def on_message_posted(sender: type, *, messages: list[Message], **kwargs: Any) -> None:
    from .tasks import examine_messages

    dispatch(examine_messages, [str(message.pk) for message in messages])


def on_reply_queued(sender: type, *, reply: Message, asked: str, **kwargs: Any) -> None:
    from .tasks import run_reply

    dispatch(run_reply, str(reply.pk), asked, reply.language)


def on_stop_requested(sender: type, *, reply_id: UUID, **kwargs: Any) -> None:
    runtime.soon(live.request_stop(str(reply_id)))


def on_sign_in_ended(sender: type, *, user_id: UUID, **kwargs: Any) -> None:
    runtime.soon(send(user_id, {"type": "sign_in.ended"}))


def on_faqs_changed(sender: type, *, faq_ids: list[int], **kwargs: Any) -> None:
    """The sweep embeds many FAQs in fewer requests than a task for each."""
    from .tasks import sweep_embeddings

    search.forget_results()
    dispatch(sweep_embeddings)


def on_job_waiting(sender: type, *, job_id: int, **kwargs: Any) -> None:
    from faqs.tasks import TASKS

    dispatch(TASKS[sender], job_id)


def on_faq_changed(sender: type, *, faq_id: int, **kwargs: Any) -> None:
    from .tasks import check_links, embed_faq

    search.forget_results()
    dispatch(embed_faq, faq_id)
    if settings.LINK_CHECKS:
        dispatch(check_links, faq_id)


def on_publish_requested(sender: type, *, run_id: int, **kwargs: Any) -> None:
    from .tasks import publish

    dispatch(publish, run_id)


def on_export_requested(sender: type, *, export_id: UUID, **kwargs: Any) -> None:
    from .tasks import make_export

    dispatch(make_export, str(export_id))
