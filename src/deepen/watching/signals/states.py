"""The model's own states: the maximum mean discrepancy of a Gaussian kernel, in random Fourier features.

Source:
    Gretton et al. 2012, A Kernel Two-Sample Test; Rahimi and Recht 2007 for the features; Rabanser et al. 2019, Failing
    Loudly, for the states of a model as what to test.
"""

from __future__ import annotations

import numpy as np

from deepen.watching.rows import Rows
from deepen.watching.signals import Fitted, Signal, squeezed

_DIRECTIONS, _FEATURES, _PAIRS = 32, 256, 2000


def _fit(reference: Rows) -> Fitted | None:
    if reference.states_NF is None:
        return None
    squeeze = squeezed(reference.states_NF, _DIRECTIONS)
    squeezed_NF = squeeze(reference.states_NF)
    rng = np.random.default_rng(0)
    one, two = rng.integers(0, len(squeezed_NF), (2, _PAIRS))
    width = float(np.median(np.linalg.norm(squeezed_NF[one] - squeezed_NF[two], axis=1))) or 1.0
    weight_FK = rng.normal(0, 1 / width, (squeezed_NF.shape[1], _FEATURES)).astype(np.float32)

    def features(values_NF: np.ndarray) -> np.ndarray:
        turned_NK = values_NF @ weight_FK
        return np.concatenate([np.cos(turned_NK), np.sin(turned_NK)], axis=1)

    return Fitted(
        features(squeezed_NF), lambda rows: None if rows.states_NF is None else features(squeeze(rows.states_NF))
    )


SIGNAL = Signal("what the model makes of the rows", "other texts", _fit, scaled=False)
