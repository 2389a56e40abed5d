"""Numbers as targets: how they may be written."""

from __future__ import annotations

import numpy as np
import pytest
from tests.data.checking import NEEDS, Rows

from deepen.core.errors import DataError
from deepen.data.load import DataSettings, load_table
from deepen.data.table import Part
from deepen.data.targets.scores import looks_like_scores, read_scores


def part_of(rows: Rows) -> Part:
    return load_table([{"text": text, "label": label} for text, label in rows], NEEDS, DataSettings())[0].all_rows()


def test_a_decimal_comma_is_read() -> None:
    part = part_of([("a", "0,5"), ("b", "-1,25"), ("c", "2")])
    assert np.allclose(read_scores(part), [0.5, -1.25, 2])
    assert looks_like_scores(part_of([("a", f"{at},{at}") for at in range(20)]))


@pytest.mark.parametrize("labels", [["1,500", "2,250"], ["1,5", "x"], ["1,5,0", "2"], ["1,5", "0.5"]])
def test_commas_that_may_mean_something_else_are_not(labels: list[str]) -> None:
    with pytest.raises(DataError, match=r"line \d: label '.*' is not a number, and a score is needed"):
        read_scores(part_of([("text", label) for label in labels]))
