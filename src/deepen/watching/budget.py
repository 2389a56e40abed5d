"""Whether a window is drawn as the reference was, by all signals together, at one budget of false alarms.

A third of the reference teaches each signal how to look. The rest and the window are then one heap: if nothing has
changed, any rows of it could be the window, so a signal's p-value is the place of the window among a thousand draws.
The smallest of all signals is compared with the smallest ones of the draws, so that signals that see the same thing do
not count twice. What was learned from some rows can't flatter others.

Shape legend: N rows of the rest and of the window together, K numbers of a row, B draws.

Source:
    Westfall and Young 1993, Resampling-Based Multiple Testing, for the smallest p-value of several tests.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from deepen.core.seed import derive
from deepen.watching.rows import Rows
from deepen.watching.signals import Fitted, Signal, shelf

DRAWS, _RIDGE, _TAUGHT = 1000, 0.05, 3


@dataclass(frozen=True)
class _Lens:
    """A signal that was fitted, its side of the means, which is the same for all windows, and how it weighs moves.

    Numbers are taken from `usual_K`, so that those that never change are 0 and not what rounding makes of them.
    """

    signal: Signal
    fitted: Fitted
    compared_NK: np.ndarray
    usual_K: np.ndarray
    mean_BK: np.ndarray
    weight_KK: np.ndarray | None

    def moved(self, window_NK: np.ndarray, weight_BN: np.ndarray) -> np.ndarray:
        """How far means have moved, one number a draw."""
        if self.signal.together is not None:
            heap_NK = self.signal.together(np.concatenate([self.compared_NK, window_NK]))
            return np.asarray((weight_BN @ heap_NK).max(-1))
        mean_BK = self.mean_BK + weight_BN[:, len(self.compared_NK) :] @ (window_NK - self.usual_K)
        turned_BK = mean_BK if self.weight_KK is None else mean_BK @ self.weight_KK
        return np.asarray((mean_BK * turned_BK).sum(-1))


@dataclass(frozen=True)
class Judged:
    """What the signals say of a window: the p-value of each, the one of all together, and how far each has moved.

    `moved` is in times of what chance passes once in twenty.
    """

    p_values: dict[str, float]
    p_value: float
    moved: dict[str, float]


class Watcher:
    """Signals fitted to a reference, for windows of one size."""

    def __init__(self, reference: Rows, window_rows: int, *, draws: int = DRAWS) -> None:
        self.window_rows = window_rows
        order_N = np.random.default_rng(derive(0, "reference")).permutation(len(reference))
        parts = np.split(order_N, [len(reference) // _TAUGHT])
        taught, compared = (reference.take(np.sort(part)) for part in parts)
        self.lenses: dict[str, _Lens] = {}
        self._weight_BN = _splits(len(compared), window_rows, draws)
        for name, signal in shelf().items():
            fitted = signal.fit(taught)
            seen_NK = None if fitted is None else fitted.view(compared)
            if fitted is not None and seen_NK is not None:
                weight_KK = _weight(fitted.reference_NK) if signal.scaled else None
                usual_K = fitted.reference_NK[0].astype(np.float32)
                mean_BK = self._weight_BN[:, : len(compared)] @ (seen_NK - usual_K)
                self.lenses[name] = _Lens(signal, fitted, seen_NK, usual_K, mean_BK, weight_KK)

    def view(self, rows: Rows) -> dict[str, np.ndarray]:
        """What the signals that apply see of each row, seen_NK by name."""
        views = {name: lens.fitted.view(rows) for name, lens in self.lenses.items()}
        return {name: seen_NK for name, seen_NK in views.items() if seen_NK is not None}

    def judge(self, seen: Mapping[str, np.ndarray], at: slice | np.ndarray = slice(None)) -> Judged:
        """Compares a window with the reference.

        Args:
            seen: Rows as `view` gives them.
            at: Which of them are the window: as many as was said.
        """
        far = {name: self.lenses[name].moved(rows_NK[at], self._weight_BN) for name, rows_NK in seen.items()}
        places = {name: _p_values(far_B) for name, far_B in far.items()}
        smallest_B = np.min(list(places.values()), axis=0)
        moved = {name: float(far_B[0] / max(np.quantile(far_B[1:], 0.95), 1e-12)) for name, far_B in far.items()}
        together = float(np.mean(smallest_B <= smallest_B[0] + 1e-12))
        return Judged({name: float(place_B[0]) for name, place_B in places.items()}, together, moved)


def _splits(num_compared: int, window_rows: int, draws: int) -> np.ndarray:
    """What subtracts the mean of the rest from that of a window, weight_BN: of the one that came, then by chance."""
    rng = np.random.default_rng(0)
    weight_BN = np.full((1 + draws, num_compared + window_rows), -1 / num_compared, np.float32)
    weight_BN[0, num_compared:] = 1 / window_rows
    for weight_N in weight_BN[1:]:
        weight_N[rng.choice(len(weight_N), window_rows, replace=False, shuffle=False)] = 1 / window_rows
    return weight_BN


def _weight(seen_NK: np.ndarray) -> np.ndarray:
    """The inverse of the covariance, drawn towards one without correlations."""
    covariance_KK = np.atleast_2d(np.cov(seen_NK.astype(np.float64).T))
    spread = np.sqrt(np.maximum(np.diag(covariance_KK), 1e-9))
    correlation_KK = covariance_KK / np.outer(spread, spread)
    inverse_KK = np.linalg.inv((1 - _RIDGE) * correlation_KK + _RIDGE * np.eye(len(spread)))
    return np.asarray(inverse_KK / np.outer(spread, spread), np.float32)


def _p_values(far_B: np.ndarray) -> np.ndarray:
    """The share of all that have moved as far as each, itself among them."""
    ordered_B = np.sort(far_B)
    return np.asarray((len(far_B) - np.searchsorted(ordered_B, far_B, side="left")) / len(far_B))
