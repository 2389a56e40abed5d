"""Rows in Arrow on disk, and a part of them; texts are read when they are needed. Shape legend: N rows."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from deepen.core.types import Example
from deepen.data.source import Split

_BATCH_ROWS = 4096
LEFT_OUT = pa.schema(
    [("file", pa.string()), ("line", pa.int64()), ("reason", pa.string()), ("before", pa.int64()), ("own", pa.string())]
)


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A row that is not in its table, why, and how many rows of it come before; `own` is the source's id, as JSON."""

    file: str
    line: int
    reason: str
    before: int = 0
    own: str | None = None


LEAVE_OUT = "--set data.bad_rows=drop leaves such rows out"


def bearable(bad: int, rows: int) -> bool:
    """Whether so many bad ones of all rows may be left out unasked: up to 1 %, or a single one of several."""
    return 100 * bad <= rows or bad == 1 < rows


def too_many(bad: int, rows: int) -> str:
    """The end of a message about bad rows that are not bearable."""
    if bad == rows:
        return "it is the only row" if rows == 1 else f"all {rows:,} rows are bad"
    return f"{bad:,} of {rows:,} rows are bad, and up to 1 % are left out unasked ({LEAVE_OUT})"


@dataclass(frozen=True)
class Table:
    """The rows of one source, normalised, memory-mapped.

    `arrow` has the columns `id` (hash of the content), `line` (where the row starts in its file, from 1), one column
    for each named input, and `target` if the source has one. `fingerprint` is equal for equal rows under equal
    settings, so it keys what is computed from them. `notes` are sentences for the user, `warnings` those about what
    probably makes the result wrong; `changed` counts what normalisation did. `faults` are the rows left out, by kind:
    how many, and file, line and message of the first; `left_out` has every one of them, from `left`. `files` has each
    file with the number of its first row; `names` are all its columns, and `marked` says how many
    rows of the source are for each split, where it says so. What is computed from a table that is not `kept`, since it
    is made for a moment, is not cached on disk but in `made`.
    """

    name: str
    arrow: pa.Table
    inputs: tuple[str, ...]
    fingerprint: str
    notes: tuple[str, ...] = ()
    changed: dict[str, int] = field(default_factory=dict)
    faults: dict[str, tuple[int, str, int, str]] = field(default_factory=dict)
    kept: bool = True
    warnings: tuple[str, ...] = ()
    left: pa.Table = field(default_factory=LEFT_OUT.empty_table)
    files: tuple[tuple[int, str], ...] = ()
    names: tuple[str, ...] = ()
    marked: dict[Split, int] = field(default_factory=dict)
    made: dict[str, Any] = field(default_factory=dict, init=False, compare=False, repr=False)

    @cached_property
    def left_out(self) -> tuple[LeftOut, ...]:
        """Every row that was left out, in the order of the source."""
        return tuple(LeftOut(**row) for row in self.left_rows())

    def left_rows(self) -> Iterator[dict[str, Any]]:
        """What `left_out` has, streamed."""
        for batch in self.left.to_batches(max_chunksize=_BATCH_ROWS):
            yield from batch.to_pylist()

    def file_of(self, row: int) -> str:
        """The file that a row stands in: the table's name, unless it has several."""
        at = bisect_right(self.files, row, key=lambda first: first[0])
        return self.files[at - 1][1] if at else self.name

    @property
    def num_bad(self) -> int:
        """How many rows were left out because something is wrong with them."""
        return sum(count for count, *_ in self.faults.values())

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


def brief(notes: Sequence[str], tables: Sequence[Table]) -> list[str]:
    """Notes about tables, short enough to be read before training: short paths, and nothing said again of the next."""
    found: dict[str, str] = {}
    for note in notes:
        name = next((table.name for table in tables if note.startswith(f"{table.name}: ")), "")
        said = note.removeprefix(f"{name}: ") if name else note
        short = "/".join(Path(name).parts[-2:])
        found.setdefault(re.sub(r"[\d,.]+", "0", said), f"{short}: {said}" if name else said)
    return list(found.values())


@dataclass(frozen=True)
class Part:
    """Some rows of a table, in order: a split, a batch, a slice."""

    table: Table
    rows_N: np.ndarray

    def __len__(self) -> int:
        """The number of rows, N."""
        return len(self.rows_N)

    def values(self, column: str) -> Iterator[Any]:
        """The values of `id`, `line`, `target` or an input, streamed in this part's order."""
        if len(self.rows_N) == 1:
            yield self.table.arrow.column(column)[int(self.rows_N[0])].as_py()
            return
        # row by row out of its own chunk: `take` of a chunked column would join all chunks in memory first
        chunks = self.table.arrow.column(column).chunks
        ends = np.cumsum([len(chunk) for chunk in chunks])
        for start in range(0, len(self.rows_N), _BATCH_ROWS):
            rows = self.rows_N[start : start + _BATCH_ROWS]
            home = np.searchsorted(ends, rows, side="right")
            cuts = np.flatnonzero(np.diff(home)) + 1
            for at, some in zip(home[[0, *cuts]], np.split(rows, cuts), strict=True):
                yield from chunks[at].take(pa.array(some - ends[at] + len(chunks[at]))).to_pylist()

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
