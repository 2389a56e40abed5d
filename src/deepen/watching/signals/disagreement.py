"""How often the cheaper rungs of the run say something else than the chosen one."""

from __future__ import annotations

import numpy as np

from deepen.watching.rows import Rows
from deepen.watching.signals import Signal, simple


def _view(rows: Rows) -> np.ndarray | None:
    if rows.cheaper_RNC is None or not len(rows.cheaper_RNC):
        return None
    return np.asarray((rows.cheaper_RNC.argmax(2) != rows.answers_N).T, np.float32)


SIGNAL = Signal("how often a cheaper rung says something else", "unsure answers", simple(_view))
