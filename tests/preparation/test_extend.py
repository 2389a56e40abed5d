"""Which columns of a file of further rows are read."""

from __future__ import annotations

from typing import Any

import pytest

from deepen.data.columns import Columns, Need
from deepen.preparation.training_rows import laid_out

NEEDS = (Need("text", "text"), Need("label", "category"))
JOINED = Columns({"text": ("title", "text")}, ("stars",), {})
OWN = {"text": "text", "label": "label"}


@pytest.mark.parametrize(
    ("columns", "called", "found"),
    [
        (JOINED, ("title", "text", "stars"), JOINED),
        (JOINED, ("title", "text", "label", "stars"), JOINED),
        (JOINED, ("text", "label"), OWN),
        (JOINED, ("title", "stars"), JOINED),  # whose reader says what is missing
        (Columns({"text": (0,)}, (1,), {}), None, Columns({"text": (0,)}, (1,), {})),
        (Columns({"text": (0,)}, (1,), {}), ("text", "label"), OWN),
    ],
)
def test_the_layout_of_the_training_rows_comes_first(columns: Columns, called: Any, found: Any) -> None:
    assert laid_out(columns, NEEDS, called) == found
