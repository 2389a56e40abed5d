"""Whether a window is drawn as the reference was, by all signals together, at one budget of false alarms.

What each signal would see by chance is drawn beforehand: the reference and a window from it, both with replacement, a
few thousand times. A window's p-value by a signal is its place among those, and the smallest of all signals is compared
with the smallest ones of the draws, so that signals that see the same thing do not count twice.

Shape legend: N rows of the reference, K numbers of a row, B draws, S signals.

Source:
    Westfall and Young 1993, Resampling-Based Multiple Testing, for the smallest p-value of several tests.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from deepen.watching.rows import Rows
from deepen.watching.signals import Fitted, shelf

DRAWS, _RIDGE, _BLOCK = 2000, 0.05, 250


@dataclass(frozen=True)
class _Lens:
    """A signal that was fitted: the mean of what it sees of the reference, and how it weighs what has moved."""

    fitted: Fitted
    mean_K: np.ndarray
    weight_KK: np.ndarray | None

    def moved(self, mean_BK: np.ndarray) -> np.ndarray:
        """How far means have moved, one number each."""
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
        self.lenses = {
            name: _lens(fitted, signal.scaled)
            for name, signal in shelf().items()
            if (fitted := signal.fit(reference)) is not None
        }
        self._chance = _by_chance(self.lenses, len(reference), window_rows, draws)

    @cached_property
    def _p_of_draws(self) -> dict[str, np.ndarray]:
        return {name: _p_values(chance_B, chance_B) for name, chance_B in self._chance.items()}

    def judge(self, window: Rows) -> Judged:
        """Compares a window of `window_rows` rows with the reference, by the signals that apply to both."""
        p_values, moved = {}, {}
        for name, lens in self.lenses.items():
            seen_NK = lens.fitted.view(window)
            if seen_NK is not None:
                far = lens.moved(seen_NK.mean(0) - lens.mean_K)
                p_values[name] = float(_p_values(np.array([far]), self._chance[name])[0])
                moved[name] = float(far / max(np.quantile(self._chance[name], 0.95), 1e-12))
        smallest_B = np.min([self._p_of_draws[name] for name in p_values], axis=0)
        # the draw itself counts once, so that no p-value is zero
        together = (1 + np.sum(smallest_B <= min(p_values.values()))) / (1 + len(smallest_B))
        return Judged(p_values, float(together), moved)


def _lens(fitted: Fitted, scaled: bool) -> _Lens:
    seen_NK = fitted.reference_NK.astype(np.float64)
    weight_KK = None
    if scaled:
        covariance_KK = np.atleast_2d(np.cov(seen_NK.T))
        spread = np.sqrt(np.maximum(np.diag(covariance_KK), 1e-9))
        correlation_KK = covariance_KK / np.outer(spread, spread)
        inverse_KK = np.linalg.inv((1 - _RIDGE) * correlation_KK + _RIDGE * np.eye(len(spread)))
        weight_KK = inverse_KK / np.outer(spread, spread)
    return _Lens(fitted, seen_NK.mean(0), weight_KK)


def _by_chance(lenses: Mapping[str, _Lens], num_rows: int, window_rows: int, draws: int) -> dict[str, np.ndarray]:
    """How far each signal moves where nothing has changed."""
    rng = np.random.default_rng(0)
    even_N = np.full(num_rows, 1 / num_rows)
    found: dict[str, list[np.ndarray]] = {name: [] for name in lenses}
    for start in range(0, draws, _BLOCK):
        size = min(_BLOCK, draws - start)
        window_BN = rng.multinomial(window_rows, even_N, size) / window_rows
        weight_BN = window_BN - rng.multinomial(num_rows, even_N, size) / num_rows
        for name, lens in lenses.items():
            found[name].append(lens.moved(weight_BN.astype(np.float32) @ lens.fitted.reference_NK))
    return {name: np.concatenate(parts) for name, parts in found.items()}


def _p_values(far_M: np.ndarray, chance_B: np.ndarray) -> np.ndarray:
    ordered_B = np.sort(chance_B)
    passed_M = len(ordered_B) - np.searchsorted(ordered_B, far_M, side="left")
    return np.asarray((1 + passed_M) / (1 + len(ordered_B)))
