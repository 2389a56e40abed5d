"""The share of rows that look like none of the labels, to a run that tells them (`train --none-of-these`)."""

from __future__ import annotations

import numpy as np

from deepen.watching.rows import Rows
from deepen.watching.signals import Signal, simple


def _view(rows: Rows) -> np.ndarray | None:
    return None if rows.refused_N is None else rows.refused_N[:, None].astype(np.float32)


SIGNAL = Signal("how many get no answer, as none of the labels", "none of these", simple(_view))
