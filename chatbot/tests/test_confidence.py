"""Calibration on simulated questions, and the thresholds that follow."""

import numpy as np
import pytest

from benchmarks.evaluation.figures import calibration_error
from chatbot import confidence
from chatbot.confidence import Sample

START = confidence.shipped("bge-small-en-v1.5-mean", with_head=True)


def simulated(count: int, seed: int) -> Sample:
    """Questions of another kind than the shipped values know: lower scores, right just as often."""
    chance = np.random.default_rng(seed)
    known = chance.random(count) < 0.75
    best = np.where(known, chance.normal(0.65, 0.08, count), chance.normal(0.5, 0.08, count))
    lead = np.abs(np.where(known, chance.normal(0.2, 0.15, count), chance.normal(0.03, 0.03, count)))
    right = known & (chance.random(count) < 1 / (1 + np.exp(-(25 * (best - 0.58) + 6 * lead))))
    return Sample(np.stack([best, best - 0.1, lead], axis=1), right, known, np.ones(count))


def error(calibration: confidence.Calibration, sample: Sample) -> float:
    right, _known = calibration.probabilities(sample.features)
    return calibration_error(right.tolist(), sample.right.tolist())


def test_confidence_is_the_share_that_is_right_also_on_questions_not_fitted_on() -> None:
    calibration = confidence.fitted(START, simulated(800, 1))
    fresh = simulated(4000, 2)
    assert error(calibration, fresh) < 0.05 < error(START, fresh)


def test_foreign_questions_are_declined_at_the_rate_that_was_fitted() -> None:
    calibration = confidence.fitted(START, simulated(2000, 3))
    fresh = simulated(4000, 4)
    right, known = calibration.probabilities(fresh.features)
    declined = known < calibration.decline
    assert declined[fresh.known].mean() == pytest.approx(1 - confidence.KEPT, abs=0.02)
    assert declined[~fresh.known].mean() > 0.5
    given = (right >= calibration.answer) & ~declined
    assert fresh.right[given].mean() > confidence.PRECISE - 0.02


def test_few_questions_move_the_shipped_values_little() -> None:
    few, many = confidence.fitted(START, simulated(5, 5)), confidence.fitted(START, simulated(500, 5))

    def distance(one: confidence.Calibration) -> float:
        return float(np.abs(np.subtract(one.right, START.right)).sum())

    assert distance(few) < distance(many) / 2


@pytest.mark.parametrize(("known", "right"), [(True, True), (True, False), (False, False)])
def test_questions_that_all_end_alike_break_nothing(known: bool, right: bool) -> None:
    sample = simulated(50, 6)
    one_sided = Sample(sample.features, np.full(50, right), np.full(50, known), sample.weights)
    calibration = confidence.fitted(START, one_sided)
    assert 0.3 < calibration.answer < 1
    assert 0.3 < calibration.decline < 1
    assert confidence.Calibration(**calibration.stored()).stored() == calibration.stored()


def test_an_unknown_model_gets_cautious_values() -> None:
    assert confidence.shipped("text-embedding-3-small", with_head=False) == confidence.shipped(
        "use-multilingual-v3", with_head=False
    )


def test_candidates_are_ordered_by_both_scores() -> None:
    cosines, head = np.array([[0.9, 0.8, 0.7]]), np.array([[0.1, 0.8, 0.2]])
    order, features = confidence.features_of(cosines, head)
    assert order.tolist() == [[1, 0, 2]]
    assert features[0].tolist() == pytest.approx([0.8, 0.8, 0.6])
    _order, alone = confidence.features_of(cosines[:, :1], None)
    assert alone[0].tolist() == pytest.approx([0.9, 0.9, confidence.LEAD_MOST])
