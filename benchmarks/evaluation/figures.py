"""The figures of an evaluation, each from plain lists."""

from collections.abc import Sequence

import numpy as np

BINS = 10
KEPT = 0.9


def auroc(inside: Sequence[float], outside: Sequence[float]) -> float:
    """The chance that a question with an answer scores above one without; ties count half."""
    low = np.sort(np.asarray(outside))
    below = np.searchsorted(low, inside, "left") + np.searchsorted(low, inside, "right")
    return float(below.mean() / 2 / len(low))


def rejected(inside: Sequence[float], outside: Sequence[float]) -> float:
    """The share of questions without an answer under the score that keeps 90% of the others."""
    return float((np.asarray(outside) < np.quantile(inside, 1 - KEPT)).mean())


def calibration_error(confidences: Sequence[float], right: Sequence[bool]) -> float:
    """How far, over ten equal ranges of confidence, confidence and the share that is right lie apart."""
    confidence, outcome = np.asarray(confidences), np.asarray(right, dtype=float)
    places = np.minimum((confidence * BINS).astype(int), BINS - 1)
    gaps = [abs((confidence - outcome)[places == place].sum()) for place in range(BINS)]
    return float(sum(gaps) / len(confidence))


def f1(found: Sequence[bool], true: Sequence[bool]) -> float:
    both = sum(one and other for one, other in zip(found, true, strict=True))
    return 2 * both / (sum(found) + sum(true)) if both else 0.0
