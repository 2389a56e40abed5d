"""Cells of several labels: a list, a text with separators, columns of 0 and 1. Shape legend: N rows, C labels."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from deepen.core.errors import DataError, nearest
from deepen.data.marks import mark_columns
from deepen.data.source import NO, YES, Fault, Source, as_text, clip
from deepen.data.table import Part
from deepen.data.targets.labels import label_table
from deepen.data.targets.printed import parse_printed

OFF = NO | {""}
_UNMARKED = frozenset(("-1", "-1.0"))
SEPARATORS = ("|", ";", "；", "、", "，", ",")
_MOST_ROWS_A_LABEL = 2
_BRACKETS = re.compile(r"(<[^<>]{1,200}>\s*)+")
_BITS = re.compile(r"\s*[01](\s*[,;|\s]\s*[01])+\s*")
_IN_BRACKETS = re.compile(r"<([^<>]+)>")


@dataclass(frozen=True)
class ManyPlan:
    """How the labels of a row are read.

    `separator` None is the first of `SEPARATORS` in a cell; `places` says how many zeros and ones a cell lists.
    """

    names: tuple[str, ...]
    separator: str | None
    places: int = 0
    told: str = ""


def many_plan(source: Source, target: Sequence[int], separator: str | None, *, need: bool) -> ManyPlan:
    """How the labels of a source are read, by its first rows; an error if labels are needed and all are 0 or 1."""
    names = tuple(source.names[at] if source.names is not None else str(at) for at in target)
    if len(target) > 1:
        return ManyPlan(names, separator)
    held = source.cells(target[0])
    cells = [cell for cell in held if cell is not None and not (isinstance(cell, str) and not cell.strip())]
    lists = (_items(cell) or _bits(cell) for cell in cells)
    lengths = {len(items) if items is not None and all(map(_is_bit, items)) else 0 for items in lists}
    places = lengths.pop() if len(lengths) == 1 and max(lengths) > 1 else 0
    if need and cells and not places and all(_is_bit(cell) for cell in cells):
        raise DataError(
            f"{source.name}: column '{clip(names[0])}' holds only 0 and 1, which is one label or none: name the "
            "columns of all labels (--columns label=one+two+three), or learn this one alone (--task classification)"
        )
    told = f"; its lists of 0 and 1 stand for {places} labels, called by their place from 0" if places else ""
    return ManyPlan(names, separator, places, told)


def _items(cell: Any) -> list[Any] | None:
    """The items of a cell that is a list, or one that was written as text."""
    if hasattr(cell, "tolist"):
        cell = cell.tolist()
    if isinstance(cell, list | tuple):
        return list(cell)
    return _listed(cell.strip()) if isinstance(cell, str) else None


def _bits(cell: Any) -> list[Any] | None:
    """Zeros and ones that stand in a text: `0 1 0`, `0,1,0`."""
    return re.findall(r"[01]", cell) if isinstance(cell, str) and _BITS.fullmatch(cell) else None


def _said(cell: Any) -> str:
    return (as_text(cell) or "").strip().lower()


def _is_bit(item: Any) -> bool:
    return _said(item) in YES | NO


def holds_several(cell: Any) -> bool:
    """Whether a cell is a list of several labels, printed or not, or has them in brackets: `<comedy><drama>`."""
    items = _items(cell)
    if items is None:
        return isinstance(cell, str) and len(_bracketed(cell.strip())) > 1
    return len(items) > 1 and all(isinstance(item, str | int | float) for item in items)


def hint_of_many(source: Source, target: Sequence[int] | None) -> str:
    """What to say of an empty label where other rows have several: that it may be none; else nothing."""
    cells = source.cells(target[0]) if target else []
    several = sum(holds_several(cell) or (isinstance(cell, str) and "|" in cell) for cell in cells)
    return (
        ", and others have several: --task multilabel reads none" if several > 1 and 10 * several > len(cells) else ""
    )


def _bracketed(text: str) -> list[str]:
    return _IN_BRACKETS.findall(text) if _BRACKETS.fullmatch(text) else []


def read_many(cells: Sequence[Any], plan: ManyPlan) -> list[str] | Fault | None:
    """The labels of a row.

    In the order of `label_table`; empty where the cell says that there are none, None where it is empty.

    Example:
        >>> read_many(["comedy|drama"], ManyPlan(("genres",), None))
        ['comedy', 'drama']
        >>> read_many([1, 0, "1"], ManyPlan(("toxic", "obscene", "threat"), None))
        ['threat', 'toxic']
        >>> read_many(["<comedy><drama>"], ManyPlan(("genres",), None))
        ['comedy', 'drama']
        >>> read_many(["('b', 'a')"], ManyPlan(("y",), None)), read_many(["(see below)"], ManyPlan(("y",), None))
        (['a', 'b'], ['(see below)'])
        >>> read_many([[0, 1, 1]], ManyPlan(("y",), None, places=3))
        ['1', '2']
    """
    if len(cells) > 1:
        return _flags(cells, plan.names)
    cell = cells[0].tolist() if hasattr(cells[0], "tolist") else cells[0]
    if plan.places:
        return _hot(cell, plan.places)
    if not isinstance(cell, list | tuple):
        text = (as_text(cell) or "").strip()
        if not text:
            return None
        cell = _listed(text)
        if cell is None and plan.separator is None:
            cell = _bracketed(text) or None
        if cell is None:
            separator = plan.separator or next((mark for mark in SEPARATORS if mark in text), None)
            cell = text.split(separator) if separator else [text]
    found = [(as_text(item) or "").strip() for item in cell]
    return list(label_table(label for label in found if label))


def _hot(cell: Any, places: int) -> list[str] | Fault | None:
    """The places of the ones in a list of zeros and ones."""
    items = _items(cell) or _bits(cell)
    if items is None:
        text = (as_text(cell) or "").strip()
        return Fault(f"label is '{clip(text)}' where the other rows list {places} zeros and ones") if text else None
    if len(items) != places or not all(map(_is_bit, items)):
        return Fault(f"label is {clip(str(items))}, where the other rows list {places} zeros and ones")
    return [str(at) for at, item in enumerate(items) if _said(item) in YES]


def _flags(cells: Sequence[Any], names: Sequence[str]) -> list[str] | Fault:
    found = []
    for cell, name in zip(cells, names, strict=True):
        text = _said(cell)
        if text not in YES | OFF:
            return Fault(f"column '{clip(name)}' is '{clip(text)}', and a column that stands for a label holds 0 or 1")
        if text in YES:
            found.append(name)
    return list(label_table(found))


def _listed(text: str) -> list[Any] | None:
    """A list, a tuple or a set that was printed as text."""
    if (text[:1], text[-1:]) in (("(", ")"), ("{", "}")):
        text = f"[{text[1:-1]}]"
    value = parse_printed(text) if text.startswith("[") else None
    return value if isinstance(value, list) else None


def flag_columns(source: Source) -> tuple[int, ...]:
    """Columns of nothing but 0 and 1 (or -1 in all, where nobody marked a row), if there are at least two."""
    found, rows_unmarked = [], []
    marks = mark_columns(source)
    for at in range(source.own_width):
        values = list(map(_said, source.cells(at)))
        known = set(values) - _UNMARKED
        if at not in marks and known <= YES | OFF and known & YES and known & NO:
            found.append(at)
            rows_unmarked.append([value in _UNMARKED for value in values])
    same = all(one == rows_unmarked[0] for one in rows_unmarked)
    return tuple(found) if len(found) > 1 and same else ()


def are_flags(source: Source, columns: Sequence[int]) -> bool:
    """Whether columns hold nothing but 0 and 1, or one of them."""
    return all(set(map(_said, source.cells(at))) <= YES | OFF for at in columns)


def many_labels(train: Part, *, max_labels: int | None = None) -> tuple[str, ...]:
    """The label table of rows with several labels each; `max_labels` None judges by how many rows there are."""
    name = train.table.name
    if not train.table.has_target:
        raise DataError(f"{name} has no label column")
    labels = label_table({label for labels in train.values("target") for label in labels or ()})
    if len(labels) < 2:
        only = f": every row has '{clip(labels[0])}' or none" if labels else ""
        raise DataError(f"{name} has {'one label' if labels else 'no labels'} only{only}; two are needed")
    most = max_labels if max_labels is not None else len(train) // _MOST_ROWS_A_LABEL
    if len(labels) > most:
        raise DataError(
            f"{name}: {len(train):,} rows have {len(labels):,} different labels, as '{clip(labels[0], 40)}'; that "
            "looks like free text: name another column (--columns label=...), say what parts the labels "
            f"(--set data.label_separator=...), or allow it (--set data.max_labels={len(labels)})"
        )
    return labels


def encode_many(part: Part, labels: tuple[str, ...]) -> np.ndarray:
    """The targets as zeros and ones. many_NC, int8."""
    name = part.table.name
    if not part.table.has_target:
        raise DataError(f"{name} has no label column")
    place = {label: at for at, label in enumerate(labels)}
    many_NC = np.zeros((len(part), len(labels)), np.int8)
    for row, (line, found) in enumerate(zip(part.values("line"), part.values("target"), strict=True)):
        if found is None:
            raise DataError(f"{name} line {line}: label is empty")
        for label in found:
            if label not in place:
                said = f"{name} line {line}: label '{clip(label)}' is not in the training data"
                raise DataError(f"{said}; {nearest(label, labels)}")
            many_NC[row, place[label]] = 1
    return many_NC
