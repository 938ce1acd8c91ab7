"""The publish gate: asks the golden questions before and after a change, and lets it go live only when none is answered worse.

Both are asked through `retrieval`, the second time inside the transaction that makes the change: what was measured is what is
committed, or nobody ever sees it.
"""

from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import Any

import structlog
from django.core.cache import cache
from django.db import transaction
from redis.exceptions import RedisError

from faqs import publishing, selectors
from faqs.models import GoldenQuestion, PublishRun

from . import embedding, fitting, runtime
from .live_models import live_models
from .providers.base import ProviderError
from .retrieval import Decision, retrieve

log = structlog.get_logger(__name__)
BATCH = 10
PROGRESS_SECONDS = 600
Status = PublishRun.Status


@dataclass(frozen=True)
class Answer:
    """What a golden question gets: the decision, and the best FAQ where one is shown."""

    decision: str
    faq_id: int | None = None
    question: str = ""
    # 2: as expected; 1: the assistant asks back, the expected FAQ among what it offers; 0: otherwise.
    quality: int = 0


@dataclass(frozen=True)
class Change:
    """A golden question that the change answers differently; `kind` is "regressed", "fixed" or "changed"."""

    question: str
    language: str
    expected: str
    kind: str
    before: Answer
    after: Answer


class Undo(Exception):
    """Takes the change back."""


def pass_through(run_id: int) -> bool:
    """Take a run through the gate; False when it did not come to its end: another worker has it, or it must be tried again."""
    if not publishing.begin(run_id):
        return False
    try:
        with transaction.atomic():
            run = publishing.take(run_id)
            if run is not None:
                _judge(run)
    except ProviderError as error:
        # The sweep comes back to it.
        log.warning("publishing_postponed", run_id=run_id, error=error.code)
        publishing.note_error(run_id, str(error) or error.code)
        return False
    finally:
        live_models.forget()
    return run is not None


def _judge(run: PublishRun) -> None:
    golden = selectors.golden_questions()
    before = _ask(run, golden, asked=0)
    changes: list[Change] = []
    try:
        with suppress(Undo), transaction.atomic():
            publishing.go_live(run)
            _index(run.faq_id)
            changes = _changes(golden, before, _ask(run, golden, asked=len(golden)))
            status = _verdict(run, changes)
            if run.action == PublishRun.Action.CHECK or status != Status.DONE:
                raise Undo
    except publishing.Stale as stale:
        publishing.end(run, Status.STALE, error=str(stale))
        return
    publishing.end(run, status, changes=[asdict(change) for change in changes], questions=len(golden))


def _index(faq_id: int) -> None:
    """Make everything that retrieval reads follow the change, in this transaction. Raises ProviderError."""
    embedding.embed_faq(faq_id)
    fitting.fit_stale()


def _verdict(run: PublishRun, changes: Iterable[Change]) -> str:
    worse = any(change.kind == "regressed" for change in changes)
    if worse and run.action != PublishRun.Action.CHECK and not run.override_reason:
        return Status.BLOCKED
    return Status.DONE


def _ask(run: PublishRun, golden: Sequence[GoldenQuestion], *, asked: int) -> list[Answer]:
    """The answers as this transaction sees the knowledge base. Raises ProviderError."""
    answers: list[Answer] = []
    # What this process remembers of the index is of before the change, or of one that was taken back.
    live_models.forget()
    for start in range(0, len(golden), BATCH):
        _note_progress(run.pk, asked + start, 2 * len(golden))
        answers += runtime.run_here(_answers(golden[start : start + BATCH]))
    return answers


async def _answers(golden: Sequence[GoldenQuestion]) -> list[Answer]:
    return [await _answer(one) for one in golden]


async def _answer(golden: GoldenQuestion) -> Answer:
    found = await retrieve(golden.question, golden.language)
    shown = (
        [] if found.decision is Decision.DECLINE else found.passages[: 2 if found.decision is Decision.CLARIFY else 1]
    )
    quality = _quality(found.decision, [passage.faq_id for passage in shown], golden.expected_id)
    if not shown:
        return Answer(found.decision.value, quality=quality)
    return Answer(found.decision.value, shown[0].faq_id, shown[0].question, quality)


def _quality(decision: Decision, shown: Sequence[int], expected: int | None) -> int:
    if expected is None:
        return {Decision.DECLINE: 2, Decision.CLARIFY: 1}.get(decision, 0)
    if expected not in shown:
        return 0
    return 2 if decision is Decision.ANSWER else 1


def _changes(golden: Sequence[GoldenQuestion], before: Sequence[Answer], after: Sequence[Answer]) -> list[Change]:
    """What is answered differently, the worse first."""
    changes = [
        Change(one.question, one.language, one.expected.question if one.expected else "", _kind(old, new), old, new)
        for one, old, new in zip(golden, before, after, strict=True)
        if (old.decision, old.faq_id) != (new.decision, new.faq_id) or old.quality != new.quality
    ]
    return sorted(changes, key=lambda change: ["regressed", "fixed", "changed"].index(change.kind))


def _kind(old: Answer, new: Answer) -> str:
    if old.quality == new.quality:
        return "changed"
    return "regressed" if new.quality < old.quality else "fixed"


def _key(run_id: int) -> str:
    return f"publishing.{run_id}"


def _note_progress(run_id: int, asked: int, total: int) -> None:
    """For who watches; nothing depends on it."""
    try:
        cache.set(_key(run_id), {"asked": asked, "total": total}, PROGRESS_SECONDS)
    except (RedisError, OSError) as error:
        log.warning("progress_not_shown", error=type(error).__name__)


def progress_of(run_id: int) -> dict[str, Any]:
    """How many of how many answers a running run has seen; empty when nothing is known."""
    try:
        return dict(cache.get(_key(run_id)) or {})
    except (RedisError, OSError):
        return {}
