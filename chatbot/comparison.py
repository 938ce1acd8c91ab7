"""How the golden questions come out, with the live models or with one that might take their place."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from faqs.models import EmbeddingModel

from . import golden, retrieval, runtime
from .golden import GoldenQuestion
from .live_models import live_models, with_head
from .providers.base import Embedder
from .retrieval import Decision, Retrieved


@dataclass
class Tally:
    """`right`: answered by the expected FAQ, or declined where nothing answers. `asked_back` with the expected FAQ among the two."""

    right: int = 0
    asked_back: int = 0
    declined: int = 0
    wrong: int = 0

    def count(self, asked: GoldenQuestion, found: Retrieved) -> None:
        shown = [passage.faq_id for passage in found.passages]
        if found.decision is Decision.DECLINE:
            name = "right" if asked.faq_id is None else "declined"
        elif found.decision is Decision.CLARIFY:
            name = "asked_back" if asked.faq_id in (*shown[:2], None) else "wrong"
        else:
            name = "right" if shown[0] == asked.faq_id else "wrong"
        setattr(self, name, getattr(self, name) + 1)

    def __str__(self) -> str:
        return f"{self.right} right, {self.asked_back} asked back, {self.declined} declined, {self.wrong} wrong"


def of_live_models() -> Tally:
    """Raises ProviderError."""
    live_models.forget()
    return _tally(lambda asked: retrieval.retrieve(asked.text, asked.language))


def of_model(model: EmbeddingModel, embedder: Embedder) -> Tally:
    """As if this model were live for the languages it covers, and nothing for the others. Raises ProviderError."""
    live = with_head(model, embedder)
    return _tally(lambda asked: retrieval.retrieve(asked.text, asked.language, using=live))


def _tally(ask: Callable[[GoldenQuestion], Awaitable[Retrieved]]) -> Tally:
    async def run() -> Tally:
        tally = Tally()
        for asked in questions:
            tally.count(asked, await ask(asked))
        return tally

    questions = golden.questions()
    return runtime.run(run())
