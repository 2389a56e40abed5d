"""How far a row is from the training rows that are nearest to it, as the model sees them: one less the mean cosine.

Source:
    Sun et al. 2022, Out-of-Distribution Detection with Deep Nearest Neighbors, https://arxiv.org/abs/2204.06507
"""

from __future__ import annotations

from typing import Any

import numpy as np

from deepen.evaluation.none_of_these import Kept, Seen, Strangeness

_NEAR, _BLOCK = 5, 512


def _of(seen: Seen, kept: Kept | None) -> np.ndarray:
    assert kept is not None  # noqa: S101 - it needs states, and says so
    num, found = min(_NEAR, len(kept.labels_K)), [np.zeros(0)]
    for start in range(0, seen.states_NF.shape[0], _BLOCK):
        cosines: Any = seen.states_NF[start : start + _BLOCK] @ kept.states_KF.T
        cosines = cosines if isinstance(cosines, np.ndarray) else cosines.toarray()
        found.append(1 - np.partition(cosines, -num, axis=1)[:, -num:].mean(1))
    return np.concatenate(found)


SCORE = Strangeness("how far its nearest training rows are", _of, 0.0, 2.0, needs_states=True)
