"""Classification scores against scikit-learn, on ordinary and on odd label sets."""

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics

from deepen.core.errors import DataError
from deepen.evaluation.calibration import softmax
from deepen.evaluation.classification import accuracy_statistics, accuracy_value, classification_scores, confusion

NAMES = {
    "accuracy", "balanced_accuracy", "macro_precision", "macro_recall", "macro_f1", "mcc", "log_loss", "ece",
    "precision", "recall", "f1",
}  # fmt: skip


def by_name(scores):
    return {(score.name, score.label): score for score in scores}


def sklearn_values(logits, labels):
    decided = logits.argmax(axis=1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        macro = metrics.precision_recall_fscore_support(labels, decided, average="macro", zero_division=0)
        return {
            "accuracy": metrics.accuracy_score(labels, decided),
            "balanced_accuracy": metrics.balanced_accuracy_score(labels, decided),
            "macro_precision": macro[0],
            "macro_recall": macro[1],
            "macro_f1": macro[2],
            "mcc": metrics.matthews_corrcoef(labels, decided),
            "log_loss": metrics.log_loss(labels, softmax(logits), labels=list(range(logits.shape[1]))),
        }


@st.composite
def scored(draw):
    classes, n, seed = draw(st.integers(2, 6)), draw(st.integers(1, 40)), draw(st.integers(0, 10_000))
    rng = np.random.default_rng(seed)
    used = rng.integers(0, classes, size=draw(st.integers(1, classes)))  # some classes never occur
    return rng.normal(size=(n, classes)) * 2, used[rng.integers(0, len(used), size=n)]


@settings(max_examples=60, deadline=None)
@given(scored())
def test_equals_scikit_learn(case):
    logits, labels = case
    classes = logits.shape[1]
    found = by_name(classification_scores(logits, labels, [str(c) for c in range(classes)], seed=0))
    for name, value in sklearn_values(logits, labels).items():
        assert found[name, None].value == pytest.approx(value, abs=1e-9), name
    each = metrics.precision_recall_fscore_support(
        labels, logits.argmax(axis=1), labels=list(range(classes)), zero_division=0
    )
    for row, name in enumerate(["precision", "recall", "f1"]):
        assert [found[name, str(c)].value for c in range(classes)] == pytest.approx(each[row])
    assert [found["recall", str(c)].n for c in range(classes)] == each[3].tolist()
    assert {name for name, _ in found} == NAMES
    for score in found.values():
        assert score.low <= score.value <= score.high
        assert {type(score.value), type(score.low), type(score.n)} == {float, int}


def test_golden():
    """Twelve decisions counted by hand: right 4 of 6, 2 of 3 and 1 of 3."""
    labels = np.array([0] * 6 + [1] * 3 + [2] * 3)
    decided = np.array([0, 0, 0, 0, 1, 2, 1, 1, 0, 2, 0, 1])
    found = by_name(classification_scores(np.eye(3)[decided], labels, ["a", "b", "c"], seed=0))
    assert found["accuracy", None].value == pytest.approx(7 / 12)
    assert found["balanced_accuracy", None].value == pytest.approx((4 / 6 + 2 / 3 + 1 / 3) / 3)
    assert found["precision", "a"].value == pytest.approx(4 / 6)
    assert found["f1", "b"].value == pytest.approx(2 * 2 / (3 + 4))
    assert found["f1", "b"].n == 5
    assert found["mcc", None].value == pytest.approx((7 * 12 - 54) / np.sqrt((144 - 54) * (144 - 56)))
    assert confusion(np.eye(3)[decided], labels).tolist() == [[4, 1, 1], [1, 2, 0], [1, 1, 1]]
    assert (found["log_loss", None].unit, found["log_loss", None].higher_is_better) == ("nats", False)


def test_rows_without_a_label_are_not_scored():
    logits = np.random.default_rng(0).normal(size=(50, 3))
    labels = np.arange(50) % 3
    more = np.concatenate([logits, logits]), np.concatenate([labels, np.full(50, -100)])
    assert classification_scores(*more, ["a", "b", "c"], seed=0) == classification_scores(
        logits, labels, ["a", "b", "c"], seed=0
    )
    sums = accuracy_statistics(*more).sum(axis=0)
    assert sums[1] == 50
    assert accuracy_value(sums[None])[0] == (logits.argmax(axis=1) == labels).mean()


def test_intervals_cover():
    """Of 60 data sets of 300 examples, about 95 % of the intervals hold the true value."""
    rng = np.random.default_rng(0)
    hits = {"accuracy": 0, "macro_f1": 0, "mcc": 0, "f1": 0}
    truth = {"accuracy": 0.8, "macro_f1": 0.8, "mcc": 0.6, "f1": 0.8}
    for trial in range(60):
        labels = rng.integers(0, 2, 300)
        decided = np.where(rng.random(300) < 0.8, labels, 1 - labels)
        scores = classification_scores(np.eye(2)[decided], labels, ["a", "b"], seed=trial)
        for score in scores:
            if score.name in hits and score.label != "b":
                hits[score.name] += score.low <= truth[score.name] <= score.high
    assert all(52 <= count <= 60 for count in hits.values()), hits


def test_deterministic_by_seed():
    logits = np.random.default_rng(0).normal(size=(100, 3))
    labels = np.arange(100) % 3
    first, again, other = (classification_scores(logits, labels, ["a", "b", "c"], seed=seed) for seed in (0, 0, 1))
    assert first == again
    assert first != other


def test_a_class_that_never_occurs_is_listed_as_unknown():
    found = by_name(classification_scores(np.eye(3)[[0, 1, 1]], np.array([0, 1, 0]), ["a", "b", "never"], seed=0))
    score = found["f1", "never"]
    assert (score.value, score.n, score.low, score.high) == (0.0, 0, 0.0, 1.0)


def test_nothing_to_score():
    with pytest.raises(DataError, match="nothing to score"):
        classification_scores(np.zeros((2, 2)), np.array([-100, -100]), ["a", "b"], seed=0)


def test_shapes_and_labels_are_checked():
    with pytest.raises(ValueError, match="needed"):
        confusion(np.zeros((2, 2)), np.array([0]))
    with pytest.raises(ValueError, match="for 2 classes"):
        confusion(np.zeros((2, 2)), np.array([0, 2]))
    with pytest.raises(ValueError, match="3 names"):
        classification_scores(np.zeros((2, 2)), np.array([0, 1]), ["a", "b", "c"], seed=0)
