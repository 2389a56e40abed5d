"""How often each label is answered."""

from __future__ import annotations

import numpy as np

from deepen.watching.rows import Rows
from deepen.watching.signals import Signal, simple


def _view(rows: Rows) -> np.ndarray:
    num_labels = rows.probabilities_NC.shape[1]
    return np.eye(num_labels, dtype=np.float32)[rows.answers_N][:, : max(1, num_labels - 1)]


SIGNAL = Signal("how often each label is answered", "other answers", simple(_view))
