"""From a question to passages and a decision: answer, ask back, or say that the knowledge base does not know."""

import asyncio
import contextlib
import time
from array import array
from collections import OrderedDict
from collections.abc import Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from enum import StrEnum

import numpy as np
import structlog
from django.db import DatabaseError, InterfaceError

from faqs import selectors
from faqs.models import EmbeddingModel
from faqs.selectors import Passage
from rest.problems import Unavailable

from . import confidence, followups, guard, ranking, runtime, understanding, wishes
from .confidence import Calibration
from .providers import registry
from .providers.base import Embedder, ProviderError

log = structlog.get_logger(__name__)
TOP_K = 5
# So many of the nearest FAQs are ranked by the head as well.
RANKED = 20
MODELS_SECONDS = 5.0
QUESTIONS_KEPT = 2000


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


@dataclass(frozen=True)
class LiveModel:
    """A model that questions are searched with, its head while there is a fresh one, and its calibrations by language."""

    model: EmbeddingModel
    embedder: Embedder
    head_id: int | None = None
    head: ranking.Head | None = None
    calibrations: dict[str, Calibration] = field(default_factory=dict)

    def calibration(self, language: str, *, with_head: bool) -> Calibration:
        """Those of the installation hold for the ranking that they were fitted with."""
        if with_head == (self.head is not None) and language in self.calibrations:
            return self.calibrations[language]
        return confidence.shipped(self.model.name, with_head=with_head)


@dataclass
class LiveModels:
    """The models that questions are searched with, looked up again in the background after some seconds."""

    models: list[LiveModel] = field(default_factory=list)
    until: float = 0.0
    looking: "asyncio.Task[None] | None" = None

    async def covering(self, language: str) -> LiveModel | None:
        """The model made for this language before one made for all. No question waits for a second look."""
        if not self.models:
            await self._refresh()
        elif self._is_due() and not runtime.in_trial():
            self.looking = asyncio.create_task(self._refresh_if_possible())
        covering = [live for live in self.models if live.model.covers(language)]
        return min(covering, key=lambda live: not live.model.languages, default=None)

    def _is_due(self) -> bool:
        return time.monotonic() > self.until and (self.looking is None or self.looking.done())

    async def _refresh(self) -> None:
        self.models = await runtime.db(self._look_up)
        self.until = time.monotonic() + MODELS_SECONDS

    async def _refresh_if_possible(self) -> None:
        """What is known stays in use while the database is away."""
        try:
            await self._refresh()
        except (DatabaseError, InterfaceError) as error:
            log.warning("models_not_refreshed", error=type(error).__name__)

    def _look_up(self) -> list[LiveModel]:
        known = {live.model.pk: live for live in self.models}
        return [with_head(model, embedder, known.get(model.pk)) for model, embedder in registry.usable_models()]

    def forget(self) -> None:
        self.models = []


def with_head(model: EmbeddingModel, embedder: Embedder, before: LiveModel | None = None) -> LiveModel:
    """The newest head if it was fitted on the present vectors; the one already loaded is not read again."""
    stored = selectors.fresh_head(model)
    if stored is None:
        return LiveModel(model, embedder)
    if before is not None and before.head_id == stored.pk:
        return replace(before, model=model, embedder=embedder)
    head = ranking.Head.from_bytes(bytes(stored.weights)) if stored.weights else None
    calibrations = {language: Calibration(**values) for language, values in stored.calibrations.items()}
    return LiveModel(model, embedder, stored.pk, head, calibrations)


class QuestionVectors:
    """The vectors of the latest questions: what many visitors ask in the same words, or several look for, is embedded once."""

    def __init__(self, size: int) -> None:
        self.size = size
        self._vectors: OrderedDict[tuple[str, str, str], array[float]] = OrderedDict()
        self._coming: dict[tuple[str, str, str], asyncio.Task[array[float]]] = {}

    async def of(self, embedder: Embedder, question: str) -> Sequence[float]:
        """Raises ProviderError when the question cannot be embedded."""
        key = (embedder.provider, embedder.name, question)
        if key in self._vectors:
            self._vectors.move_to_end(key)
            return self._vectors[key]
        if key not in self._coming:
            self._coming[key] = asyncio.create_task(self._embed(embedder, question))
            self._coming[key].add_done_callback(lambda _: self._coming.pop(key))
        # Whoever gives up does so for himself.
        self._vectors[key] = await asyncio.shield(self._coming[key])
        if len(self._vectors) > self.size:
            self._vectors.popitem(last=False)
        return self._vectors[key]

    async def _embed(self, embedder: Embedder, question: str) -> "array[float]":
        return array("f", (await embedder.embed([question]))[0])

    def forget(self) -> None:
        self._vectors.clear()


live_models = LiveModels()
question_vectors = QuestionVectors(QUESTIONS_KEPT)


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
