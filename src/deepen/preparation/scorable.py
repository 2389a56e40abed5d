"""Rows whose label training never saw can't be scored: they are left out and said, or stop the work.

Shape legend: N rows.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa

from deepen.core.errors import DataError
from deepen.data.table import LEAVE_OUT, LEFT_OUT, Part, Table, bearable
from deepen.preparation.none_of_these import without_outside
from deepen.problem.task import Task

_SHOWN = 5


def scorable(table: Table, task: Task, labels: tuple[str, ...], bad_rows: str, *, outside: str | None = None) -> Part:
    """The rows of a table whose targets a model with these labels can be scored by.

    Args:
        bad_rows: `error` stops at the first row that is not; `drop` leaves such rows out; `auto` does so as long as
            they and the rows that could not be read are few.
        outside: What rows are labelled that belong to none of the labels: they are not among those that are returned.

    Returns:
        The rows; their table lists what was left out, and a note says which labels it had.

    Raises:
        DataError: If there are too many, or none else.
    """
    part = without_outside(table, outside)
    if not len(part) and len(table):
        raise DataError(f"{table.name}: every row has the label '{outside}', and none can be scored")
    try:
        task.check(part, labels)
        return part
    except DataError as error:
        first = error
    if bad_rows == "error":
        raise DataError(f"{first} ({LEAVE_OUT})") from None
    reasons = {int(part.rows_N[at]): why for at, why in _reasons(part, task, labels).items()}
    bad, rows = len(reasons), len(part)
    if bad == rows:
        raise first
    told = _told(reasons)
    if bad_rows == "auto" and not bearable(bad + table.num_bad, rows + table.num_bad):
        counted = f"{bad:,} of {rows:,} rows can't be scored ({told}), and up to 1 % are left out unasked"
        raise DataError(f"{first}; {counted} ({LEAVE_OUT})")
    at_K = np.array(sorted(reasons), np.int64)
    lines = Part(table, at_K).values("line")
    left: list[dict[str, Any]] = [
        {"file": table.file_of(at), "line": line, "reason": reasons[at], "before": at}
        for at, line in zip(at_K.tolist(), lines, strict=True)
    ]
    note = (
        f"{table.name}: {bad:,} of {rows:,} rows {'is' if bad == 1 else 'are'} left out, which can't be scored: {told}"
    )
    more = pa.concat_tables([table.left, pa.Table.from_pylist(left, LEFT_OUT)])
    faults = table.faults | {"unknown_label": (bad, left[0]["file"], left[0]["line"], left[0]["reason"])}
    table = replace(table, left=more, faults=faults, notes=(*table.notes, note))
    return Part(table, np.setdiff1d(part.rows_N, at_K))


def _told(reasons: dict[int, str]) -> str:
    """What is wrong, the most frequent first."""
    counts = Counter(re.sub(r"^tag \d+, [^:]*: ", "", reason) for reason in reasons.values())
    shown = [f"{reason} ({count:,} row{'' if count == 1 else 's'})" for reason, count in counts.most_common(_SHOWN)]
    return "; ".join([*shown, *(["..."] if len(counts) > _SHOWN else [])])


def _reasons(part: Part, task: Task, labels: tuple[str, ...]) -> dict[int, str]:
    """What is wrong with each row that is not right, by its place; equal targets are looked at once."""
    homes: dict[Any, list[int]] = {}
    if part.table.has_target:
        for at, target in enumerate(part.values("target")):
            homes.setdefault(tuple(target) if isinstance(target, list) else target, []).append(at)
    found: dict[int, str] = {}
    firsts = np.array([places[0] for places in homes.values()], np.int64)
    groups = {places[0]: places for places in homes.values()}
    for at, reason in _halved(part, firsts, task, labels).items():
        found |= dict.fromkeys(groups[at], reason)
    rest = np.setdiff1d(np.arange(len(part), dtype=np.int64), np.fromiter(found, np.int64, len(found)))
    return found | _halved(part, rest, task, labels)


def _halved(part: Part, rows_N: np.ndarray, task: Task, labels: tuple[str, ...]) -> dict[int, str]:
    """The rows that a task does not take, found by halving: few of many are found fast."""
    if not len(rows_N):
        return {}
    some = part.take(rows_N)
    try:
        task.check(some, labels)
        return {}
    except DataError as error:
        if len(rows_N) == 1:
            said = str(error).removeprefix(f"{part.table.name} line {next(some.values('line'))}: ")
            return {int(rows_N[0]): said.partition("; ")[0]}
    middle = len(rows_N) // 2
    return _halved(part, rows_N[:middle], task, labels) | _halved(part, rows_N[middle:], task, labels)
