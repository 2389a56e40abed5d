"""How many tokens the model reads of rows, and how often it cuts something off."""

from __future__ import annotations

import numpy as np

from deepen.watching.rows import Rows
from deepen.watching.signals import Signal, simple


def _view(rows: Rows) -> np.ndarray | None:
    if rows.num_tokens_N is None or rows.truncated_N is None:
        return None
    return np.column_stack([np.log1p(rows.num_tokens_N), rows.truncated_N]).astype(np.float32)


SIGNAL = Signal("how much the model reads of them", "truncated texts", simple(_view))
