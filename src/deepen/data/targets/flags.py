"""Columns of 0 and 1, each of which stands for a label."""

from __future__ import annotations

from collections.abc import Sequence

from deepen.data.marks import mark_columns
from deepen.data.source import Source, as_text

ON = frozenset(("1", "1.0", "true", "yes", "是"))
OFF = frozenset(("", "0", "0.0", "false", "no", "否"))


def flag_columns(source: Source) -> tuple[int, ...]:
    """The columns that hold nothing but 0 and 1: one for each label, as Kaggle's toxic comments have them.

    Returns:
        Their numbers, if there are at least two.
    """
    found = []
    marks = mark_columns(source)
    for at in range(source.own_width):
        values = _values(source, at)
        if values and at not in marks and values <= ON | OFF and values & ON and values & (OFF - {""}):
            found.append(at)
    return tuple(found) if len(found) > 1 else ()


def are_flags(source: Source, columns: Sequence[int]) -> bool:
    """Whether columns hold nothing but 0 and 1, or one of them."""
    return all(_values(source, at) <= ON | OFF for at in columns)


def _values(source: Source, at: int) -> set[str]:
    return {(as_text(row[at]) or "").strip().lower() for row in source.sample if at < len(row)}
