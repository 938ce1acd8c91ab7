"""How a visitor feels, by the meaning of what is said: a small regression over the vectors of examples (`mood.json`).

Made for precision: a calm question about something that went wrong is no complaint. One annoyed message is not enough to escalate.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from .providers.base import Embedder
from .ranking import Floats

MOODS = ("annoyed", "calm", "pleased")
EXAMPLES: dict[str, list[str]] = json.loads(Path(__file__).with_name("mood.json").read_text(encoding="utf-8"))
RIDGE = 1.0
# By how much annoyance must lead over the other moods to count, and to count as strong: docs/evaluation.md.
ANNOYED = 0.05
STRONG = 0.45
# Each message halves what the ones before it left; from here on a person is offered.
FADING = 0.5
TOO_MUCH = 1.5


@dataclass(frozen=True)
class Mood:
    """`sentiment` is from -1 to 1; `annoyance` is 0 for nearly everybody, 1 for an annoyed message, 1.5 for a strong one."""

    sentiment: float
    annoyance: float


@dataclass(frozen=True)
class Regression:
    """Ridge regression from a vector to how much it is like each of the moods."""

    mean: Floats
    slopes: Floats
    shares: Floats

    @classmethod
    def fit(cls, vectors: Floats, labels: NDArray[np.int64]) -> "Regression":
        wanted = np.eye(len(MOODS), dtype=np.float32)[labels]
        mean, shares = vectors.mean(axis=0), wanted.mean(axis=0)
        centred = vectors - mean
        alike = centred @ centred.T + RIDGE * np.eye(len(vectors), dtype=np.float32)
        return cls(mean, centred.T @ np.linalg.solve(alike, wanted - shares), shares)

    def __call__(self, vector: Floats) -> Mood:
        annoyed, calm, pleased = map(float, (vector - self.mean) @ self.slopes + self.shares)
        lead = annoyed - max(calm, pleased)
        annoyance = 0.0 if lead < ANNOYED else 1.0 if lead < STRONG else 1.5
        return Mood(round(float(np.clip(pleased - annoyed, -1, 1)), 3), annoyance)


_fitted: dict[tuple[str, str], Regression] = {}


async def mood_of(embedder: Embedder, text: str) -> Mood:
    """Raises ProviderError when the text, or the first time the examples, cannot be embedded."""
    key = (embedder.provider, embedder.name)
    if key not in _fitted:
        texts = [text for mood in MOODS for text in EXAMPLES[mood]]
        labels = np.repeat(np.arange(len(MOODS)), [len(EXAMPLES[mood]) for mood in MOODS])
        _fitted[key] = Regression.fit(np.array(await embedder.embed(texts), dtype=np.float32), labels)
    vector = np.array((await embedder.embed([text]))[0], dtype=np.float32)
    return _fitted[key](vector)


def is_too_much(annoyances: Iterable[float]) -> bool:
    """Whether a conversation, told by its messages in order, should be offered a person by now."""
    total = 0.0
    for annoyance in annoyances:
        total = FADING * total + annoyance
    return total >= TOO_MUCH


def annoyances(analyses: Sequence[dict[str, float] | None]) -> list[float]:
    """Of the messages that have been read by now."""
    return [analysis.get("annoyance", 0.0) for analysis in analyses if analysis]
