"""Sequences that lie end to end, as the padded grid that an exported network reads.

Shape legend: S sequences, L tokens of the longest, T tokens of all, M units, R rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class FlatBatch:
    """Sequences end to end, as `Inputs` without torch; `where_T` are the places of their tokens in a table."""

    where_T: np.ndarray
    lengths_B: np.ndarray
    ids_T: np.ndarray
    segments_T: np.ndarray | None = None
    units_M: np.ndarray | None = None
    windows_R: np.ndarray | None = None
    again_S: np.ndarray | None = None


def padded(inputs: FlatBatch, names: Sequence[str]) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """A batch as arrays with a row a sequence.

    Args:
        inputs: The batch; with token ids, on the CPU.
        names: The arrays that are wanted, as in `Runtime.inputs`.

    Returns:
        The arrays by name, and the place in the grid of each token, slots_T.
    """
    lengths_S = inputs.lengths_B
    size = (len(lengths_S), int(lengths_S.max()))
    owners_T = np.repeat(np.arange(size[0]), lengths_S)
    slots_T = owners_T * size[1] + np.arange(len(owners_T)) - (np.cumsum(lengths_S) - lengths_S)[owners_T]
    flats = {"input_ids": inputs.ids_T, "attention_mask": np.ones(len(slots_T), np.int64)}
    if inputs.segments_T is not None:
        flats["token_type_ids"] = inputs.segments_T
    found: dict[str, np.ndarray] = {}
    for name in ("input_ids", "attention_mask", "token_type_ids"):
        if name in names:
            grid = np.zeros(size[0] * size[1], np.int64)
            if name in flats:
                grid[slots_T] = flats[name]
            found[name] = grid.reshape(size)
    if "spans" in names:
        assert inputs.units_M is not None  # noqa: S101 - the task that pools by spans makes them
        found["spans"] = slots_T[inputs.units_M].reshape(-1, 2)
    if "pairs" in names:
        found["pairs"] = sequences(inputs).reshape(-1, 2)
    if "windows" in names:
        counts_R = np.ones(size[0], np.int64) if inputs.windows_R is None else inputs.windows_R
        rows_S = np.repeat(np.arange(len(counts_R)), counts_R)
        found["windows"] = (np.arange(len(counts_R))[:, None] == rows_S[None, :]).astype(np.float32)
    return found, slots_T


def sequences(inputs: FlatBatch) -> np.ndarray:
    """Which sequence is the next of the rows' texts, where a row has two."""
    return np.arange(len(inputs.lengths_B)) if inputs.again_S is None else inputs.again_S
