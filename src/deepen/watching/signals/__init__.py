"""Signals: each looks at rows in its own way, and sees whether a window is drawn as the reference was.

A file has one value `SIGNAL`. It turns every row into numbers, and what it sees in a window is how far their means have
moved; of numbers that rows have beside one another only, which mean has risen most. Means are cheap to draw ten
thousand times, so that all signals together keep one budget of false alarms.

Shape legend: N rows, K numbers of a row.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from deepen.watching.rows import Rows

View = Callable[[Rows], np.ndarray | None]
"""Rows to their numbers, values_NK; None if what it takes was not kept."""


@dataclass(frozen=True)
class Fitted:
    """What a signal sees of the reference itself, each row as if it were not part of it, and its view of other rows."""

    reference_NK: np.ndarray
    view: View


@dataclass(frozen=True)
class Signal:
    """A way to look at rows.

    Attributes:
        title: What has moved, for people.
        cause: What an alarm is called that this signal raises: signals of one cause raise one alarm.
        fit: Learns from the reference; None if the signal does not apply to it.
        scaled: Whether numbers of a row are weighed by their spread (Hotelling's T-squared), or count as they are.
        together: Turns the numbers of the held-out rows and the window, as one heap in any order, into those whose
            means are compared; then the mean that has risen most counts. None compares the numbers of each row.
    """

    title: str
    cause: str
    fit: Callable[[Rows], Fitted | None]
    scaled: bool = True
    together: Callable[[np.ndarray], np.ndarray] | None = None


def simple(view: View) -> Callable[[Rows], Fitted | None]:
    """The `fit` of a signal that learns nothing from the reference."""

    def fit(reference: Rows) -> Fitted | None:
        seen = view(reference)
        return None if seen is None else Fitted(seen, view)

    return fit


def shelf() -> dict[str, Signal]:
    """All signals by name."""
    from deepen.core.shelf import values
    from deepen.watching import signals

    return values(signals, Signal)


def squeezed(states_NF: Any, most: int) -> Callable[[Any], np.ndarray]:
    """States, dense or sparse, to at most so many numbers: their main directions, learned from these."""
    from scipy.sparse import issparse
    from sklearn.decomposition import PCA, TruncatedSVD

    num = max(1, min(most, min(states_NF.shape) - 1))
    made = TruncatedSVD(num, random_state=0) if issparse(states_NF) else PCA(num, random_state=0)
    made.fit(states_NF)
    scale = float(np.sqrt(np.mean(made.transform(states_NF).var(0).sum()))) or 1.0
    return lambda other_NF: np.asarray(made.transform(other_NF), np.float32) / scale
