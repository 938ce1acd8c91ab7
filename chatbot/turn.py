"""One turn of a reply, top to bottom: claim, understand, retrieve, decide, compose, validate citations, commit.

The reply's text goes to the sockets as it is written (`live`); only its end is written to the database, under the claimed attempt.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from contextvars import Context
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import UUID

import structlog
from django.conf import settings
from django.db import DatabaseError, DataError, IntegrityError, InterfaceError

from conversations import replies, services
from conversations.models import Message
from conversations.replies import Claimed, Outcome, Said

from . import compose, live, mood, notes, prompt, runtime, understanding
from .citations import Citations
from .metrics import FENCED, FIRST_TOKEN, REPLIES, REPLY_SECONDS
from .providers import registry
from .providers.base import ChatMessage, ProviderError
from .retrieval import Decision, Retrieved, is_wish_for_human, retrieve, search_ahead
from .wording import say

log = structlog.get_logger(__name__)

MAX_ATTEMPTS = 5
DATABASE_AWAY = (DatabaseError, InterfaceError)
# Tried again they would fail again: a bug of ours, or a text that PostgreSQL refuses.
OUR_FAULTS = (DataError, IntegrityError)
HEARTBEAT_SECONDS = replies.LEASE.total_seconds() / 3
Status = Message.Status


@dataclass
class Turn:
    """What is known about one attempt while it runs. `stopping` is "stop" or "lost" once it must end early."""

    reply: Message
    stream: live.Stream
    publisher: live.Publisher
    language: str
    said: list[Said]
    started: float = field(default_factory=time.monotonic)
    stopping: str = ""
    question: str = ""
    retrieved: Retrieved = field(default_factory=lambda: Retrieved(Decision.DECLINE))
    citations: Citations = field(default_factory=lambda: Citations(0))
    occasion: str = ""
    offers_human: bool = False
    usage_tokens: int = 0
    model_used: str = ""
    writing: "asyncio.Task[None] | None" = None

    def end(self, why: str) -> None:
        """Stop writing: "stop" keeps what was shown, "lost" writes nothing."""
        self.stopping = self.stopping or why
        if self.writing is not None:
            self.writing.cancel()


running: dict[str, Turn] = {}
_heartbeat: "asyncio.Task[None] | None" = None


def stop(message_id: str) -> None:
    """End a reply that this process is writing; others are none of its business."""
    if turn := running.get(message_id):
        turn.end("stop")


async def take(reply_id: UUID, publisher: live.Publisher, *, asked: str = "", language: str = "") -> Message | None:
    """Claim a reply and write it to its end. Returns the ended reply; None when there was nothing to claim or it was lost on the way.

    What is probably `asked`, in a conversation of this language, is looked for meanwhile.
    """
    if asked:
        search_ahead(asked, language)
    claimed = await runtime.ask(replies.claiming(reply_id, history=settings.REPLY_HISTORY_MESSAGES))
    return await _write(claimed, publisher) if claimed is not None else None


async def _write(claimed: Claimed, publisher: live.Publisher) -> Message | None:
    reply, said = claimed
    stream = live.Stream(str(reply.conversation_id), str(reply.pk), reply.attempt)
    turn = Turn(reply, stream, publisher, reply.language, said)
    structlog.contextvars.bind_contextvars(message_id=str(reply.pk), conversation_id=str(reply.conversation_id))
    _run(turn)
    try:
        outcome = await _outcome(turn)
    finally:
        if running.get(str(reply.pk)) is turn:
            del running[str(reply.pk)]
    if outcome is None:
        FENCED.inc()
        return None
    ended = await _finish(turn, outcome)
    _record(turn, ended)
    return ended


async def _finish(turn: Turn, outcome: Outcome) -> Message | None:
    """Store how a reply ended; when that cannot be stored, with nothing but an apology."""
    try:
        return await runtime.db(replies.finish, turn.reply, outcome)
    except OUR_FAULTS as fault:
        # Not with its text, in which PostgreSQL quotes the reply's.
        log.error("reply_not_stored", error=type(fault).__name__, state=getattr(fault.__cause__, "sqlstate", None))
    failed = _failed(turn, "internal")
    error = failed.metadata["error"]
    bare = replace(failed, content=error["message"], sources=[], metadata={"error": error})
    return await runtime.db(replies.finish, turn.reply, bare)


def _run(turn: Turn) -> None:
    """Count the turn among those whose leases are renewed, in place of an older attempt, whose lease must have lapsed."""
    global _heartbeat
    if older := running.get(str(turn.reply.pk)):
        older.end("lost")
    running[str(turn.reply.pk)] = turn
    if _heartbeat is None or _heartbeat.done():
        _heartbeat = asyncio.create_task(_hold_leases(), context=Context())


async def _outcome(turn: Turn) -> Outcome | None:
    """Write under the lease and the total deadline, and tell how it ended; None when the lease was lost."""
    if turn.reply.attempt > MAX_ATTEMPTS:
        return _failed(turn, "internal")
    if turn.reply.stop_requested_at is not None:
        return _written(turn, Status.STOPPED)
    turn.writing = asyncio.create_task(_write_in_time(turn))
    try:
        await asyncio.wait({turn.writing})
    finally:
        turn.writing.cancel()
    if turn.stopping == "lost":
        return None
    await turn.publisher.drain(turn.stream)
    if turn.writing.cancelled():
        return _written(turn, Status.STOPPED)
    return _judge(turn, turn.writing.exception())


def _judge(turn: Turn, error: BaseException | None) -> Outcome:
    """A database that is away is the sweeper's business; every other error ends the reply with an apology."""
    if error is None:
        return _written(turn, Status.SENT) if turn.stream.text.strip() else _failed(turn, "provider_empty")
    if isinstance(error, DATABASE_AWAY) and not isinstance(error, OUR_FAULTS):
        raise error
    if isinstance(error, ProviderError):
        log.warning("provider_failed", code=error.code, error=str(error))
        return _failed(turn, "provider_interrupted" if turn.stream.text else error.code)
    if isinstance(error, TimeoutError):
        return _failed(turn, "deadline_exceeded")
    log.error("turn_failed", exc_info=error)
    return _failed(turn, "internal")


