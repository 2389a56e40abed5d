"""The probability that the answer is another one, as a logarithm: the baseline.

Source:
    Hendrycks and Gimpel 2017, https://arxiv.org/abs/1610.02136
"""

from __future__ import annotations

import numpy as np

from deepen.evaluation.calibration import softmax
from deepen.evaluation.none_of_these import Kept, Seen, Strangeness


def _of(seen: Seen, kept: Kept | None) -> np.ndarray:
    return np.asarray(np.log(1 - softmax(seen.logits_NC.astype(np.float64)).max(1) + 1e-6))


SCORE = Strangeness("how unsure it is", _of)
