"""Answers in the places of their rows, with a gap that says why where there is none."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

from deepen.core.types import Prediction
from deepen.data.masked_rows import told_masked
from deepen.data.table import Table

_SHOWN = 3


def in_place(answers: Iterable[Prediction], table: Table, rung: str, *, is_file: bool) -> Iterator[Prediction]:
    """Answers and gaps in the order of the source, each with the row that it is about.

    Args:
        table: Rows read for `answer`.
        is_file: Whether the rows come from files; rows in memory have a place and no file.

    Yields:
        One prediction for each row of the source.
    """
    gaps = table.left_rows()
    gap = next(gaps, None)

    def row(own: str | None, file: str, line: int) -> dict[str, Any]:
        return {"id": json.loads(own) if own is not None else None, "file": file if is_file else None, "line": line}

    def upto(at: int | None) -> Iterator[Prediction]:
        nonlocal gap
        while gap is not None and (at is None or gap["before"] <= at):
            yield Prediction("", None, rung, row=row(gap["own"], gap["file"], gap["line"]), skipped=gap["reason"])
            gap = next(gaps, None)

    part = table.all_rows()
    places = zip(part.values("own"), part.values("line"), strict=True)
    for at, (answer, (own, line)) in enumerate(zip(answers, places, strict=True)):
        yield from upto(at)
        yield replace(answer, row=row(own, table.file_of(at), line))
    yield from upto(None)


def told_rows(table: Table, *, plain: bool) -> list[str]:
    """How many rows are not answered, and the first of them; of plain texts, which have no notes, what was masked."""
    masked = [f"{table.name}: {said}" for said in told_masked(table.changed)] if plain else []
    return [*masked, *([_told_gaps(table)] if len(table.left) else [])]


def _told_gaps(table: Table) -> str:
    left, rows = len(table.left), len(table) + len(table.left)
    first = [f"line {row['line']}: {row['reason']}" for row, _ in zip(table.left_rows(), range(_SHOWN), strict=False)]
    gets = f"row{'' if rows == 1 else 's'} get{'s' if left == 1 else ''}"
    return f"{table.name}: {left:,} of {rows:,} {gets} no answer, the first: {'; '.join(first)}"
