"""What models of the surface share: answers of whole rows, a temperature, and files. Shape legend: N rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save_file

from deepen.core.files import write_json
from deepen.core.types import Outputs

ARRAYS, NAMES = "model.safetensors", "vocabulary.json"


@dataclass
class Scaled:
    """A model whose logits are divided by a temperature; what is best in it knows no shift."""

    temperature: float = field(default=1.0, kw_only=True)

    def calibrate(self, temperature: float, shift_C: np.ndarray | float = 0.0) -> None:
        """Divides every later logit."""
        self.temperature *= temperature


def of_rows(values_NC: np.ndarray) -> Outputs:
    """Outputs of rows that are a unit each."""
    return Outputs(values_NC, np.arange(len(values_NC) + 1))


def offsets_of(rows: Sequence[Any]) -> np.ndarray:
    """Where the units of each row begin, and where the last ends, offsets_N1."""
    return np.concatenate([[0], np.cumsum([len(row) for row in rows])]).astype(np.int64)


def write_model(
    folder: Path, arrays: Mapping[str, Any], *, names: Any = None, file: str = NAMES, dtype: Any = np.float32
) -> None:
    """Writes arrays as safetensors into a folder, and beside them as JSON what they are about."""
    folder.mkdir(parents=True, exist_ok=True)
    if names is not None:
        write_json(folder / file, names, indent=None)
    save_file({name: np.ascontiguousarray(value, dtype) for name, value in arrays.items()}, folder / ARRAYS)
