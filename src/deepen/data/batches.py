"""Which rows go together: batches of like length under a token budget. Shape legend: K rows of a part."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def sorted_batches(lengths_K: np.ndarray, *, max_tokens: int, max_rows: int = 512) -> list[np.ndarray]:
    """Batches for a pass without training: longest first, so that running out of memory shows at once."""
    order = np.argsort(-lengths_K, kind="stable")
    return _cut(order, lengths_K, max_tokens=max_tokens, max_rows=max_rows)


def even_batches(lengths_K: np.ndarray, *, max_tokens: int, most_padding: int) -> list[np.ndarray]:
    """As `sorted_batches`, for a network that runs padding too: a batch ends before it holds much of that.

    Args:
        lengths_K: Tokens of each row.
        max_tokens: The most tokens in a batch, padding and all; a row that is longer is a batch of its own.
        most_padding: The most tokens of padding in a batch: what starting another costs.

    Returns:
        Positions in [0, K), each in one batch.

    Example:
        >>> [batch.tolist() for batch in even_batches(np.array([3, 20, 4, 19]), max_tokens=64, most_padding=5)]
        [[1, 3], [2, 0]]
    """
    order = np.argsort(-lengths_K, kind="stable")
    batches, start, padding = [], 0, 0
    for end, row in enumerate(order):
        longest = int(lengths_K[order[start]])
        padding += longest - int(lengths_K[row])
        if end > start and (padding > most_padding or (end - start + 1) * longest > max_tokens):
            batches.append(order[start:end])
            start, padding = end, 0
    if start < len(order):
        batches.append(order[start:])
    return batches


def shuffled_batches(lengths_K: np.ndarray, *, max_tokens: int, seed: int, pool: int = 50) -> list[np.ndarray]:
    """Batches for one epoch: rows are shuffled, sorted by length inside pools of so many batches, cut, and shuffled.

    Sorting inside pools keeps the padded grid of attention small while rows still meet at random. The loss is summed
    over rows and divided by their number, so every row of a step counts the same.
    """
    chance = np.random.default_rng(seed)
    order = chance.permutation(len(lengths_K))
    per_batch = max(1, int(max_tokens / max(1.0, float(lengths_K.mean())))) if len(lengths_K) else 1
    batches: list[np.ndarray] = []
    for start in range(0, len(order), pool * per_batch):
        rows = order[start : start + pool * per_batch]
        rows = rows[np.argsort(-lengths_K[rows], kind="stable")]
        batches += _cut(rows, lengths_K, max_tokens=max_tokens, max_rows=4 * per_batch)
    return [batches[i] for i in chance.permutation(len(batches))]


def grouped_batches(
    groups: Sequence[np.ndarray], lengths_K: np.ndarray, *, max_tokens: int, seed: int
) -> list[np.ndarray]:
    """Batches for one epoch out of groups of rows that belong together, in random order; too large a group is cut."""
    order = np.concatenate([groups[at] for at in np.random.default_rng(seed).permutation(len(groups))])
    return _cut(order, lengths_K, max_tokens=max_tokens, max_rows=len(order))


def _cut(order: np.ndarray, lengths_K: np.ndarray, *, max_tokens: int, max_rows: int) -> list[np.ndarray]:
    batches = []
    start, tokens = 0, 0
    for end, row in enumerate(order):
        tokens += int(lengths_K[row])
        if end > start and (tokens > max_tokens or end - start >= max_rows):
            batches.append(order[start:end])
            start, tokens = end, int(lengths_K[row])
    if start < len(order):
        batches.append(order[start:])
    return batches


def flat_positions(offsets_N1: np.ndarray, rows: Sequence[int] | np.ndarray) -> np.ndarray:
    """Where the elements of these rows stand in a flat array, row after row; row i starts at `offsets_N1[i]`.

    Example:
        >>> flat_positions(np.array([0, 2, 5]), [1, 0]).tolist()
        [2, 3, 4, 0, 1]
    """
    rows = np.asarray(rows, dtype=np.int64)
    starts = np.asarray(offsets_N1[rows])
    counts = np.asarray(offsets_N1[rows + 1]) - starts
    shifts = np.repeat(starts - (np.cumsum(counts) - counts), counts)
    return np.arange(int(counts.sum())) + shifts
