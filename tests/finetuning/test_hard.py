"""Rows that are hard to tell apart meet in one batch."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from deepen.data.batches import grouped_batches
from deepen.finetuning.hard import hard_groups


def units(chance: np.random.Generator, num: int, width: int = 6) -> np.ndarray:
    values = chance.normal(size=(num, width)).astype(np.float32)
    return values / np.linalg.norm(values, axis=1, keepdims=True)


@settings(max_examples=40, deadline=None)
@given(num=st.integers(1, 600), size=st.integers(2, 9), kinds=st.integers(1, 80), seed=st.integers(0, 99))
def test_every_row_is_in_one_group(num: int, size: int, kinds: int, seed: int) -> None:
    chance = np.random.default_rng(seed)
    ids_N = chance.integers(0, kinds, num)
    documents = units(chance, kinds)
    groups = hard_groups(units(chance, num), documents[ids_N], ids_N, size=size, seed=seed)
    assert sorted(np.concatenate(groups)) == list(range(num))
    assert max(map(len, groups)) <= size
    for first, *others in groups:
        assert all(ids_N[first] != ids_N[other] for other in others), "the same document is no negative"
    lengths_N = chance.integers(1, 30, num)
    batches = grouped_batches(groups, lengths_N, max_tokens=100, seed=seed)
    assert sorted(np.concatenate(batches)) == list(range(num))
    assert all(lengths_N[batch].sum() <= 100 for batch in batches if len(batch) > 1)


def test_the_nearest_wrong_documents_are_taken() -> None:
    chance = np.random.default_rng(1)
    documents, ids_N = units(chance, 40), np.arange(40)
    queries = units(chance, 40) * 0.1 + documents
    queries /= np.linalg.norm(queries, axis=1, keepdims=True)
    groups = hard_groups(queries, documents, ids_N, size=4, seed=0)
    first, *others = groups[0]
    fits = documents @ queries[first]
    fits[first] = -2
    assert set(others) == set(np.argsort(-fits)[:3])


def test_what_fits_better_than_the_right_one_is_left_out() -> None:
    documents = np.eye(3, dtype=np.float32)
    queries = np.array([[0.1, 0.9, 0.4], [0, 1, 0], [0, 0, 1]], np.float32)
    for seed in range(6):
        groups = {
            group[0]: set(group[1:]) for group in hard_groups(queries, documents, np.arange(3), size=3, seed=seed)
        }
        assert not groups.get(0), "both others fit the first query better than its own document"
