"""Rows that belong into one batch stay together."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from deepen.data.batches import grouped_batches


@settings(max_examples=40, deadline=None)
@given(num=st.integers(1, 300), size=st.integers(1, 9), seed=st.integers(0, 99))
def test_every_row_is_in_one_batch(num: int, size: int, seed: int) -> None:
    chance = np.random.default_rng(seed)
    groups = np.array_split(chance.permutation(num), -(-num // size))
    lengths_N = chance.integers(1, 30, num)
    batches = grouped_batches(groups, lengths_N, max_tokens=100, seed=seed)
    assert sorted(np.concatenate(batches)) == list(range(num))
    assert all(lengths_N[batch].sum() <= 100 for batch in batches if len(batch) > 1)
