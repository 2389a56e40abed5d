"""Cells that hold several labels: a list, a text with separators, or one column of 0 and 1 for each label.

Shape legend: N rows, C labels.
"""

from __future__ import annotations

import ast
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from deepen.core.errors import DataError, nearest
from deepen.data.labels import label_table
from deepen.data.sources import Fault, as_text, clip
from deepen.data.table import Part

SEPARATORS = ("|", ";", "；", "、", "，", ",")
_ON = frozenset(("1", "1.0", "true", "yes", "是"))
_OFF = frozenset(("", "0", "0.0", "false", "no", "否"))
_MOST_ROWS_A_LABEL = 2


@dataclass(frozen=True)
class ManyPlan:
    """How the labels of a row are read.

    `names` are those of its columns; `separator` parts the text of a single one, None: the first of `SEPARATORS` in it.
    """

    names: tuple[str, ...]
    separator: str | None


def read_many(cells: Sequence[Any], plan: ManyPlan) -> list[str] | Fault | None:
    """The labels of a row.

    Args:
        cells: The cells of its label columns.
        plan: How they are read.

    Returns:
        Different labels, as `label_table` orders them; an empty list where the cell says that there are none, None
        where it is empty.

    Example:
        >>> read_many(["comedy|drama"], ManyPlan(("genres",), None))
        ['comedy', 'drama']
        >>> read_many([1, 0, "1"], ManyPlan(("toxic", "obscene", "threat"), None))
        ['threat', 'toxic']
    """
    if len(cells) > 1:
        return _flags(cells, plan.names)
    cell = cells[0]
    if not isinstance(cell, list | tuple):
        text = (as_text(cell) or "").strip()
        if not text:
            return None
        cell = _listed(text)
        if cell is None:
            separator = plan.separator or next((mark for mark in SEPARATORS if mark in text), None)
            cell = text.split(separator) if separator else [text]
    found = [(as_text(item) or "").strip() for item in cell]
    return list(label_table(label for label in found if label))


def _flags(cells: Sequence[Any], names: Sequence[str]) -> list[str] | Fault:
    found = []
    for cell, name in zip(cells, names, strict=True):
        text = (as_text(cell) or "").strip().lower()
        if text not in _ON and text not in _OFF:
            return Fault(f"column '{clip(name)}' is '{clip(text)}', and a column that stands for a label holds 0 or 1")
        if text in _ON:
            found.append(name)
    return list(label_table(found))


def _listed(text: str) -> list[Any] | None:
    """A list that was written as text, as JSON or as Python prints it."""
    if not (text.startswith("[") and text.endswith("]")):
        return None
    for parse in (json.loads, ast.literal_eval):
        try:
            value = parse(text)
        except (ValueError, SyntaxError, RecursionError, MemoryError):
            continue
        if isinstance(value, list):
            return value
    return None


def many_labels(train: Part, *, max_labels: int | None = None) -> tuple[str, ...]:
    """The label table of training rows that have several labels each.

    Args:
        train: The training rows.
        max_labels: The most labels there may be; None to judge by how many rows there are for each.

    Returns:
        The labels, as `label_table` orders them.

    Raises:
        DataError: If there are fewer than two labels, or so many that they must be free text.
    """
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
    """The targets as zeros and ones.

    Args:
        part: Rows with a target.
        labels: The label table of the training data.

    Returns:
        many_NC: int8.

    Raises:
        DataError: If a row has no target, or a label that is not in the table; names its file and line.
    """
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
