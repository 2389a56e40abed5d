"""The scores of single-label classification, each with its number of examples and a 95 % interval.

Everything that depends only on decisions comes from the confusion matrix, so it is resampled by cells and costs the
same for a thousand examples as for a million. Shares of examples (accuracy, precision and recall of a class) have
Wilson intervals, which stay honest for few examples; the rest is bootstrapped. Start with `classification_scores`.

Shape legend: N examples, C classes, B resamples, U cells of the confusion matrix that are not empty.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from deepen.core.errors import DataError
from deepen.core.seed import derive
from deepen.core.types import Score
from deepen.evaluation.calibration import NOT_SCORED, bin_of, losses, softmax
from deepen.evaluation.statistics import f1, resample, resampled_score, resampled_sums, share, share_score, wilson

_BINS = 15


def classification_scores(
    logits_NC: np.ndarray, labels_N: np.ndarray, names: Sequence[str], *, seed: int
) -> list[Score]:
    """Every score of a classifier on labelled examples (not -100): overall, then of each class.

    The values are those of scikit-learn: macro averages are over the classes that occur among labels or decisions,
    balanced accuracy over those among the labels, and a share of nothing is 0. For a class, `n` is what its score is a
    share of: examples decided so (precision), labelled so (recall), either (f1). Bootstrapped intervals have no width
    when every decision is right; the interval of accuracy then tells more. That of `ece` (15 bins) is corrected for the
    bias that resampling adds (the basic bootstrap). log_loss is in nats, of calibrated logits.

    Example:
        >>> logits = np.array([[2.0, 0.0], [0.0, 1.0], [1.0, 0.0], [0.0, 3.0]])
        >>> scores = classification_scores(logits, np.array([0, 1, 1, 1]), ["no", "yes"], seed=0)
        >>> scores[0].name, scores[0].value, scores[0].n
        ('accuracy', 0.75, 4)

    Source:
        Wilson 1927 for shares; Takahashi et al. 2022, https://doi.org/10.1007/s10489-021-02635-5, on F1 intervals;
        Gorodkin 2004, https://doi.org/10.1016/j.compbiolchem.2004.09.006, for the MCC of many classes.
    """
    logits_NC, labels_N = _scored(logits_NC, labels_N)
    if len(names) != logits_NC.shape[1]:
        raise ValueError(f"{len(names)} names for {logits_NC.shape[1]} classes")
    matrix_CC = confusion(logits_NC, labels_N)
    n = len(labels_N)
    drawn = _decisions(matrix_CC, derive(seed, "decisions"))
    counts_3C = np.stack([np.diagonal(matrix_CC), matrix_CC.sum(axis=0), matrix_CC.sum(axis=1)])
    return [
        share_score("accuracy", float(np.trace(matrix_CC)), n),
        *(resampled_score(name, values_B, n) for name, values_B in drawn.items()),
        *_probability_scores(logits_NC, labels_N, derive(seed, "probabilities")),
        *label_scores(names, counts_3C),
    ]


def confusion(logits_NC: np.ndarray, labels_N: np.ndarray) -> np.ndarray:
    """How often each class (row) was decided to be each class (column); rows with -100 are left out."""
    logits_NC, labels_N = _scored(logits_NC, labels_N)
    num_classes = logits_NC.shape[1]
    cells = labels_N.astype(np.int64) * num_classes + logits_NC.argmax(axis=1)
    return np.bincount(cells, minlength=num_classes**2).reshape(num_classes, num_classes)


def accuracy_statistics(logits_NC: np.ndarray, labels_N: np.ndarray) -> np.ndarray:
    """Whether each example is right, and whether it is scored (not -100): what accuracy is summed from, (N, 2)."""
    labels_N = np.asarray(labels_N)
    right_N = np.asarray(logits_NC).argmax(axis=1) == labels_N
    return np.stack([right_N, labels_N != NOT_SCORED], axis=1).astype(np.float64)


def accuracy_value(sums_BK: np.ndarray) -> np.ndarray:
    """Accuracy from summed `accuracy_statistics`. Fractions in [0, 1]; 0 where nothing was scored."""
    return share(sums_BK[:, 0], sums_BK[:, 1])


DECISION_SCORES = ("balanced_accuracy", "macro_precision", "macro_recall", "macro_f1", "mcc")
"""Scores that follow from decisions, besides accuracy."""


def decision_statistics(logits_NC: np.ndarray, labels_N: np.ndarray) -> np.ndarray:
    """What the bootstrap needs to know of each example to tell the scores of `DECISION_SCORES`, (N, 3C).

    They are the label, the decision and what is right of it, each as zeros and a one; zeros where the label is -100.
    """
    logits_NC, labels_N = np.asarray(logits_NC), np.asarray(labels_N)
    stats_NK = _one_hot(np.maximum(labels_N, 0), logits_NC.argmax(axis=1), logits_NC.shape[1])
    return stats_NK * (labels_N != NOT_SCORED)[:, None]


def _one_hot(labels_N: np.ndarray, decided_N: np.ndarray, num_classes: int) -> np.ndarray:
    eye_CC, right_N1 = np.eye(num_classes), (labels_N == decided_N)[:, None]
    return np.concatenate([eye_CC[labels_N], eye_CC[decided_N], eye_CC[decided_N] * right_N1], axis=1)


def decision_value(name: str, sums_BK: np.ndarray) -> np.ndarray:
    """A score of `DECISION_SCORES` from summed `decision_statistics`."""
    return _decision_values(*np.split(sums_BK, 3, axis=1))[name]


def best_prior_shift(name: str, logits_NC: np.ndarray, labels_N: np.ndarray) -> np.ndarray:
    """What added to later logits makes decisions that score best: a share of the logarithms of how rare labels are.

    Only that share is chosen, on calibrated logits of held-out examples, so that it holds for other examples. Shape
    (C,); zeros where no share is better than none.

    Source:
        Menon et al. 2021, "Long-tail learning via logit adjustment", https://arxiv.org/abs/2007.07314, section 4.1.
    """
    logits_NC, labels_N = _scored(logits_NC, labels_N)
    counts_C = np.bincount(labels_N, minlength=logits_NC.shape[1])
    rarity_C = -np.log((counts_C + 0.5) / (counts_C.sum() + 0.5 * len(counts_C)))
    rarity_C -= rarity_C.min()
    shares = np.linspace(0, 1.5, 31)
    sums_BK = np.stack([decision_statistics(logits_NC + share * rarity_C, labels_N).sum(0) for share in shares])
    return np.asarray(shares[decision_value(name, sums_BK).argmax()] * rarity_C)


def _scored(logits_NC: np.ndarray, labels_N: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    logits_NC, labels_N = np.asarray(logits_NC), np.asarray(labels_N)
    if logits_NC.ndim != 2 or labels_N.shape != logits_NC.shape[:1]:
        raise ValueError(f"logits_NC has shape {logits_NC.shape} and labels_N {labels_N.shape}: needed (N, C) and (N,)")
    scored_N = labels_N != NOT_SCORED
    if not scored_N.any():
        raise DataError("no example is labelled, so there is nothing to score")
    logits_NC, labels_N = (logits_NC, labels_N) if scored_N.all() else (logits_NC[scored_N], labels_N[scored_N])
    if labels_N.min() < 0 or labels_N.max() >= logits_NC.shape[1]:
        raise ValueError(f"labels are in [{labels_N.min()}, {labels_N.max()}] for {logits_NC.shape[1]} classes")
    return logits_NC, labels_N


def _decision_values(labelled_BC: np.ndarray, decided_BC: np.ndarray, right_BC: np.ndarray) -> dict[str, np.ndarray]:
    """The scores that follow from the margins and the diagonal of a confusion matrix, each of shape (B,)."""
    precision_BC, recall_BC = share(right_BC, decided_BC), share(right_BC, labelled_BC)
    occurs_BC = (labelled_BC > 0) | (decided_BC > 0)
    num_occurring_B = occurs_BC.sum(axis=1)
    total_B = labelled_BC.sum(axis=1)
    together_B = right_BC.sum(axis=1) * total_B - (labelled_BC * decided_BC).sum(axis=1)
    spread_B = (total_B**2 - (labelled_BC**2).sum(axis=1)) * (total_B**2 - (decided_BC**2).sum(axis=1))
    return {
        "balanced_accuracy": share(recall_BC.sum(axis=1), (labelled_BC > 0).sum(axis=1)),
        "macro_precision": share(precision_BC.sum(axis=1), num_occurring_B),
        "macro_recall": share(recall_BC.sum(axis=1), num_occurring_B),
        "macro_f1": share(f1(right_BC, decided_BC, labelled_BC).sum(axis=1), num_occurring_B),
        "mcc": share(together_B, np.sqrt(np.maximum(spread_B, 0.0))),
    }


def _decisions(matrix_CC: np.ndarray, seed: int) -> dict[str, np.ndarray]:
    """Values of shape (1 + B,), those on resamples last; resampling examples is drawing new counts for the cells."""
    gold_U, decided_U = np.nonzero(matrix_CC)
    stats_UK = _one_hot(gold_U, decided_U, len(matrix_CC))
    counts_U = matrix_CC[gold_U, decided_U]
    sums_BK = np.vstack([counts_U @ stats_UK, resample(stats_UK, seed=seed, counts_N=counts_U)])
    return _decision_values(*np.split(sums_BK, 3, axis=1))


def _probability_scores(logits_NC: np.ndarray, labels_N: np.ndarray, seed: int) -> list[Score]:
    """Log loss and calibration error from one set of resamples."""
    n = len(labels_N)
    probs_NC = softmax(logits_NC)
    confidence_N = probs_NC.max(axis=1)
    gap_N = confidence_N - (logits_NC.argmax(axis=1) == labels_N)
    stats_NK = np.zeros((n, 2 + _BINS))
    stats_NK[:, 0] = 1.0
    stats_NK[:, 1] = losses(logits_NC, labels_N)
    stats_NK[np.arange(n), 2 + bin_of(confidence_N, bins=_BINS)] = gap_N
    sums_BK = resampled_sums(stats_NK, seed=seed)
    loss_B = sums_BK[:, 1] / sums_BK[:, 0]
    ece_B = np.abs(sums_BK[:, 2:]).sum(axis=1) / sums_BK[:, 0]
    ece = float(ece_B[0])
    low, high = 2 * ece - np.quantile(ece_B[1:], [0.975, 0.025])
    low, high = min(ece, max(0.0, float(low))), max(ece, min(1.0, float(high)))
    return [
        resampled_score("log_loss", loss_B, n, unit="nats", higher_is_better=False),
        Score("ece", ece, n, low, high, higher_is_better=False),
    ]


def label_scores(names: Sequence[str], counts_3C: np.ndarray) -> list[Score]:
    """Precision, recall and F1 of each label, from how often it was right, decided and right to decide."""
    scores = []
    for label, both, said, true in zip(names, *counts_3C.astype(float).tolist(), strict=True):
        scores.append(share_score("precision", both, said, label=label))
        scores.append(share_score("recall", both, true, label=label))
        # F1 = 2J / (1 + J) with J = right / (labelled or decided so), which is a share of examples.
        either = said + true - both
        low, high = wilson(both, either)
        value = 2 * both / (said + true) if either else 0.0
        scores.append(Score("f1", value, int(either), 2 * low / (1 + low), 2 * high / (1 + high), label=label))
    return scores
