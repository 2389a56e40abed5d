"""How far stated probabilities can be believed, and the one number (a temperature) that puts most of it right.

Shape legend: M rows with one decision each (an example, a word), N examples, C classes.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from deepen.core.errors import ModelError

NOT_SCORED = -100
"""The label of a row that has none."""

_LOWEST, _HIGHEST = 0.05, 20.0
_FEWEST = 10
_MOST_NATS = -math.log(np.finfo(np.float64).eps)


@dataclass(frozen=True, slots=True)
class ReliabilityBin:
    """The examples whose top probability lies in (low, high]: their mean confidence beside the share that is right."""

    low: float
    high: float
    n: int
    confidence: float
    accuracy: float


def log_softmax(logits_NC: np.ndarray) -> np.ndarray:
    """Log probabilities in nats, in float64; -inf rules a class out, NaN and +inf are errors."""
    logits = np.asarray(logits_NC, dtype=np.float64)
    top = logits.max(axis=-1, keepdims=True)
    if not np.isfinite(top).all():
        raise ModelError("the model's outputs are not finite numbers: training diverged, try a lower learning rate")
    shifted: np.ndarray = logits - top
    shifted -= np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
    return shifted


def softmax(logits_NC: np.ndarray) -> np.ndarray:
    """Probabilities in float64, without overflow. Rows sum to 1."""
    probs_NC: np.ndarray = np.exp(log_softmax(logits_NC))
    return probs_NC


def losses(logits_NC: np.ndarray, labels_N: np.ndarray) -> np.ndarray:
    """The log loss of each row, in nats; cut at 36 (a probability of 2e-16, as scikit-learn does), so not infinite."""
    logs_NC = log_softmax(logits_NC)
    losses_N: np.ndarray = -np.take_along_axis(logs_NC, np.asarray(labels_N)[:, None], axis=1)[:, 0]
    return losses_N.clip(max=_MOST_NATS)


def fit_temperature(logits_MC: np.ndarray, labels_M: np.ndarray) -> float:
    """The number in [0.05, 20] to divide logits by so that softmax gives honest probabilities on these rows.

    Fit it on rows the model was not trained on. It changes no decision, only how sure the model says it is, and can't
    repair a model that is too sure in one place and not sure enough in another. Where no row is wrong the best
    temperature would be 0; one made-up row with every class equally right is then added, as Platt does. 1.0 if fewer
    than 10 rows are labelled (-100 is not) or no other makes the loss smaller. Labels of shape (M, C) are zeros and
    ones, and each logit then is one of a sigmoid.

    Source:
        Guo et al. 2017, section 4.2, https://proceedings.mlr.press/v70/guo17a.html; Platt 1999 for the added row.
    """
    labels_M = np.asarray(labels_M)
    if labels_M.ndim == 2:  # every label's logit stands against 0
        logits_MC = np.stack([np.zeros(labels_M.size), np.asarray(logits_MC).ravel()], axis=1)
        labels_M = labels_M.ravel().astype(np.int64)
    scored_M = labels_M != NOT_SCORED
    logits = np.asarray(logits_MC)[scored_M].astype(np.float64)
    labels = labels_M[scored_M]
    if len(labels) < _FEWEST:
        return 1.0
    faultless = bool((logits.argmax(axis=1) == labels).all())

    def loss(log_temperature: float) -> float:
        logs = log_softmax(logits / math.exp(log_temperature))
        total = float(-np.take_along_axis(logs, labels[:, None], axis=1).clip(-_MOST_NATS).sum())
        made_up = float(-logs.clip(-_MOST_NATS).mean()) if faultless else 0.0
        return (total + made_up) / len(labels)

    found = _golden_section(loss, math.log(_LOWEST), math.log(_HIGHEST))
    return math.exp(found) if loss(found) < loss(0.0) - 1e-9 else 1.0


def _golden_section(function: Callable[[float], float], low: float, high: float, *, tolerance: float = 1e-5) -> float:
    """Where a function with one valley is lowest; the log loss has one valley in the temperature."""
    shrink = (math.sqrt(5) - 1) / 2
    left, right = high - shrink * (high - low), low + shrink * (high - low)
    at_left, at_right = function(left), function(right)
    while high - low > tolerance:
        if at_left < at_right:
            high, right, at_right = right, left, at_left
            left = high - shrink * (high - low)
            at_left = function(left)
        else:
            low, left, at_left = left, right, at_right
            right = low + shrink * (high - low)
            at_right = function(right)
    return (low + high) / 2


def confidence_bins(confidence_N: np.ndarray, right_N: np.ndarray, *, bins: int = 15) -> list[ReliabilityBin]:
    """Confidence beside the share that is right, from predictions already made: bins that hold an example."""
    bin_N = bin_of(confidence_N, bins=bins)
    size = np.bincount(bin_N, minlength=bins)
    confidence = np.bincount(bin_N, weights=np.asarray(confidence_N, dtype=np.float64), minlength=bins)
    right = np.bincount(bin_N, weights=np.asarray(right_N, dtype=np.float64), minlength=bins)
    return [
        ReliabilityBin(
            k / bins, (k + 1) / bins, int(size[k]), float(confidence[k] / size[k]), float(right[k] / size[k])
        )
        for k in range(bins)
        if size[k]
    ]


def bin_of(confidence_N: np.ndarray, *, bins: int = 15) -> np.ndarray:
    """Which of the bins (k / bins, (k + 1) / bins] holds each confidence. Integers in [0, bins)."""
    if bins < 1:
        raise ValueError(f"bins is {bins}: needed at least 1")
    bin_N: np.ndarray = np.ceil(np.asarray(confidence_N) * bins).astype(np.int64) - 1
    return bin_N.clip(0, bins - 1)
