"""The vectors of what was asked lately, kept by this process."""

import asyncio
from array import array
from collections import OrderedDict
from collections.abc import Sequence

from .providers.base import Embedder

QUESTIONS_KEPT = 2000


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


question_vectors = QuestionVectors(QUESTIONS_KEPT)
