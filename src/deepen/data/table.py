"""Rows in Arrow on disk, and a part of them. Texts are read when they are needed, never all at once.

Shape legend: N rows.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa

from deepen.core.types import Example

_BATCH_ROWS = 4096


@dataclass(frozen=True)
class Table:
    """The rows of one source, normalised, memory-mapped.

    `arrow` has the columns `id` (hash of the content), `line` (where the row starts in its file, from 1), one column
    for each named input, and `target` if the source has one. `fingerprint` is equal for equal rows under equal
    settings, so it keys what is computed from them. `notes` are sentences for the user; `changed`
    counts what normalisation did. `faults` are the rows left out, by kind: how many, and file, line and message of the
    first.
    """

    name: str
    arrow: pa.Table
    inputs: tuple[str, ...]
    fingerprint: str
    notes: tuple[str, ...] = ()
    changed: dict[str, int] = field(default_factory=dict)
    faults: dict[str, tuple[int, str, int, str]] = field(default_factory=dict)

    def __len__(self) -> int:
        """The number of rows, N."""
        return int(self.arrow.num_rows)

    @property
    def texts(self) -> tuple[str, ...]:
        """The inputs that are text; tokens, which are lists, have theirs beside them."""
        return tuple(name for name in self.inputs if pa.types.is_string(self.arrow.schema.field(name).type))

    @property
    def has_target(self) -> bool:
        """Whether the source said what is right."""
        return "target" in self.arrow.column_names

    def all_rows(self) -> Part:
        """Every row, as a part."""
        return Part(self, np.arange(len(self), dtype=np.int64))


@dataclass(frozen=True)
class Part:
    """Some rows of a table, in order: a split, a batch, a slice."""

    table: Table
    rows_N: np.ndarray

    def __len__(self) -> int:
        """The number of rows, N."""
        return len(self.rows_N)

    def values(self, column: str) -> Iterator[Any]:
        """The values of one column, streamed in this part's order.

        Args:
            column: `id`, `line`, `target` or the name of an input.

        Yields:
            Strings, numbers or lists, as the column holds them.
        """
        source = self.table.arrow.column(column)
        for start in range(0, len(self.rows_N), _BATCH_ROWS):
            yield from source.take(pa.array(self.rows_N[start : start + _BATCH_ROWS])).to_pylist()

    def examples(self) -> Iterator[Example]:
        """The rows as records, streamed in this part's order."""
        columns = ["id", *self.table.inputs, *(["target"] if self.table.has_target else [])]
        for values in zip(*(self.values(name) for name in columns), strict=True):
            row = dict(zip(columns, values, strict=True))
            yield Example(
                id=row["id"], inputs={name: row[name] for name in self.table.inputs}, target=row.get("target")
            )

    def take(self, positions_K: np.ndarray) -> Part:
        """The rows at these positions of this part."""
        return Part(self.table, self.rows_N[positions_K])
