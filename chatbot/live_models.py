"""What questions are searched with: the live embedding models, each with its head and calibrations."""

import asyncio
import time
from dataclasses import dataclass, field, replace

import structlog
from django.db import DatabaseError, InterfaceError

from faqs import selectors
from faqs.models import EmbeddingModel

from . import confidence, ranking, runtime
from .confidence import Calibration
from .providers import registry
from .providers.base import Embedder

log = structlog.get_logger(__name__)
MODELS_SECONDS = 5.0


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


live_models = LiveModels()
