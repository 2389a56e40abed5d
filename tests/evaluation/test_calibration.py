"""Temperature, calibration error and the reliability table."""

import numpy as np
import pytest
from tests.evaluation.calibration_reference import calibration_error, reliability

from deepen.core.errors import ModelError
from deepen.evaluation.calibration import confidence_bins, fit_temperature, losses, softmax
from deepen.evaluation.classification import classification_scores


def honest(n, *, classes=3, seed=0):
    """Logits whose softmax is the true chance of each label."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(size=(n, classes)) * 2
    labels = (rng.random(n)[:, None] > softmax(logits).cumsum(axis=1)).sum(axis=1)
    return logits, labels.clip(max=classes - 1)


@pytest.mark.parametrize("scale", [0.25, 1.0, 4.0])
def test_temperature_undoes_a_scale(scale):
    logits, labels = honest(20_000)
    assert fit_temperature(logits * scale, labels) == pytest.approx(scale, rel=0.04)


def test_temperature_is_the_minimum():
    logits, labels = honest(500, seed=3)
    found = fit_temperature(logits * 3, labels)
    grid = np.exp(np.linspace(np.log(0.05), np.log(20), 2000))
    best = min(losses(logits * 3 / t, labels).mean() for t in grid)
    assert losses(logits * 3 / found, labels).mean() <= best + 1e-8


def test_temperature_stays_1_when_it_cannot_help():
    logits, labels = honest(9)
    assert fit_temperature(logits, labels) == 1.0
    assert fit_temperature(logits, np.full(9, -100)) == 1.0
    assert fit_temperature(np.zeros((50, 3)), np.arange(50) % 3) == 1.0


def test_temperature_ignores_unlabelled_rows():
    logits, labels = honest(400)
    both = np.concatenate([logits, logits * -5]), np.concatenate([labels, np.full(400, -100)])
    assert fit_temperature(*both) == fit_temperature(logits, labels)


def test_temperature_without_a_mistake_stays_inside_its_range():
    labels = np.arange(100) % 2
    logits = np.eye(2)[labels] * 3
    assert 0.05 < fit_temperature(logits, labels) < 1.0


def test_calibration_error_golden():
    # bins (0.5, 0.6], (0.6, 0.7], (0.7, 0.8], (0.8, 0.9]: gaps 0.4, 0.7, 0.2 and 0.1, a quarter of the rows each.
    probs = np.array([[0.9, 0.1], [0.6, 0.4], [0.2, 0.8], [0.7, 0.3]])
    assert calibration_error(probs, np.array([0, 0, 1, 1]), bins=10) == pytest.approx(0.35)


def test_calibration_error_of_honest_and_boastful():
    logits, labels = honest(20_000)
    assert calibration_error(softmax(logits), labels) < 0.015
    assert calibration_error(softmax(logits * 5), labels) > 0.1


def test_the_score_is_the_calibration_error():
    logits, labels = honest(500)
    scores = {score.name: score.value for score in classification_scores(logits * 3, labels, ["a", "b", "c"], seed=0)}
    assert scores["ece"] == pytest.approx(calibration_error(softmax(logits * 3), labels))


def test_reliability_counts_every_row_once():
    logits, labels = honest(1000)
    table = reliability(softmax(logits), labels, bins=7)
    assert sum(row.n for row in table) == 1000
    assert all(row.low - 1e-9 <= row.confidence <= row.high + 1e-9 for row in table)
    right = sum(row.n * row.accuracy for row in table)
    assert right == pytest.approx((logits.argmax(axis=1) == labels).sum())


def test_edges_of_bins():
    table = confidence_bins(np.array([0.0, 0.5, 1.0]), np.array([0, 1, 1]), bins=2)
    assert [(row.low, row.n) for row in table] == [(0.0, 2), (0.5, 1)]
    with pytest.raises(ValueError, match="at least 1"):
        confidence_bins(np.array([0.5]), np.array([1]), bins=0)


def test_logits_passed_as_probabilities_are_refused():
    with pytest.raises(ValueError, match="softmax"):
        calibration_error(np.array([[3.0, -1.0]]), np.array([0]))
    with pytest.raises(ValueError, match="no row is labelled"):
        calibration_error(np.array([[0.5, 0.5]]), np.array([-100]))


def test_softmax_does_not_overflow_and_refuses_nan():
    assert softmax(np.array([[1000.0, 0.0], [-np.inf, 0.0]])).tolist() == [[1.0, 0.0], [0.0, 1.0]]
    assert losses(np.array([[-np.inf, 0.0]]), np.array([0]))[0] == pytest.approx(36.04, abs=0.01)
    with pytest.raises(ModelError, match="diverged"):
        softmax(np.array([[np.nan, 0.0]]))
