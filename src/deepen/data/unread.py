"""Columns of the input that are not learned from, such as a product or a date: rows may be told apart by them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from deepen.data.columns import Columns, Need
from deepen.data.load import open_source, used_columns
from deepen.data.marks import ForSplit, pick
from deepen.data.settings import DataSettings
from deepen.data.source import Fault, as_text
from deepen.data.table import Part

_MOST_VALUES = 20
_MOST_CHARS = 80
Cell = float | str | None


def unread_columns(
    part: Part, rows: ForSplit, needs: Sequence[Need], settings: DataSettings, columns: Columns
) -> dict[str, list[Cell]]:
    """The columns of a part's source that have few values or are numbers, a cell a row; what is an id is left out.

    Nothing is found where several rows stand in one line, so that a line does not say which of them it is.

    Raises:
        DataError: If the source can't be read any more.
    """
    source = open_source(rows.source, needs, settings, columns)
    used = used_columns(source, columns)
    if rows.split is not None:
        source = pick(source, rows.split, used)
    wanted = tuple(at for at in range(source.own_width) if at not in used)
    lines = zip(part.rows_N.tolist(), part.values("line"), strict=True)
    places = {(part.table.file_of(row), line): at for at, (row, line) in enumerate(lines)}
    if not wanted or len(places) < len(part):
        return {}
    found: list[list[Any]] = [[None] * len(part) for _ in wanted]
    seen = set()
    for file, line, cells in source.read(wanted):
        at = places.get((file, line))
        if at is None or isinstance(cells, Fault):
            continue
        if at in seen:
            return {}
        seen.add(at)
        for column, cell in zip(found, cells, strict=True):
            column[at] = cell
    names = [source.names[at] if source.names is not None else f"column {at}" for at in wanted]
    telling = {name: _telling(column) for name, column in zip(names, found, strict=True)}
    return {name: column for name, column in telling.items() if column}


def _telling(cells: Sequence[Any]) -> list[Cell]:
    """Cells that rows can be told apart by, as numbers if all are; empty if there are too many or a single one.

    Example:
        >>> _telling(["tv", "tv", "phone", ""]), _telling([0.5, 1.5, 2.5]), _telling([3, 1, 2]), _telling(["a", "a"])
        (['tv', 'tv', 'phone', None], [0.5, 1.5, 2.5], [], [])
    """
    if any(isinstance(cell, list | tuple | dict) for cell in cells):
        return []
    texts = [(as_text(cell) or "").strip() for cell in cells]
    filled = [text for text in texts if text]
    values = set(filled)
    if 1 < len(values) <= min(_MOST_VALUES, len(filled) - 1):
        return [text[:_MOST_CHARS] or None for text in texts]
    numbers = [_number(text) if text else None for text in texts]
    known = [number for number in numbers if number is not None]
    is_id = len(values) == len(filled) and all(number.is_integer() for number in known)
    return [*numbers] if len(values) > 1 and len(known) == len(filled) and not is_id else []


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None
