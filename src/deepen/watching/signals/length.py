"""How long rows are, and how many the model reads a part of only."""

from __future__ import annotations

import numpy as np

from deepen.watching.rows import Rows
from deepen.watching.signals import Signal, simple


def _view(rows: Rows) -> np.ndarray | None:
    if rows.texts is None:
        return None
    long_N = np.log1p([len(text) for text in rows.texts])
    return np.column_stack([long_N, long_N**2]).astype(np.float32)


SIGNAL = Signal("how long the texts are", "other texts", simple(_view))
