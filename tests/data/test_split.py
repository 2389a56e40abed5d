from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.data.reading import read

from deepen.core.errors import DataError
from deepen.data.split import content_hashes, hold_out
from deepen.data.table import Part
from deepen.data.targets.labels import encode_labels, label_table


def part_of(texts: list[str], labels: list[str]) -> tuple[Part, np.ndarray]:
    part = read([{"text": text, "label": label} for text, label in zip(texts, labels, strict=True)]).all_rows()
    return part, encode_labels(part, label_table(part))


def texts_of(part: Part) -> set[str]:
    return set(part.values("text"))


def test_share_and_strata() -> None:
    part, labels_N = part_of([f"text {i}" for i in range(3000)], ["a" if i % 3 else "b" for i in range(3000)])
    train, held = hold_out(part, labels_N, share=0.1, at_least=200, seed=0)
    assert (len(train), len(held)) == (2700, 300)
    assert list(held.values("target")).count("b") == 100
    assert sorted([*train.rows_N, *held.rows_N]) == list(range(3000))
    assert (np.diff(held.rows_N) > 0).all()
    assert texts_of(hold_out(part, labels_N, share=0.1, at_least=200, seed=1)[1]) != texts_of(held)
    assert len(hold_out(part, labels_N, share=0.1, at_least=500, seed=0)[1]) == 500
    assert len(hold_out(part, None, share=0.01, at_least=9999, seed=0)[1]) == 1500


def test_order_does_not_matter_and_new_rows_move_few() -> None:
    texts = [f"text {i}" for i in range(2000)]
    labels = ["ab"[i % 2] for i in range(2000)]
    _, held = hold_out(*part_of(texts, labels), share=0.1, at_least=10, seed=0)
    _, turned = hold_out(*part_of(texts[::-1], labels[::-1]), share=0.1, at_least=10, seed=0)
    assert texts_of(held) == texts_of(turned)
    more = [*texts, *(f"new {i}" for i in range(100))]
    _, grown = hold_out(*part_of(more, [*labels, *["a", "b"] * 50]), share=0.1, at_least=10, seed=0)
    assert len(texts_of(held) - texts_of(grown)) <= 20


def test_copies_stay_together() -> None:
    texts = [f"Text  {i % 100}" if i % 2 else f"text {i % 100} " for i in range(400)]
    part, labels_N = part_of(texts, ["ab"[i % 3 == 0] for i in range(400)])
    assert len(set(content_hashes(part).tolist())) == 100
    train, held = hold_out(part, labels_N, share=0.2, at_least=10, seed=3)
    assert not {t.lower() for t in texts_of(train)} & {t.lower() for t in texts_of(held)}
    assert 40 <= len(held) <= 120


def test_groups_stay_together() -> None:
    part, labels_N = part_of([f"text {i // 2}" for i in range(400)], ["ab"[i % 2] for i in range(400)])
    groups_N = np.where(np.arange(400) % 40 < 3, np.arange(400) // 40, -1)
    train, held = hold_out(part, labels_N, share=0.3, at_least=10, seed=0, groups_N=groups_N)
    sides = np.zeros(400, dtype=int)
    sides[held.rows_N] = 1
    for group in range(10):
        rows = np.flatnonzero(groups_N == group)
        assert len(set(sides[rows].tolist())) == 1
        assert sides[rows[-1]] == sides[rows[-1] + 1]  # a copy of the group's last row, which has no group itself
    assert len(train) + len(held) == 400


def test_too_few_rows() -> None:
    with pytest.raises(DataError, match="too few to hold any out"):
        hold_out(*part_of(["same", "same", "same"], ["a", "b", "a"]), share=0.1, at_least=200, seed=0)


@settings(max_examples=80, deadline=None)
@given(
    rows=st.lists(st.tuples(st.integers(0, 30), st.sampled_from("abc")), min_size=2, max_size=80),
    share=st.floats(0.01, 0.5),
    at_least=st.integers(0, 50),
    seed=st.integers(0, 5),
)
def test_promises(rows: list[tuple[int, str]], share: float, at_least: int, seed: int) -> None:
    part, labels_N = part_of([f"text {number}" for number, _ in rows], [label for _, label in rows])
    try:
        train, held = hold_out(part, labels_N, share=share, at_least=at_least, seed=seed)
    except DataError:
        return
    assert len(train) + len(held) == len(rows)
    assert 0 < len(held) <= len(rows) // 2
    assert not texts_of(train) & texts_of(held)
    assert set(train.values("target")) == set(part.values("target"))
