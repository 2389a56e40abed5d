"""8-bit integers for weights: the export `onnx-int8` as a run."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from deepen.compression.way import Given, Way
from deepen.exporting.export import MOST_ROWS, export_model


def make(given: Given, folder: Path) -> None:
    """Exports the model; raises if what comes out is no INT8 here."""
    rows = given.held.take(np.arange(min(MOST_ROWS, len(given.held))))
    export_model(given.model, folder, rows, form="onnx-int8", say=given.say)


WAY = Way(order=90, price=1, title="8-bit integers for weights", make=make, learns=False)
