"""Rows that are near no row of the reference: those that may belong to none of the labels."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from deepen.watching.rows import Rows
from deepen.watching.signals import Fitted, Signal, squeezed

_DIRECTIONS, _NEAR, _BLOCK = 64, 5, 512
_CUTS = (0.9, 0.95, 0.99)


def distance(states_NF: Any) -> tuple[np.ndarray, Callable[[Any], np.ndarray]]:
    """How far rows are from their five nearest rows of the reference: one less the mean cosine.

    Returns:
        That of each row of the reference from the others, and a function that gives it for other states.
    """
    squeeze = squeezed(states_NF, _DIRECTIONS)
    kept_NF = _unit(squeeze(states_NF))

    def far(values_NF: np.ndarray, skip: int) -> np.ndarray:
        found = []
        for start in range(0, len(values_NF), _BLOCK):
            cosines = values_NF[start : start + _BLOCK] @ kept_NF.T
            num = min(_NEAR + skip, cosines.shape[1])
            top = -np.sort(-np.partition(cosines, -num, axis=1)[:, -num:], axis=1)
            found.append(1 - top[:, min(skip, num - 1) :].mean(1))
        return np.concatenate(found) if found else np.zeros(0)

    return far(kept_NF, 1), lambda others: far(_unit(squeeze(others)), 0)


def _unit(values_NF: np.ndarray) -> np.ndarray:
    return values_NF / np.maximum(np.linalg.norm(values_NF, axis=1, keepdims=True), 1e-12)


def _fit(reference: Rows) -> Fitted | None:
    if reference.states_NF is None:
        return None
    own_N, others = distance(reference.states_NF)
    cuts_K = np.quantile(own_N, _CUTS)

    def seen(far_N: np.ndarray) -> np.ndarray:
        return np.column_stack([far_N, far_N[:, None] > cuts_K]).astype(np.float32)

    return Fitted(seen(own_N), lambda rows: None if rows.states_NF is None else seen(others(rows.states_NF)))


SIGNAL = Signal("rows that are near no held-out row", "none of these", _fit)
