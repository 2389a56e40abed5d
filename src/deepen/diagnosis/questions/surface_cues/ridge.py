"""A linear head that forgets and learns rows cheaply. Shape legend: K rows, F features, C labels."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np


@dataclass(frozen=True)
class Ridge:
    """The sums that a least-squares head on standardised features is solved from.

    Rows are weighed so that every label counts the same; a score is 1 where the label is right and 0 where not, as far
    as a straight line can say. It is not as good a classifier as logistic regression, but what one row or word
    changes in it is exact and costs one small matrix.
    """

    mean_F: np.ndarray
    scale_F: np.ndarray
    weight_C: np.ndarray
    gram_FF: np.ndarray
    cross_FC: np.ndarray
    penalty: float

    def standard(self, features_KF: np.ndarray) -> np.ndarray:
        """Features on one scale, with a 1 at the end for the bias."""
        return np.c_[(features_KF - self.mean_F) / self.scale_F, np.ones(len(features_KF))]

    def changed(self, features_KF: np.ndarray, labels_K: np.ndarray, times: float | np.ndarray) -> Ridge:
        """The head after some rows have been learned (`times` above 0) or forgotten (below 0)."""
        rows_KF, weights_K = self.standard(features_KF), self.weight_C[labels_K] * times
        weighed_KF = rows_KF * weights_K[:, None]
        cross_FC = self.cross_FC + weighed_KF.T @ np.eye(len(self.weight_C))[labels_K]
        gram_FF = self.gram_FF + weighed_KF.T @ rows_KF
        return Ridge(self.mean_F, self.scale_F, self.weight_C, gram_FF, cross_FC, self.penalty)

    @cached_property
    def inverse_FF(self) -> np.ndarray:
        """Of the sums with the penalty; the bias is free."""
        penalty_F = np.full(len(self.gram_FF), self.penalty)
        penalty_F[-1] = 1e-6 * self.penalty
        return np.linalg.inv(self.gram_FF + np.diag(penalty_F))

    def scores(self, features_KF: np.ndarray, label: int) -> np.ndarray:
        """How much each row looks like a label, about 0 to 1."""
        return np.asarray(self.standard(features_KF) @ (self.inverse_FF @ self.cross_FC[:, label]))

    def score_without(self, features_F: np.ndarray, forgotten_KF: np.ndarray, is_K: np.ndarray, label: int) -> float:
        """What one row would score if some rows had not been learned, without solving again (Woodbury 1950)."""
        row_F = self.standard(features_F[None])[0]
        rows_KF, weights_K = self.standard(forgotten_KF), self.weight_C[is_K]
        cross_F = self.cross_FC[:, label] - (rows_KF * weights_K[:, None]).T @ (is_K == label)
        half_KF = rows_KF @ self.inverse_FF
        small_KK = np.diag(1 / weights_K) - half_KF @ rows_KF.T
        return float(row_F @ self.inverse_FF @ cross_F + half_KF @ row_F @ np.linalg.solve(small_KK, half_KF @ cross_F))


def solve_ridge(features_KF: np.ndarray, labels_K: np.ndarray, num_labels: int, *, strength: float = 0.03) -> Ridge:
    """Fits a head. `strength` is the penalty, as a share of the number of rows."""
    mean_F, scale_F = features_KF.mean(0), features_KF.std(0) + 1e-6
    counts_C = np.bincount(labels_K, minlength=num_labels)
    weight_C = len(labels_K) / np.maximum(1, (counts_C > 0).sum() * counts_C)
    width = features_KF.shape[1] + 1
    empty = Ridge(
        mean_F, scale_F, weight_C, np.zeros((width, width)), np.zeros((width, num_labels)), strength * len(labels_K)
    )
    return empty.changed(features_KF, labels_K, 1.0)