async def _hold_leases() -> None:
    """Renew the leases of all running replies at once; a database that is away is tried again, until they are lost for good."""
    while running:
        await asyncio.sleep(HEARTBEAT_SECONDS)
        turns = list(running.values())
        try:
            held = await runtime.db(replies.renew, [turn.reply for turn in turns])
        except DATABASE_AWAY as error:
            log.warning("leases_not_renewed", error=type(error).__name__)
            continue
        for turn in turns:
            if turn.reply.pk not in held:
                turn.end("lost")
            elif held[turn.reply.pk]:
                turn.end("stop")


async def _write_in_time(turn: Turn) -> None:
    async with asyncio.timeout(settings.REPLY_DEADLINE_SECONDS):
        await _understand(turn)
        async for piece in turn.citations.filter(_with_offer(turn, await _pieces(turn))):
            if not turn.stream.text:
                FIRST_TOKEN.observe(time.monotonic() - turn.started)
            await turn.publisher.add(turn.stream, piece)
            if turn.stopping:
                # The cancellation was lost on its way here: before Python 3.12, asyncio.wait_for may swallow one, and redis-py uses it.
                raise asyncio.CancelledError


async def _understand(turn: Turn) -> None:
    """Read what is to be answered: everything the visitor said since the last answer, in the light of what came before."""
    before, asked = list(turn.said), list[str]()
    while before and before[-1].role == Message.Role.USER:
        asked.insert(0, before.pop().content)
    turn.question = "\n".join(asked)
    last: dict[str, Any] = next((one.metadata for one in reversed(before) if one.role == Message.Role.ASSISTANT), {})
    turn.language = understanding.language_of(turn.question, last.get("language", turn.language))
    felt = mood.annoyances([one.analysis for one in turn.said if one.role == Message.Role.USER])
    turn.offers_human = mood.is_too_much(felt) and not last.get("offered_human")
    turn.occasion = understanding.small_talk(turn.question) or ""
    if not turn.occasion and not understanding.wants_human(turn.question):
        turn.retrieved = await retrieve(
            turn.question,
            turn.language,
            asked_before=[one.content for one in before if one.role == Message.Role.USER],
            asked_back=last.get("decision") == Decision.CLARIFY,
        )
        turn.citations = Citations(len(turn.retrieved.passages))
    if not turn.occasion and await _wants_human(turn):
        turn.occasion = "human"
        turn.offers_human = False
        await runtime.db(services.request_human, conversation_id=turn.reply.conversation_id)


