"""The calibration error by the book, which the scores of the program are compared with."""

import numpy as np

from deepen.evaluation.calibration import NOT_SCORED, ReliabilityBin, confidence_bins


def calibration_error(probs_NC: np.ndarray, labels_N: np.ndarray, *, bins: int = 15) -> float:
    """Expected calibration error: how far confidence is from being right.

    Examples are sorted into `bins` equal-width bins by the probability of their top class. In each bin the mean
    confidence is compared with the share that is right; the gaps are averaged, weighted by bin size. 0 is perfect. It
    depends on `bins`, and on few examples it is above 0 even for a perfectly calibrated model. Rows with -100 are left
    out. A fraction in [0, 1], lower is better.

    Raises:
        ValueError: If the shapes disagree, no row is labelled, or a row does not sum to 1 within 1e-3 (logits passed by
            mistake are the usual cause).

    Example:
        >>> probs = np.array([[0.9, 0.1], [0.6, 0.4], [0.2, 0.8], [0.7, 0.3]])
        >>> round(calibration_error(probs, np.array([0, 0, 1, 1]), bins=10), 6)
        0.35

    Source:
        Guo et al. 2017, section 2, https://proceedings.mlr.press/v70/guo17a.html
    """
    table = reliability(probs_NC, labels_N, bins=bins)
    return sum(row.n * abs(row.confidence - row.accuracy) for row in table) / sum(row.n for row in table)


def reliability(probs_NC: np.ndarray, labels_N: np.ndarray, *, bins: int = 15) -> list[ReliabilityBin]:
    """The table behind the calibration picture: bins that hold an example; rows with -100 are left out."""
    probs_NC, labels_N = np.asarray(probs_NC), np.asarray(labels_N)
    if probs_NC.ndim != 2 or labels_N.shape != probs_NC.shape[:1]:
        raise ValueError(f"probs_NC has shape {probs_NC.shape} and labels_N {labels_N.shape}: needed (N, C) and (N,)")
    scored_N = labels_N != NOT_SCORED
    probs_NC, labels_N = probs_NC[scored_N], labels_N[scored_N]
    if len(labels_N) == 0:
        raise ValueError("no row is labelled")
    if not np.allclose(probs_NC.sum(axis=1), 1.0, atol=1e-3):
        raise ValueError("rows of probs_NC don't sum to 1: were logits passed? call softmax first")
    return confidence_bins(probs_NC.max(axis=1), probs_NC.argmax(axis=1) == labels_N, bins=bins)
