"""How far a row is from the training rows that are nearest to it, as the model sees them.

Source:
    Sun et al. 2022, Out-of-Distribution Detection with Deep Nearest Neighbors, https://arxiv.org/abs/2204.06507
"""

from __future__ import annotations

import numpy as np

from deepen.evaluation.none_of_these import Kept, Seen, Strangeness, far


def _of(seen: Seen, kept: Kept | None) -> np.ndarray:
    assert kept is not None  # noqa: S101 - it needs rows, and says so
    return far(seen.states_NF, kept.states_KF)


SCORE = Strangeness("how far its nearest training rows are", _of, needs_rows=True)
