"""Parts of labelled rows that models may differ on: those of a label, of a length, with a value that was not learned.

Shape legend: N rows.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from deepen.core.errors import DataError
from deepen.data.choosing import column_indices
from deepen.data.columns import TARGET, Columns
from deepen.data.source import Fault, Source, as_text
from deepen.data.table import Part

Place = tuple[str, int]
"""The file of a row and the line where it starts."""
_MOST_VALUES = 50


class Slice(NamedTuple):
    """Some rows: what they have in common, as `label`, `length` or the name of a column, and the value of it."""

    by: str
    value: str
    rows_N: np.ndarray


def places(part: Part) -> list[Place]:
    """Where each row stands."""
    return [(part.table.file_of(int(row)), line) for row, line in zip(part.rows_N, part.values("line"), strict=True)]


def targets_of(part: Part) -> list[Any]:
    """What is right for each row; None where that is an input, as the documents that are ranked."""
    return list(part.values("target")) if part.table.has_target else [None] * len(part)


def by_label(part: Part) -> Iterator[Slice]:
    """The rows of each label, where rows have one each."""
    targets = targets_of(part)
    if all(isinstance(target, str) for target in targets):
        yield from _by_value("label", targets)


def by_length(part: Part) -> Iterator[Slice]:
    """The shortest third of the rows, the middle one and the longest, in characters of their texts."""
    lengths_N = np.zeros(len(part), np.int64)
    for name in part.table.texts:
        lengths_N += np.array([len(text or "") for text in part.values(name)], np.int64)
    first, second = (int(cut) for cut in np.quantile(lengths_N, [1 / 3, 2 / 3], method="lower"))
    if first == second:
        return
    yield Slice("length", f"up to {first} characters", lengths_N <= first)
    yield Slice("length", f"{first + 1} to {second} characters", (lengths_N > first) & (lengths_N <= second))
    yield Slice("length", f"more than {second} characters", lengths_N > second)


def by_columns(part: Part, source: Source, learned: Sequence[Columns], asked: Mapping[str, Any]) -> Iterator[Slice]:
    """The rows with each value of the columns that no model has learned from, where there are few values.

    Args:
        learned: The columns of each model's training data.
        asked: Columns that were named for these rows, as in `{"text": "title"}`.

    Raises:
        DataError: If the source has other rows than the part.
    """
    names = [name for columns in learned for name in (*columns.inputs, TARGET) if name not in asked]
    given = [parts for columns in learned for name, parts in _parts(columns).items() if name in names]
    given += [tuple(str(value).split("+")) for value in asked.values()]
    used = {index for parts in given for index in column_indices(source, parts) or ()}
    free = tuple(index for index in range(source.own_width) if index not in used)
    if not free:
        return
    there = {(file, line): cells for file, line, cells in source.read(free) if not isinstance(cells, Fault)}
    rows = [there.get(place) for place in places(part)]
    if any(cells is None for cells in rows):
        raise DataError(f"{source.name} has changed since its rows were read")
    targets = targets_of(part)
    for at, index in enumerate(free):
        values = [as_text(cells[at]) or "" for cells in rows if cells is not None]
        if values != targets and 2 <= len(set(values)) <= _MOST_VALUES:
            yield from _by_value(source.names[index] if source.names is not None else str(index), values)


def _parts(columns: Columns) -> dict[str, Sequence[str | int]]:
    return {**columns.inputs, TARGET: columns.target or ()}


def _by_value(by: str, values: Sequence[str]) -> Iterator[Slice]:
    values_N = np.asarray(values, object)
    for value in sorted(set(values)):
        yield Slice(by, value, values_N == value)
