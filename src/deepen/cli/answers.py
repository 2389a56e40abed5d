"""Answers laid beside the rows that they are about, as a table."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import zip_longest
from pathlib import Path
from typing import Any

from deepen.core.cells import lines_printable, write_csv
from deepen.core.errors import DataError
from deepen.data.source import Fault, Source, as_text

_MOST_COLUMNS = 500


def write_answers(
    path: Path,
    rows: Sequence[Mapping[str, Any]],
    source: Source,
    as_cell: Callable[[Mapping[str, Any]], str],
    *,
    labels: Sequence[str] | None,
    clean: Callable[[str], str] = str,
    bom: bool = False,
) -> None:
    """Writes a CSV: the columns, cells and rows of the source as they are, then `output` and probabilities.

    A row without an answer has empty cells there. Answers of several models follow one another, and a last column
    says which; in a cascade it says which rung. A cell that a spreadsheet would compute gets `'` before it (`guarded`);
    numbers do not. `rows` come in the order of the source, once for each model; `labels` get a column `p_<label>` each,
    None writes `probability`, that of the answer; `clean` is done to each cell of the source; `bom` begins the file
    with a byte order mark, by which Excel knows UTF-8.
    """
    write_csv(path, _lines(rows, source, as_cell, labels, clean), bom=bom)


def named_labels(rows: Sequence[Mapping[str, Any]], tables: Sequence[Sequence[str]]) -> list[str] | None:
    """The labels that have a column each: those of classifiers; None for other answers, and for too many.

    Args:
        tables: The labels of each model; documents that are ranked come in another order.
    """
    orders = {tuple(row.get("probabilities") or ()) for row in rows if "skipped" not in row}
    labels = dict.fromkeys(label for table in tables for label in table)
    return list(labels) if orders and orders <= set(map(tuple, tables)) and len(labels) <= _MOST_COLUMNS else None


def _lines(
    rows: Sequence[Mapping[str, Any]],
    source: Source,
    as_cell: Callable[[Mapping[str, Any]], str],
    labels: Sequence[str] | None,
    clean: Callable[[str], str],
) -> Iterator[list[Any]]:
    last = tuple(name for name in ("adapter", "answered_by", "none_of_these") if any(name in row for row in rows))
    numbered = ("text",) if source.own_width == 1 else tuple(map(str, range(source.own_width)))
    names = source.names[: source.own_width] if source.names is not None else numbered
    chances = ("probability",) if labels is None else tuple(f"p_{lines_printable(label)}" for label in labels)
    yield [*names, *_free(("output", *chances, *last), names)]
    at = 0
    while at < len(rows):
        first = at
        for given, row in zip_longest(source.read(tuple(range(source.own_width))), _one_model(rows, at)):
            if given is None or row is None or row["row"]["line"] != given[1]:
                raise DataError(f"{source.name} has changed since its rows were answered")
            yield [
                *map(clean, _cells(given[2], source.own_width)),
                *_answer(row, as_cell, labels),
                *(row.get(name, "") for name in last),
            ]
            at += 1
        if at == first:
            raise DataError(f"{source.name} has changed since its rows were answered")


def _one_model(rows: Sequence[Mapping[str, Any]], at: int) -> Iterator[Mapping[str, Any]]:
    """The rows from here on that are of the same model."""
    name = rows[at].get("adapter")
    while at < len(rows) and rows[at].get("adapter") == name:
        yield rows[at]
        at += 1


def _free(wanted: Sequence[str], taken: Sequence[str]) -> list[str]:
    """Names of columns that there are not yet: `output`, else `output_2` and so on."""
    found = []
    for name in wanted:
        free, number = name, 1
        while free in taken:
            number += 1
            free = f"{name}_{number}"
        found.append(free)
    return found


def _cells(given: Any, width: int) -> list[str]:
    """The cells of a row; of one that can't be read what there is of them, all of it in as many."""
    cells = list(map(_cell, given.cells if isinstance(given, Fault) else given))
    if len(cells) > width:
        cells = [*cells[: width - 1], ",".join(cells[width - 1 :])]
    return cells + [""] * (width - len(cells))


def _cell(value: Any) -> str:
    if isinstance(value, str):
        return value
    if hasattr(value, "tolist"):
        value = value.tolist()
    if isinstance(value, Mapping | list | tuple):
        return json.dumps(value, ensure_ascii=False, default=str)
    return as_text(value) or ""


def _answer(
    row: Mapping[str, Any], as_cell: Callable[[Mapping[str, Any]], str], labels: Sequence[str] | None
) -> list[Any]:
    if "skipped" in row:
        return [""] * (2 if labels is None else 1 + len(labels))
    said, chances = as_cell(row), row.get("probabilities") or {}
    return [lines_printable(said), *(chances.get(label, "") for label in ((said,) if labels is None else labels))]
