"""The head over the vectors: what a knowledge base's own phrasings teach about which differences between texts matter.

Every FAQ becomes the centre of its texts in a space where directions in which one FAQ's phrasings differ anyway count less (linear
discriminant analysis with shrinkage), in closed form: a second or two for 10,000 FAQs. Where there are not too many, the centres then move
away from each other's phrasings (a logistic regression that starts from them). The same texts give the same head every time.
"""

import io
import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]

# With fewer FAQs their mean and spread say nothing about the next question.
FAQS_AT_LEAST = 20
# How much of a plain, round spread is mixed into the one measured.
SHRINKAGE = 10.0
# A phrasing counts 1.
ANSWER_WEIGHT = 0.3
# The logistic regression: of so many phrasings times FAQs at most, in so many steps; how steeply a higher score means a likelier FAQ, and
# how strongly a centre is held to where it started.
PARTED_MOST = 1_000_000
STEPS = 30
STEEPNESS = np.float32(10)
HOLD = np.float32(3)


def unit(rows: NDArray[np.floating[Any]]) -> Floats:
    norms = np.linalg.norm(rows, axis=-1, keepdims=True)
    return np.asarray(rows / np.maximum(norms, 1e-9), dtype=np.float32)


@dataclass(frozen=True)
class Head:
    """`ids` ascend; row i of `centres` is FAQ `ids[i]` in the turned space, its length 1 on average."""

    ids: Ints
    centres: Floats
    mean: Floats
    turn: Floats

    def turned(self, vectors: Floats) -> Floats:
        """Vectors of questions, shape (..., width), in the space of the centres."""
        return unit((vectors - self.mean) @ self.turn)

    def scores(self, vector: Floats, faq_ids: Ints) -> Floats | None:
        """A question's likeness to some FAQs, about a cosine; None when it does not know one of them."""
        places = np.searchsorted(self.ids, faq_ids)
        if not np.array_equal(self.ids.take(places, mode="clip"), faq_ids):
            return None
        return np.asarray(self.centres[places] @ self.turned(vector), dtype=np.float32)

    def taught(self, owners: Ints, vectors: Floats, is_answer: NDArray[np.bool_]) -> "Head":
        """This head with the centres that these texts give; every FAQ has one among them."""
        weights = np.where(is_answer, np.float32(ANSWER_WEIGHT), np.float32(1))
        total, weight = sums_by_owner(vectors, weights, owners, len(self.ids))
        centres = self.turned(total / weight[:, None])
        asked = int((~is_answer).sum())
        if len(self.ids) < asked <= PARTED_MOST // len(self.ids):
            centres = _parted(centres, self.turned(vectors[~is_answer]), owners[~is_answer])
        return replace(self, centres=centres)

    def to_bytes(self) -> bytes:
        file = io.BytesIO()
        half = self.centres.astype(np.float16)
        np.savez(file, ids=self.ids, centres=half, mean=self.mean, turn=self.turn)
        return file.getvalue()

    @classmethod
    def from_bytes(cls, stored: bytes) -> "Head":
        with np.load(io.BytesIO(stored), allow_pickle=False) as arrays:
            centres = arrays["centres"].astype(np.float32)
            return cls(arrays["ids"], centres, arrays["mean"], arrays["turn"])


def sums_by_owner(vectors: Floats, weights: Floats, owners: Ints, count: int) -> tuple[Floats, Floats]:
    """The weighted sum and the total weight of each owner's rows; rows of one owner are neighbours."""
    starts = np.searchsorted(owners, np.arange(count))
    return np.add.reduceat(vectors * weights[:, None], starts), np.add.reduceat(weights, starts)


def fit(ids: Ints, owners: Ints, vectors: Floats, is_answer: NDArray[np.bool_]) -> Head | None:
    """`owners[i]` is the place in `ids` of vector i's FAQ, ascending; None when there are too few FAQs."""
    if len(ids) < FAQS_AT_LEAST:
        return None
    asked = np.where(is_answer, np.float32(0), np.float32(1))
    total, weight = sums_by_owner(vectors, asked, owners, len(ids))
    questions = total / np.maximum(weight, 1e-9)[:, None]
    mean = questions.mean(axis=0)
    turn = _turn((vectors - questions[owners])[~is_answer], len(ids))
    return Head(ids, np.empty((0, 0), dtype=np.float32), mean, turn).taught(owners, vectors, is_answer)


def _turn(differences: NDArray[np.floating[Any]], faqs: int) -> Floats:
    """The matrix that evens out how phrasings differ from their FAQ's centre; no phrasings, no turn."""
    width = differences.shape[1]
    freedom = len(differences) - faqs
    if freedom <= 0:
        return np.eye(width, dtype=np.float32)
    spread = differences.T.astype(np.float64) @ differences / freedom
    even = np.trace(spread) / width + 1e-12
    values, axes = np.linalg.eigh(spread + SHRINKAGE * even * np.eye(width))
    return np.asarray(axes / np.sqrt(values), dtype=np.float32)


def _parted(centres: Floats, texts: Floats, owners: Ints) -> Floats:
    """The centres after steps down the slope of a logistic regression (Nesterov's), as long as before on average."""
    rows, step = np.arange(len(texts)), 1 / (_steepest(texts) + HOLD)
    ahead, before, pace = centres, centres, 1.0
    for _ in range(STEPS):
        wrong = _likelihoods(STEEPNESS * (texts @ ahead.T))
        wrong[rows, owners] -= 1
        moved = ahead - step * (STEEPNESS * (wrong.T @ texts) + HOLD * (ahead - centres))
        faster = (1 + math.sqrt(1 + 4 * pace * pace)) / 2
        ahead = np.asarray(moved + (pace - 1) / faster * (moved - before), dtype=np.float32)
        before, pace = np.asarray(moved, dtype=np.float32), faster
    return np.asarray(before / np.linalg.norm(before, axis=1).mean(), dtype=np.float32)


def _steepest(texts: Floats) -> np.float32:
    """The largest curvature that the regression's loss can have."""
    return np.float32(STEEPNESS**2 / 2 * np.linalg.eigvalsh(texts.T @ texts)[-1])


def _likelihoods(scores: Floats) -> Floats:
    """Of each row's FAQs, summing to 1."""
    scores -= scores.max(axis=1, keepdims=True)
    np.exp(scores, out=scores)
    scores /= scores.sum(axis=1, keepdims=True)
    return scores
