"""The tokens of some rows of a table as one flat batch: sequences end to end, and where their units are.

Shape legend: T tokens, S sequences, M units, R rows.
"""

from __future__ import annotations

import numpy as np

from deepen.data.batches import flat_positions
from deepen.data.tokens import TokenTable
from deepen.models.runtimes.padded import FlatBatch


def flat_batch(tokens: TokenTable, rows: np.ndarray, *, shares: bool = False) -> FlatBatch:
    """Some rows of a table.

    Args:
        shares: Whether a text that several of the rows have is there once.
    """
    lengths = np.asarray(tokens.offsets_N1[rows + 1]) - np.asarray(tokens.offsets_N1[rows])
    where = flat_positions(tokens.offsets_N1, rows)
    units = windows = again = segments = None
    if tokens.units_M is not None and tokens.unit_offsets_N1 is not None:
        counts = np.asarray(tokens.unit_offsets_N1[rows + 1]) - np.asarray(tokens.unit_offsets_N1[rows])
        starts = np.repeat(np.cumsum(lengths) - lengths, counts)
        units = starts + tokens.units_M[flat_positions(tokens.unit_offsets_N1, rows)]
    if tokens.sequences_S is not None and tokens.sequence_offsets_N1 is not None:
        windows = np.diff(tokens.sequence_offsets_N1)[rows]
        lengths = np.asarray(tokens.sequences_S[flat_positions(tokens.sequence_offsets_N1, rows)])
        if shares:
            once, again = same_sequences(tokens.ids_T[where], lengths)
            where, lengths = where[flat_positions(ends(lengths), once)], lengths[once]
    if tokens.segments_T is not None:
        segments = tokens.segments_T[where].astype(np.int64)
    return FlatBatch(where, lengths, tokens.ids_T[where].astype(np.int64), segments, units, windows, again)


def same_sequences(ids_T: np.ndarray, lengths_S: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Which sequences are there for the first time, and which of those each one is.

    Args:
        ids_T: The tokens of S sequences, end to end.
        lengths_S: Tokens of each.

    Returns:
        The places of the different ones, in order, and for each of the S its place among those. Two are the same if
        the sums of their tokens, each times 64 random bits of its place, are.
    """
    starts_S = np.cumsum(lengths_S) - lengths_S
    places_T = np.arange(len(ids_T)) - np.repeat(starts_S, lengths_S)
    salt_L = np.random.default_rng(0).integers(1, 2**63, int(lengths_S.max(initial=1)), dtype=np.uint64) | np.uint64(1)
    marks_S = np.add.reduceat(salt_L[places_T] * (ids_T.astype(np.uint64) + np.uint64(1)), starts_S)
    _, first_K, again_S = np.unique(marks_S, return_index=True, return_inverse=True)
    order_K = np.argsort(first_K)
    return first_K[order_K], np.argsort(order_K)[again_S]


def ends(lengths_S: np.ndarray) -> np.ndarray:
    """Where sequences of these lengths start when they lie end to end, with the end of the last."""
    return np.concatenate([[0], np.cumsum(lengths_S)])
