"""From a question to passages and a decision: answer, ask back, or say that the knowledge base does not know."""

import asyncio
import contextlib
from collections.abc import Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from enum import StrEnum

import numpy as np
from django.db import DatabaseError, InterfaceError

from faqs import selectors
from faqs.selectors import Passage
from rest.problems import Unavailable

from . import confidence, followups, guard, runtime, understanding, wishes
from .confidence import Calibration
from .live_models import LiveModel, live_models
from .providers.base import ProviderError
from .question_vectors import question_vectors

TOP_K = 5
# So many of the nearest FAQs are ranked by the head as well.
RANKED = 20


class Decision(StrEnum):
    """In the order of how much a visitor gets."""

    ANSWER = "answer"
    CLARIFY = "clarify"
    DECLINE = "decline"


@dataclass(frozen=True)
class Retrieved:
    """What was found for a question. `confidence` is the probability that the first passage answers it, `known` that any FAQ does.

    A question in several parts has one of these for each in `parts`, and in `passages` the first passage of each that is answered.
    """

    decision: Decision
    passages: Sequence[Passage] = field(default_factory=list)
    confidence: float = 0.0
    known: float = 0.0
    question: str = ""
    parts: Sequence["Retrieved"] = field(default_factory=list)


Searched = tuple[Sequence[float], list[Passage]]
Begun = dict[tuple[int, str, str], asyncio.Task[Searched]]
# The searches that this task began before it knew that it needs them.
_begun: ContextVar[asyncio.Task[Begun] | None] = ContextVar("begun", default=None)


def search_ahead(question: str, language: str) -> None:
    """Begin to look for what is probably asked, for a `retrieve` of this task. `language` is the conversation's."""
    if not understanding.small_talk(question):
        begun = asyncio.create_task(_begin(question, language))
        begun.add_done_callback(runtime.forget_error)
        _begun.set(begun)


async def _begin(question: str, language: str) -> Begun:
    language = understanding.language_of(question, language)
    live = await live_models.covering(language)
    if live is None:
        return {}
    begun = {
        (live.model.pk, part, language): asyncio.create_task(_searched(live, part, language))
        for part in followups.parts(question)
    }
    for search in begun.values():
        search.add_done_callback(runtime.forget_error)
    return begun


async def retrieve(
    question: str,
    language: str,
    *,
    asked_before: Sequence[str] = (),
    asked_back: bool = False,
    using: LiveModel | None = None,
) -> Retrieved:
    """Search the published FAQs for each thing that is asked.

    `asked_before` are the visitor's earlier messages; after a question was asked back (`asked_back`) none is asked back again.
    `using` searches with another than the live model. Raises ProviderError when the question cannot be embedded.
    """
    live = using or await live_models.covering(language)
    if live is None:
        return Retrieved(Decision.DECLINE, question=question)
    asked = followups.parts(question)
    found = [
        await _read(live, part, language, [*asked_before, *asked[:number]], asked_back=asked_back)
        for number, part in enumerate(asked)
    ]
    if len(found) > 1 and all(one.decision is Decision.DECLINE for one in found):
        found = [await _read(live, question, language, asked_before, asked_back=asked_back)]
    return found[0] if len(found) == 1 else _joined(question, found)


async def _read(
    live: LiveModel, question: str, language: str, asked_before: Sequence[str], *, asked_back: bool
) -> Retrieved:
    """The first way to read a question that finds an answer, else the most promising one."""
    found = []
    for reading in followups.readings(question, asked_before):
        found.append(await _search(live, reading, language))
        if found[-1].decision is Decision.ANSWER:
            break
    best = max(found, key=lambda one: (one.decision is Decision.ANSWER, one.confidence))
    best = replace(best, question=question)
    return _settled(best) if asked_back and best.decision is Decision.CLARIFY else best


def _settled(found: Retrieved) -> Retrieved:
    """Instead of asking back once more: answer what is more likely right than wrong."""
    likely = found.confidence >= 0.5
    return replace(found, decision=Decision.ANSWER if likely else Decision.DECLINE)


def _joined(question: str, parts: Sequence[Retrieved]) -> Retrieved:
    """One finding for all parts: first what answers them, then what else was found."""
    answered = [part for part in parts if part.decision is Decision.ANSWER]
    first = [part.passages[0] for part in answered]
    rest = [passage for part in parts for passage in part.passages[:2]]
    passages = list({passage.faq_id: passage for passage in [*first, *rest]}.values())
    decision = min((part.decision for part in parts), key=list(Decision).index)
    confidence = min(part.confidence for part in answered or parts)
    return Retrieved(decision, passages, confidence, max(part.known for part in parts), question, parts)


async def is_wish_for_human(question: str, language: str, found: Retrieved) -> bool:
    """Whether a question that found no answer is nearer to the wish for a person than to any FAQ. Raises ProviderError."""
    live = await live_models.covering(language)
    if live is None or found.decision is Decision.ANSWER:
        return False
    vector = await question_vectors.of(live.embedder, question)
    return await wishes.is_wish_for_human(live.embedder, vector, max((one.score for one in found.passages), default=0))


async def _search(live: LiveModel, question: str, language: str) -> Retrieved:
    ahead = await _searched_ahead(live, question, language)
    vector, candidates = ahead or await _searched(live, question, language)
    return judge(live, question, vector, candidates, language)


async def _searched_ahead(live: LiveModel, question: str, language: str) -> Searched | None:
    """None when this search was not begun, or failed."""
    if (begun := _begun.get()) is None:
        return None
    with contextlib.suppress(ProviderError, DatabaseError, InterfaceError):
        search = (await begun).get((live.model.pk, question, language))
        return await search if search is not None else None
    return None


async def _searched(live: LiveModel, question: str, language: str) -> Searched:
    vector = await question_vectors.of(live.embedder, question)
    candidates = await runtime.ask(
        selectors.searching(model=live.model, vector=vector, query_text=question, language=language, limit=RANKED)
    )
    return vector, candidates


def judge(
    live: LiveModel, question: str, vector: Sequence[float], candidates: Sequence[Passage], language: str
) -> Retrieved:
    """Rank the candidates and decide what their scores allow."""
    if not candidates:
        return Retrieved(Decision.DECLINE, question=question)
    faq_ids = np.array([passage.faq_id for passage in candidates])
    head = live.head.scores(np.asarray(vector, dtype=np.float32), faq_ids) if live.head else None
    cosines = np.array([[passage.score for passage in candidates]])
    order, features = confidence.features_of(cosines, None if head is None else head[None].astype(np.float64))
    calibration = live.calibration(language, with_head=head is not None)
    right, known = (float(probability[0]) for probability in calibration.probabilities(features))
    passages = [candidates[place] for place in order[0][:TOP_K]]
    decision = _decision(right, known, calibration)
    if decision is Decision.ANSWER and guard.conflict(question, passages[0].question):
        decision = Decision.CLARIFY
    return Retrieved(decision, passages, right, known, question)


def _decision(right: float, known: float, calibration: Calibration) -> Decision:
    if known < calibration.decline:
        return Decision.DECLINE
    return Decision.ANSWER if right >= calibration.answer else Decision.CLARIFY


def preview(question: str, language: str) -> tuple[str, list[Passage]]:
    """What a visitor's question would find now, for editors."""
    found = runtime.run(retrieve(question, language))
    return found.decision.value, list(found.passages)


def lookup(question: str, language: str) -> tuple[str, list[Passage]]:
    """The same for the API. Raises Unavailable."""
    try:
        return preview(question, language)
    except ProviderError:
        raise Unavailable from None
