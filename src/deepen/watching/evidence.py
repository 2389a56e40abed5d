"""What speaks for and against single answers, and what a window's rows say together of how often they are right.

Shape legend: N rows, E pieces of evidence.

Source:
    Guillory et al. 2021, Predicting with Confidence on Unseen Distributions (difference of confidences); Garg et al.
    2022, Leveraging Unlabeled Data to Predict Out-of-Distribution Performance (ATC).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from deepen.watching.rows import Rows
from deepen.watching.signals.strangers import distance
from deepen.watching.signals.unknown import unknown

_LEAST = 1e-4


@dataclass(frozen=True)
class Linear:
    """A linear model of standardised numbers."""

    mean_E: list[float]
    scale_E: list[float]
    weight_E: list[float]
    bias: float

    def __call__(self, values_NE: np.ndarray) -> np.ndarray:
        """One number a row."""
        return np.asarray((values_NE - self.mean_E) / self.scale_E @ np.asarray(self.weight_E) + self.bias)


def standardised(values_NE: np.ndarray) -> tuple[np.ndarray, list[float], list[float]]:
    """Numbers with mean 0 and spread 1, what was taken off, and what they were divided by."""
    mean_E, scale_E = values_NE.mean(0), np.maximum(values_NE.std(0), 1e-6)
    return (values_NE - mean_E) / scale_E, mean_E.tolist(), scale_E.tolist()


def logistic(values_NE: np.ndarray, right_N: np.ndarray, weights_N: np.ndarray | None = None) -> Linear:
    """The log-odds that something is right; where all or none are, a constant."""
    from sklearn.linear_model import LogisticRegression

    scaled_NE, mean_E, scale_E = standardised(values_NE)
    share = float(np.clip(right_N.mean(), 1e-3, 1 - 1e-3))
    if right_N.all() or not right_N.any():
        return Linear(mean_E, scale_E, [0.0] * len(mean_E), float(np.log(share / (1 - share))))
    fitted = LogisticRegression(C=0.5, max_iter=500).fit(scaled_NE, right_N, weights_N)
    return Linear(mean_E, scale_E, fitted.coef_[0].tolist(), float(fitted.intercept_[0]))


def sigmoid(logits: Any) -> Any:
    """Log-odds to a probability."""
    return 1 / (1 + np.exp(-np.clip(logits, -30, 30)))


class Evidence:
    """What speaks for the answers of rows, as seen from reference rows.

    Args:
        with_texts: Whether texts, states and cheaper rungs are looked at too.
    """

    def __init__(self, reference: Rows, *, with_texts: bool) -> None:
        self.reference, self.with_texts = reference, with_texts and reference.texts is not None
        self._views: list[Any] = []
        own = [np.zeros((len(reference), 0))]
        if self.with_texts:
            own_N2, of_texts = unknown(reference.texts or ())
            own.append(own_N2)
            self._views.append(lambda rows: of_texts(rows.texts))
            if reference.states_NF is not None:
                own_N, far = distance(reference.states_NF)
                own.append(own_N[:, None])
                self._views.append(lambda rows: far(rows.states_NF)[:, None])
        self.own_NE = self(replace(reference, strange_NE=np.concatenate(own, axis=1)))

    def seen(self, rows: Rows) -> Rows:
        """Rows with how strange they are, which is found once."""
        strange = [np.zeros((len(rows), 0)), *(view(rows) for view in self._views)]
        return replace(rows, strange_NE=np.concatenate(strange, axis=1))

    def __call__(self, rows: Rows) -> np.ndarray:
        """What speaks for each answer of rows that were `seen`, evidence_NE."""
        backed = [_backed(rows)] if self.with_texts and rows.cheaper_RNC is not None and len(rows.cheaper_RNC) else []
        return np.concatenate([_sure(rows), np.asarray(rows.strange_NE), *backed], axis=1)


def _sure(rows: Rows) -> np.ndarray:
    """How sure the model is: the log-odds of its answer, its lead, and how much is left open."""
    sorted_NC = np.sort(np.clip(rows.probabilities_NC.astype(float), _LEAST, 1 - _LEAST), axis=1)
    first_N, second_N = sorted_NC[:, -1], sorted_NC[:, -2]
    entropy_N = -(sorted_NC * np.log(sorted_NC)).sum(1)
    return np.column_stack([np.log(first_N / (1 - first_N)), np.log(first_N / second_N), entropy_N])


def _backed(rows: Rows) -> np.ndarray:
    """How likely the cheaper rungs find the answer, and how many say the same."""
    cheaper_RNC = np.asarray(rows.cheaper_RNC)
    likely_RN = cheaper_RNC[:, np.arange(len(rows)), rows.answers_N]
    return np.column_stack([likely_RN.mean(0), (cheaper_RNC.argmax(2) == rows.answers_N).mean(0)])


@dataclass(frozen=True)
class Clues:
    """The reference's side of a window's clues: mean chance to be right, mean confidence, ATC's threshold, accuracy."""

    chance: float
    confidence: float
    threshold: float
    accuracy: float


def clues_of(reference: Rows, chances_N: np.ndarray) -> Clues:
    """What windows are compared with.

    Args:
        chances_N: How likely each answer is right, by evidence.
    """
    accuracy = float(reference.right_N.mean())
    threshold = float(np.quantile(reference.confidences_N, 1 - accuracy))
    return Clues(float(chances_N.mean()), float(reference.confidences_N.mean()), threshold, accuracy)


def clues(rows: Rows, chances_N: np.ndarray, against: Clues) -> np.ndarray:
    """How far rows fall short of the reference by evidence, by the difference of confidences, and by ATC, clues_3."""
    sure_N = rows.confidences_N
    return np.array(
        [
            against.chance - chances_N.mean(),
            against.confidence - sure_N.mean(),
            against.accuracy - (sure_N >= against.threshold).mean(),
        ]
    )
