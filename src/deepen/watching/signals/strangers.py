"""Rows that are near no row of the reference: those that may belong to none of the labels."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.sparse import issparse

from deepen.inference.analogies import unit_length
from deepen.watching.rows import Rows
from deepen.watching.signals import Fitted, Signal

_NEAR, _BLOCK = 5, 512
_CUTS = (0.9, 0.95, 0.99)


def distance(states_NF: Any) -> tuple[np.ndarray, Callable[[Any], np.ndarray]]:
    """How far rows are from their five nearest rows of the reference: one less the mean cosine.

    Nothing is learned from the reference here: rows that taught the directions would be nearer than others.

    Returns:
        That of each row of the reference from the others, and a function that gives it for other states.
    """
    kept_NF = unit_length(states_NF)

    def far(values_NF: Any, skip: int) -> np.ndarray:
        found = []
        for start in range(0, values_NF.shape[0], _BLOCK):
            cosines: Any = values_NF[start : start + _BLOCK] @ kept_NF.T
            cosines = np.asarray(cosines.toarray() if issparse(cosines) else cosines)
            num = min(_NEAR + skip, cosines.shape[1])
            top = -np.sort(-np.partition(cosines, -num, axis=1)[:, -num:], axis=1)
            found.append(1 - top[:, min(skip, num - 1) :].mean(1))
        return np.concatenate(found) if found else np.zeros(0)

    return far(kept_NF, 1), lambda others: far(unit_length(others), 0)


def _fit(reference: Rows) -> Fitted | None:
    if reference.states_NF is None:
        return None
    own_N, others = distance(reference.states_NF)
    cuts_K = np.quantile(own_N, _CUTS)

    def seen(far_N: np.ndarray) -> np.ndarray:
        return np.column_stack([far_N, far_N[:, None] > cuts_K]).astype(np.float32)

    return Fitted(seen(own_N), lambda rows: None if rows.states_NF is None else seen(others(rows.states_NF)))


SIGNAL = Signal("rows that are near no held-out row", "none of these", _fit)
