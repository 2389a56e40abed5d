"""Groups that have come up: rows near one another, of which there are more than among the held-out rows.

A new topic in a few of a hundred rows moves no mean far. So the held-out rows and the window are put into many small
groups together, not knowing which is which, and what counts is the one group whose share has risen most.

Shape legend: N rows, F numbers of a state, K groups.

Source:
    Lloyd 1982, Least Squares Quantization in PCM, for the groups.
"""

from __future__ import annotations

import numpy as np

from deepen.inference.analogies import unit_length
from deepen.watching.rows import Rows
from deepen.watching.signals import Fitted, Signal, squeezed

DIRECTIONS, _ROWS_A_GROUP, _MOST_GROUPS, _GROUPINGS, _TURNS = 48, 30, 256, 4, 30


def groupings(states_NF: np.ndarray) -> list[np.ndarray]:
    """The number of each row's group, several times over: one grouping alone may cut what belongs together.

    They are the same for the same rows in another order.
    """
    from sklearn.cluster import KMeans

    num_groups = min(_MOST_GROUPS, max(2, len(states_NF) // _ROWS_A_GROUP))
    order_N, found = np.lexsort(states_NF.T), []
    for seed in range(_GROUPINGS):
        made = KMeans(num_groups, n_init=1, max_iter=_TURNS, random_state=seed).fit(states_NF[order_N])
        found.append(made.labels_[np.argsort(order_N)])
    return found


def risen(states_NF: np.ndarray) -> np.ndarray:
    """In which groups each row is, as numbers whose means can be compared: 0 elsewhere, there 1 by its deviation."""
    numbers = []
    for group_N in groupings(states_NF):
        in_NK = np.eye(int(group_N.max()) + 1, dtype=np.float32)[group_N]
        share_K = in_NK.mean(0)
        numbers.append(in_NK / np.sqrt(np.maximum(share_K * (1 - share_K), 1e-9)))
    return np.concatenate(numbers, axis=1).astype(np.float32)


def _fit(reference: Rows) -> Fitted | None:
    if reference.states_NF is None:
        return None
    squeeze = squeezed(reference.states_NF, DIRECTIONS)

    def view(rows: Rows) -> np.ndarray | None:
        return None if rows.states_NF is None else unit_length(squeeze(rows.states_NF))

    return Fitted(unit_length(squeeze(reference.states_NF)), view)


SIGNAL = Signal("a group of rows that has come up", "none of these", _fit, scaled=False, together=risen)
