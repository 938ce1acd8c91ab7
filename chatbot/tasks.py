"""The work off the request path. Every task may run twice or late: the database decides what is left to do."""

import threading
from collections.abc import Iterable
from concurrent.futures import CancelledError
from contextlib import suppress
from datetime import timedelta
from uuid import UUID

import structlog
from celery import shared_task
from celery.signals import heartbeat_sent, worker_ready
from django.conf import settings
from django.core.cache import cache as shared_cache
from django.db import DatabaseError
from django.utils import timezone
from redis.exceptions import RedisError

import faqs.services
from accounts.privacy import erasure, export, retention
from conversations import replies, selectors, services
from conversations.models import Message
from faqs import curation, publishing
from faqs import selectors as knowledge
from faqs.models import FAQ

from . import analysis, collector, embedding, fitting, gaps, gate, health, live, runtime, titles, turn, understanding
from .events import dispatch
from .metrics import SWEPT
from .once import once
from .providers import registry
from .providers.base import ProviderError, ProviderRejected
from .providers.local import LocalModerator
from .wording import say

log = structlog.get_logger(__name__)

MODERATION_GRACE = timedelta(seconds=30)
MODERATION_BATCH = 20
# A little less than the time between two sweeps.
SWEEP_SECONDS = 50.0
LINKS_AGE = timedelta(days=1)
LINKS_BATCH = 100
FIT_SECONDS = 2


@once
def publisher() -> live.Publisher:
    """This worker's publisher; the first call also starts to listen for stops."""

    async def start() -> live.Publisher:
        import asyncio

        publisher.listener = asyncio.create_task(live.listen_for_stops(turn.stop))  # type: ignore[attr-defined]
        return live.Publisher(live.connect())

    return runtime.run(start())


@shared_task
def run_reply(reply_id: str, asked: str = "", language: str = "en") -> None:
    """`asked` in a conversation of this language is probably what is to be answered."""
    ended = runtime.run(turn.take(UUID(reply_id), publisher(), asked=asked, language=language))
    if ended is not None and not ended.conversation.title:
        dispatch(generate_title, str(ended.conversation_id))


@shared_task
def sweep_replies() -> None:
    for reply_id in replies.sweep():
        SWEPT.inc()
        dispatch(run_reply, str(reply_id))


@shared_task
def generate_title(conversation_id: str) -> None:
    messages = selectors.first_exchange(UUID(conversation_id))
    title = runtime.run(titles.title_of(messages))
    services.set_title_if_untitled(conversation_id=UUID(conversation_id), title=title)


@shared_task
def moderate_messages(message_ids: list[str]) -> None:
    _moderate_all(Message.objects.filter(pk__in=message_ids))


def _moderate_all(messages: Iterable[Message]) -> None:
    try:
        for message in messages:
            if message.moderation is None:
                _moderate(message)
    except ProviderError as error:
        # The sweep comes back to them.
        log.warning("moderation_postponed", error=error.code)


def _moderate(message: Message) -> None:
    """Store the verdict on one message and let no answer to a flagged one stand. Raises ProviderError."""
    try:
        verdict = runtime.run(registry.moderator().moderate(message.content))
    except ProviderRejected:
        # A compatible server without moderation: the local rules are better than nothing.
        verdict = runtime.run(LocalModerator().moderate(message.content))
    categories = list(verdict.categories)
    if not verdict.flagged:
        services.record_moderation(
            message_id=message.pk, flagged=False, categories=categories, provider=verdict.provider
        )
        return
    notice = say("self_harm" if any("self" in category for category in categories) else "moderated", message.language)
    replies.withhold(
        message=message,
        categories=categories,
        provider=verdict.provider,
        notice=notice,
        error={"code": "moderated", "message": notice},
    )


@shared_task
def sweep_moderation() -> None:
    waiting = [str(pk) for pk in selectors.unmoderated(before=timezone.now() - MODERATION_GRACE)]
    for start in range(0, len(waiting), MODERATION_BATCH):
        dispatch(moderate_messages, waiting[start : start + MODERATION_BATCH])


@shared_task
def analyse_messages(message_ids: list[str]) -> None:
    _analyse_all(Message.objects.filter(pk__in=message_ids))