async def _wants_human(turn: Turn) -> bool:
    """By the words, else by the meaning."""
    if understanding.wants_human(turn.question):
        return True
    return await is_wish_for_human(turn.question, turn.language, turn.retrieved)


async def _pieces(turn: Turn) -> AsyncIterator[str]:
    """The reply's text as it comes: a set phrase, the language model, or the extractive composer."""
    if turn.occasion:
        return compose.spoken(say(turn.occasion, turn.language))
    if settings.CHAT_PROVIDER == "local":
        return compose.spoken(compose.text_for(turn.retrieved, turn.language))
    return _model_pieces(turn)


async def _with_offer(turn: Turn, pieces: AsyncIterator[str]) -> AsyncIterator[str]:
    """The reply, and for somebody who has had enough the offer of a person behind it."""
    async for piece in pieces:
        yield piece
    if turn.offers_human:
        yield "\n\n" + say("offer_human", turn.language)


async def _model_pieces(turn: Turn) -> AsyncIterator[str]:
    history = [ChatMessage("user" if one.role == Message.Role.USER else "assistant", one.content) for one in turn.said]
    messages = prompt.messages(turn.language, turn.retrieved.passages, history)
    stream = registry.chat().stream(messages)
    try:
        async for piece in stream:
            yield piece
            # What comes until the next batch leaves is read at once.
            await turn.publisher.tick()
        turn.model_used = stream.model
        turn.usage_tokens = stream.usage.prompt_tokens + stream.usage.completion_tokens
    finally:
        await stream.aclose()


def _written(turn: Turn, status: str) -> Outcome:
    """An end with what was shown: complete, or stopped by the visitor."""
    return Outcome(
        status=status,
        content=turn.stream.text.strip(),
        sources=notes.sources(turn),
        model_used=turn.model_used or "local",
        tokens_used=turn.usage_tokens,
        response_time_ms=round((time.monotonic() - turn.started) * 1000),
        confidence=notes.confidence(turn),
        metadata=notes.metadata(turn),
    )


def _failed(turn: Turn, code: str) -> Outcome:
    """An end with bad news: what was shown stays, and the visitor is told."""
    notice = say(code, turn.language)
    shown = turn.stream.text.strip()
    error = {"code": code, "message": notice}
    return Outcome(
        status=Status.FAILED,
        content=f"{shown}\n\n{notice}" if shown else notice,
        sources=notes.sources(turn),
        model_used=turn.model_used,
        response_time_ms=round((time.monotonic() - turn.started) * 1000),
        metadata=notes.metadata(turn) | {"error": error},
    )


def _record(turn: Turn, ended: Message | None) -> None:
    seconds = time.monotonic() - turn.started
    if ended is None:
        FENCED.inc()
        return
    REPLY_SECONDS.observe(seconds)
    REPLIES.labels(ended.status, (ended.metadata.get("error") or {}).get("code", "")).inc()
    log.info("reply_ended", status=ended.status, attempt=ended.attempt, seconds=round(seconds, 3))
