"""Columns of 0 and 1, each of which stands for a label."""

from __future__ import annotations

from collections.abc import Sequence

from deepen.data.marks import mark_columns
from deepen.data.source import NO, YES, Source, as_text

OFF = NO | {""}
_UNMARKED = frozenset(("-1", "-1.0"))


def flag_columns(source: Source) -> tuple[int, ...]:
    """Columns of nothing but 0 and 1 (or -1 in all, where nobody marked a row), if there are at least two."""
    found, rows_unmarked = [], []
    marks = mark_columns(source)
    for at in range(source.own_width):
        values = _values(source, at)
        known = set(values) - _UNMARKED
        if at not in marks and known <= YES | OFF and known & YES and known & NO:
            found.append(at)
            rows_unmarked.append([value in _UNMARKED for value in values])
    same = all(one == rows_unmarked[0] for one in rows_unmarked)
    return tuple(found) if len(found) > 1 and same else ()


def are_flags(source: Source, columns: Sequence[int]) -> bool:
    """Whether columns hold nothing but 0 and 1, or one of them."""
    return all(set(_values(source, at)) <= YES | OFF for at in columns)


def _values(source: Source, at: int) -> list[str]:
    return [(as_text(cell) or "").strip().lower() for cell in source.cells(at)]
