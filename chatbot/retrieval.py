"""From a question to passages and a decision: answer, ask back, or say that the knowledge base does not know."""

import time
from array import array
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum

import structlog

from faqs import selectors
from faqs.models import EmbeddingModel
from faqs.selectors import Passage
from rest.problems import Unavailable

from . import runtime, understanding
from .providers import registry
from .providers.base import Embedder, ProviderError

log = structlog.get_logger(__name__)
TOP_K = 5
MODELS_SECONDS = 5.0
QUESTIONS_KEPT = 2000


class Decision(StrEnum):
    """In the order of how much a visitor gets."""

    ANSWER = "answer"
    CLARIFY = "clarify"
    DECLINE = "decline"


@dataclass(frozen=True)
class Thresholds:
    """Cosine scores of one embedding model, and leads of the best FAQ over the second.

    `sure` answers whatever comes second, `likely` with a lead of `margin`, `possible` with the large lead of `clear`; below
    `possible` nothing is offered.
    """

    sure: float
    likely: float
    possible: float
    margin: float
    clear: float


# Where in-scope and foreign questions part on public sets and on the demo's golden questions: docs/models.md.
THRESHOLDS = {
    "bge-small-en-v1.5": Thresholds(sure=0.92, likely=0.78, possible=0.74, margin=0.015, clear=0.06),
    "use-multilingual-v3": Thresholds(sure=0.8, likely=0.55, possible=0.5, margin=0.03, clear=0.1),
}
OTHER_MODELS = Thresholds(sure=0.8, likely=0.55, possible=0.45, margin=0.03, clear=0.1)


@dataclass(frozen=True)
class Retrieved:
    decision: Decision
    passages: Sequence[Passage] = field(default_factory=list)


def decide(passages: Sequence[Passage], thresholds: Thresholds) -> Decision:
    """What the scores (best first) allow."""
    if not passages or passages[0].score < thresholds.possible:
        return Decision.DECLINE
    best = passages[0].score
    lead = best - passages[1].score if len(passages) > 1 else best
    if best >= thresholds.sure or lead >= thresholds.clear or (best >= thresholds.likely and lead >= thresholds.margin):
        return Decision.ANSWER
    return Decision.CLARIFY


@dataclass
class LiveModels:
    """The models that questions are searched with, looked up again after some seconds."""

    pairs: list[tuple[EmbeddingModel, Embedder]] = field(default_factory=list)
    until: float = 0.0

    async def covering(self, language: str) -> tuple[EmbeddingModel, Embedder] | None:
        """The model made for this language before one made for all."""
        if not self.pairs or time.monotonic() > self.until:
            self.pairs = await runtime.db(registry.usable_models)
            self.until = time.monotonic() + MODELS_SECONDS
        covering = [pair for pair in self.pairs if pair[0].covers(language)]
        return min(covering, key=lambda pair: not pair[0].languages, default=None)

    def forget(self) -> None:
        self.pairs = []


class QuestionVectors:
    """The vectors of the latest questions: what many visitors ask in the same words is embedded once."""

    def __init__(self, size: int) -> None:
        self.size = size
        self._vectors: OrderedDict[tuple[str, str, str], array[float]] = OrderedDict()

    async def of(self, embedder: Embedder, question: str) -> Sequence[float]:
        """Raises ProviderError when the question cannot be embedded."""
        key = (embedder.provider, embedder.name, question)
        if key not in self._vectors:
            self._vectors[key] = array("f", (await embedder.embed([question]))[0])
            if len(self._vectors) > self.size:
                self._vectors.popitem(last=False)
        self._vectors.move_to_end(key)
        return self._vectors[key]

    def forget(self) -> None:
        self._vectors.clear()


live_models = LiveModels()
question_vectors = QuestionVectors(QUESTIONS_KEPT)


async def retrieve(question: str, language: str, *, previous: str | None = None) -> Retrieved:
    """Search the published FAQs; a short follow-up that finds too little alone is read with the question before it.

    Raises ProviderError when the question cannot be embedded.
    """
    chosen = await live_models.covering(language)
    if chosen is None:
        return Retrieved(Decision.DECLINE)
    found = await _search(*chosen, question, language)
    together = understanding.standalone(question, previous)
    if found.decision is Decision.ANSWER or not together:
        return found
    again = await _search(*chosen, together, language)
    return min(found, again, key=lambda one: list(Decision).index(one.decision))


async def _search(model: EmbeddingModel, embedder: Embedder, question: str, language: str) -> Retrieved:
    vector = await question_vectors.of(embedder, question)
    passages = await runtime.db(
        selectors.search, model=model, vector=vector, query_text=question, language=language, limit=TOP_K
    )
    return Retrieved(decide(passages, THRESHOLDS.get(model.name, OTHER_MODELS)), passages)


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