def _analyse_all(messages: Iterable[Message]) -> None:
    try:
        for message in messages:
            if message.analysis is None:
                analysis.analyse(message)
    except ProviderError as error:
        # The sweep comes back to them.
        log.warning("analysis_postponed", error=error.code)


@shared_task
def examine_messages(message_ids: list[str]) -> None:
    """What is to be known of new messages, in one task because the way of a task costs more than either."""
    messages = list(Message.objects.filter(pk__in=message_ids))
    _moderate_all(messages)
    _analyse_all(messages)


@shared_task
def sweep_analysis() -> None:
    waiting = [str(pk) for pk in selectors.unread(before=timezone.now() - MODERATION_GRACE)]
    for start in range(0, len(waiting), MODERATION_BATCH):
        dispatch(analyse_messages, waiting[start : start + MODERATION_BATCH])


@shared_task
def embed_faq(faq_id: int) -> None:
    try:
        embedding.embed_faq(faq_id)
    except ProviderError as error:
        # The sweep comes back to it.
        log.warning("embedding_postponed", faq_id=faq_id, error=error.code)
    fit_soon()


@shared_task
def sweep_embeddings() -> None:
    embedding.embed_stale(seconds=SWEEP_SECONDS)
    fit_heads()
    embedding.switch_when_built()


def fit_soon() -> None:
    """Fit once for all the changes of the next moment."""
    try:
        if shared_cache.add("fit-heads", True, timeout=FIT_SECONDS):
            dispatch(fit_heads, countdown=FIT_SECONDS)
    except (RedisError, OSError) as error:
        # The sweep does it.
        log.warning("fit_postponed", error=type(error).__name__)


@shared_task
def fit_heads() -> None:
    try:
        fitting.fit_stale()
    except ProviderError as error:
        log.warning("fit_postponed", error=error.code)


@shared_task
def count_words() -> None:
    faqs.services.count_words()


@shared_task
def record_gap(message_id: str) -> None:
    try:
        gaps.record(UUID(message_id))
    except ProviderError as error:
        # The sweep comes back to it.
        log.warning("gap_postponed", message_id=message_id, error=error.code)


@shared_task
def sweep_gaps() -> None:
    try:
        gaps.sweep()
    except ProviderError as error:
        log.warning("gaps_postponed", error=error.code)


@shared_task
def publish(run_id: int) -> None:
    if gate.pass_through(run_id):
        sweep_publishing()


@shared_task
def sweep_publishing() -> None:
    """One at a time goes through the gate; each passes the turn on."""
    if waiting := publishing.due():
        dispatch(publish, waiting[0])


@shared_task
def check_links(faq_id: int) -> None:
    with suppress(FAQ.DoesNotExist):
        curation.check_links(faq_id=faq_id)


@shared_task
def sweep_links() -> None:
    if settings.LINK_CHECKS:
        for faq_id in knowledge.links_due(timezone.now() - LINKS_AGE, LINKS_BATCH):
            dispatch(check_links, faq_id)


@shared_task
def make_export(export_id: str) -> None:
    export.make(UUID(export_id))


@shared_task
def sweep_privacy() -> None:
    """Copies that wait for a worker, and people whose time to be forgotten has come."""
    for export_id in export.stalled():
        dispatch(make_export, str(export_id))
    for one in erasure.due():
        try:
            erasure.carry_out(one.pk)
        except (RedisError, OSError, DatabaseError) as error:
            # Nothing of it was done; the others do not wait for it.
            log.warning("erasure_postponed", erasure_id=str(one.pk), error=type(error).__name__)


@shared_task
def apply_retention() -> None:
    log.info("retention_applied", **retention.apply())


def warm_up() -> None:
    """Load the models before somebody waits for them, and have Python look through none of this again."""
    understanding.language_of("Good morning", "en")
    for embedder in registry.embedders():
        if embedder.provider == "local":
            runtime.run(embedder.embed(["Good morning"]))
    collector.freeze()


@worker_ready.connect
def warm_up_beside(sender: object, **kwargs: object) -> None:
    threading.Thread(target=_warm_up_unless_ended, name="warm-up", daemon=True).start()


def _warm_up_unless_ended() -> None:
    """A worker may be asked to end before it is warm."""
    with suppress(CancelledError):
        warm_up()


@heartbeat_sent.connect
def note_worker(sender: object, **kwargs: object) -> None:
    health.note_worker(getattr(sender, "eventer", None))
