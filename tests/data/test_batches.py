"""Rows that belong into one batch stay together."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from deepen.data.batches import even_batches, grouped_batches


@settings(max_examples=40, deadline=None)
@given(num=st.integers(1, 300), size=st.integers(1, 9), seed=st.integers(0, 99))
def test_every_row_is_in_one_batch(num: int, size: int, seed: int) -> None:
    chance = np.random.default_rng(seed)
    groups = np.array_split(chance.permutation(num), -(-num // size))
    lengths_N = chance.integers(1, 30, num)
    batches = grouped_batches(groups, lengths_N, max_tokens=100, seed=seed)
    assert sorted(np.concatenate(batches)) == list(range(num))
    assert all(lengths_N[batch].sum() <= 100 for batch in batches if len(batch) > 1)


@given(st.lists(st.integers(1, 90), max_size=60), st.integers(0, 50), st.integers(1, 200))
def test_even_batches_hold_little_padding(lengths: list[int], most_padding: int, max_tokens: int) -> None:
    lengths_K = np.array(lengths, np.int64)
    batches = even_batches(lengths_K, max_tokens=max_tokens, most_padding=most_padding)
    assert sorted(at for batch in batches for at in batch) == list(range(len(lengths)))
    for batch in batches:
        grid = len(batch) * int(lengths_K[batch].max())
        assert len(batch) == 1 or grid <= max_tokens
        assert grid - int(lengths_K[batch].sum()) <= most_padding
