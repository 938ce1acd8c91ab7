"""How sure an answer is: two probabilities from a question's scores, and the thresholds that turn them into a decision.

`right` is the probability that the best FAQ answers the question; it is the confidence that is stored with a reply. `known` is the
probability that any FAQ does. Both are logistic regressions over three features of the best candidate: its cosine, its score in the
head, and the lead of their sum over the second. The shipped values were fitted on public sets (docs/evaluation.md); the questions of an
installation move them, the more of them there are.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

Doubles = NDArray[np.float64]

# A larger lead says no more: there may be no other FAQ at all.
LEAD_MOST = 0.6
# What the thresholds are made to reach on the questions that they are fitted on.
KEPT = 0.95
PRECISE = 0.9
# The shipped values count like so many questions.
SHIPPED_WEIGHT = 20.0
GRID = np.arange(0.4, 0.96, 0.01)


@dataclass(frozen=True)
class Calibration:
    """`mean` and `sd` scale the features; the last number of `right` and `known` is the constant.

    Answered from a confidence of `answer` on; declined when `known` is under `decline`; between, asked back.
    """

    mean: Sequence[float]
    sd: Sequence[float]
    right: Sequence[float]
    known: Sequence[float]
    answer: float
    decline: float

    def probabilities(self, features: Doubles) -> tuple[Doubles, Doubles]:
        """(right, known) for features of shape (..., 3)."""
        scaled = (features - np.asarray(self.mean)) / np.asarray(self.sd)
        return _logistic(scaled, self.right), _logistic(scaled[..., : len(self.known) - 1], self.known)

    def stored(self) -> dict[str, Any]:
        return {name: value if isinstance(value, float) else list(value) for name, value in asdict(self).items()}


_BGE = (
    Calibration(
        mean=(0.779, 0.5545, 0.2278),
        sd=(0.1131, 0.1791, 0.1952),
        right=(0.251, 1.061, 1.284, 1.095),
        known=(0.713, 1.543, 2.294),
        answer=0.6,
        decline=0.55,
    ),
    Calibration(
        mean=(0.7819, 0.7819, 0.1438),
        sd=(0.1109, 0.1109, 0.1303),
        right=(0.541, 0.541, 1.431, 0.86),
        known=(0.92, 0.92, 1.989),
        answer=0.6,
        decline=0.55,
    ),
)
_USE = (
    Calibration(
        mean=(0.6236, 0.4956, 0.2356),
        sd=(0.1627, 0.1766, 0.224),
        right=(0.007, 1.096, 1.069, 0.461),
        known=(0.645, 1.32, 2.103),
        answer=0.6,
        decline=0.55,
    ),
    Calibration(
        mean=(0.6284, 0.6284, 0.1957),
        sd=(0.1603, 0.1603, 0.1943),
        right=(0.408, 0.408, 1.24, 0.245),
        known=(0.799, 0.799, 1.888),
        answer=0.6,
        decline=0.55,
    ),
)
SHIPPED = {"bge-small-en-v1.5-mean": _BGE, "use-multilingual-v3": _USE}


def shipped(model_name: str, *, with_head: bool) -> Calibration:
    """The values for a model before an installation's own questions say more; of a model never measured, cautious ones."""
    return SHIPPED.get(model_name, _USE)[0 if with_head else 1]


def features_of(cosines: Doubles, head: Doubles | None) -> tuple[NDArray[np.int64], Doubles]:
    """For scores of shape (questions, candidates): each question's candidates best first, and its features.

    Without a head the cosine stands for both scores.
    """
    second_view = cosines if head is None else head
    together = cosines + second_view
    order = np.argsort(-together, axis=1, kind="stable")
    rows, best = np.arange(len(order)), order[:, 0]
    lead = np.full(len(order), LEAD_MOST)
    if order.shape[1] > 1:
        lead = np.clip(together[rows, best] - together[rows, order[:, 1]], 0, LEAD_MOST)
    return order, np.stack([cosines[rows, best], second_view[rows, best], lead], axis=1)


@dataclass(frozen=True)
class Sample:
    """Questions whose outcome is known: features, whether the best FAQ was right, whether any was, and how much each counts."""

    features: Doubles
    right: NDArray[np.bool_]
    known: NDArray[np.bool_]
    weights: Doubles

    @classmethod
    def together(cls, samples: Sequence["Sample"]) -> "Sample":
        names = ("features", "right", "known", "weights")
        return cls(*(np.concatenate([getattr(one, name) for one in samples]) for name in names))


def fitted(start: Calibration, sample: Sample) -> Calibration:
    """The calibration moved from `start` towards a sample."""
    scaled = (sample.features - np.asarray(start.mean)) / np.asarray(start.sd)
    moved = replace(
        start,
        right=_regression(scaled, sample.right, sample.weights, start.right),
        known=_regression(scaled[:, : len(start.known) - 1], sample.known, sample.weights, start.known),
    )
    right, known = moved.probabilities(sample.features)
    share = sample.weights.sum() / (sample.weights.sum() + SHIPPED_WEIGHT)
    answer, decline = _precise_from(right, sample), _keeping(known, sample)
    return replace(
        moved,
        answer=float(start.answer + share * (answer - start.answer)),
        decline=float(start.decline + share * (decline - start.decline)),
    )


def _logistic(scaled: Doubles, values: Sequence[float]) -> Doubles:
    slopes = np.asarray(values[:-1])
    return np.asarray(1 / (1 + np.exp(-(scaled @ slopes + values[-1]))))


def _regression(scaled: Doubles, outcome: NDArray[np.bool_], weights: Doubles, start: Sequence[float]) -> list[float]:
    """Logistic regression by Newton's method, held near `start` by a normal prior."""
    rows = np.hstack([scaled, np.ones((len(scaled), 1))])
    prior = np.asarray(start)
    values = prior.copy()
    for _ in range(25):
        chance = 1 / (1 + np.exp(-(rows @ values)))
        slope = rows.T @ (weights * (outcome - chance)) - SHIPPED_WEIGHT / 4 * (values - prior)
        curve = (rows * (weights * chance * (1 - chance))[:, None]).T @ rows + SHIPPED_WEIGHT / 4 * np.eye(len(prior))
        step = np.linalg.solve(curve, slope)
        values += step
        if np.abs(step).max() < 1e-6:
            break
    return [round(float(value), 4) for value in values]


def _precise_from(right: Doubles, sample: Sample) -> float:
    """The least confidence from which the answers given are right often enough."""
    for threshold in GRID:
        given = right >= threshold
        total = sample.weights[given].sum()
        if total and (sample.weights * sample.right)[given].sum() / total >= PRECISE:
            return float(threshold)
    return float(GRID[-1])


def _keeping(known: Doubles, sample: Sample) -> float:
    """The `known` under which no more is declined than may be of the questions that have an answer."""
    mine = sample.known
    if not mine.any():
        return float(GRID[-1])
    order = np.argsort(known[mine])
    below = np.cumsum(sample.weights[mine][order]) / sample.weights[mine].sum()
    place = np.searchsorted(below, 1 - KEPT)
    return float(np.clip(known[mine][order][place], GRID[0], GRID[-1]))
