"""Labels: the table of them, and what tells a class from a score or free text. Shape legend: N rows."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from deepen.core.errors import DataError, nearest
from deepen.data.source import clip
from deepen.data.table import Part, Table

_MANY = 200
_ROWS_PER_LABEL = 20
_WHOLE = re.compile(r"([+-]?)(0|[1-9]\d{0,14})(\.0+)?")


def plain_label(value: str) -> str | None:
    """A label in its plainest form if it is a whole number or a truth value, written in several ways; else None.

    Example:
        >>> plain_label("1.0"), plain_label("-1"), plain_label("True"), plain_label("1.5"), plain_label("007")
        ('1', '-1', 'true', None, None)
    """
    whole = _WHOLE.fullmatch(value)
    if whole is not None:
        return ("-" if whole[1] == "-" and int(whole[2]) else "") + whole[2]
    return value.lower() if value.lower() in ("true", "false") else None


def target_counts(part: Part) -> dict[str, int]:
    """How often each target occurs. In the order of `label_table`."""
    counted = pc.value_counts(_targets(part)).to_pylist()
    counts = {entry["values"]: int(entry["counts"]) for entry in counted if entry["values"] is not None}
    return {label: counts[label] for label in label_table(counts)}


def _targets(part: Part) -> pa.ChunkedArray:
    column = part.table.arrow.column("target")
    whole = len(part) == len(part.table) and bool(np.array_equal(part.rows_N, np.arange(len(part))))
    return column if whole else column.take(pa.array(part.rows_N))


def label_table(source: Part | Table | Iterable[str]) -> tuple[str, ...]:
    """The different labels in the order of a model's outputs: by number if all are whole numbers, else by letters."""
    if isinstance(source, Table):
        source = source.all_rows()
    if isinstance(source, Part):
        source = [value for value in pc.unique(_targets(source)).to_pylist() if value is not None]
    labels = set(source)
    if all(re.fullmatch(r"[+-]?\d{1,18}", label) for label in labels):
        return tuple(sorted(labels, key=lambda label: (int(label), label)))
    return tuple(sorted(labels))


def check_labels(train: Part, *, max_labels: int | None = None) -> tuple[str, ...]:
    """The label table of training rows, if they can be learned as classes; an error for scores or text."""
    name = train.table.name
    if not train.table.has_target:
        raise DataError(f"{name} has no label column")
    labels = label_table(train)
    if len(labels) < 2:
        judged = any(left.reason.startswith("answer is ") for left in train.table.left_out)
        more = "; --columns label=answer learns what was accepted and what rejected" if judged else ""
        if not labels:
            raise DataError(f"{name} has no label in any row; a classifier needs two{more}")
        raise DataError(f"{name} has one class only: every label is '{clip(labels[0])}'; a classifier needs two{more}")
    rows = len(train)
    many = len(labels) >= _MANY and rows < _ROWS_PER_LABEL * len(labels)
    free = rows >= _ROWS_PER_LABEL and len(labels) > rows / 2
    if max_labels is None and (many or free):
        raise DataError(
            f"{name}: the label column has {len(labels):,} different values in {rows:,} rows, as "
            f"'{clip(labels[0], 40)}'; that looks like a score or free text, not a class: name another column "
            "(--columns label=...), cut a score into classes (--set data.label_cuts=[0]), or allow it "
            f"(--set data.max_labels={len(labels)})"
        )
    if max_labels is not None and len(labels) > max_labels:
        raise DataError(f"{name} has {len(labels):,} labels and data.max_labels allows {max_labels:,}")
    return labels


def encode_labels(part: Part, labels: tuple[str, ...], name: str | None = None) -> np.ndarray:
    """The targets as numbers, int64 (N,); `name` is what a message calls the file, None its table's name."""
    name = name if name is not None else part.table.name
    if not part.table.has_target:
        raise DataError(f"{name} has no label column")
    targets = _targets(part)
    found = pc.index_in(targets, value_set=pa.array(labels, pa.string()))
    if found.null_count and any(map(plain_label, labels)):
        targets = _as_spelled(targets, labels)
        found = pc.index_in(targets, value_set=pa.array(labels, pa.string()))
    if found.null_count:
        place = int(np.flatnonzero(found.is_null().to_numpy())[0])
        value = targets[place].as_py()
        line = part.table.arrow.column("line")[int(part.rows_N[place])].as_py()
        if value is None:
            raise DataError(f"{name} line {line}: label is empty")
        raise DataError(
            f"{name} line {line}: label '{clip(value)}' is not in the training data; {_nearest(value, labels)}"
        )
    return np.asarray(found.to_numpy(), dtype=np.int64)


def _as_spelled(targets: pa.ChunkedArray, labels: tuple[str, ...]) -> pa.ChunkedArray:
    """Whole numbers and truth values as the labels spell them: `1` where a label is `1.0`."""
    spelled = {plain: label for label in labels if (plain := plain_label(label)) is not None}
    values = [value for value in pc.unique(targets).to_pylist() if value is not None and value not in labels]
    pairs = [(value, name) for value in values if (name := spelled.get(plain_label(value) or "")) is not None]
    if not pairs:
        return targets
    place = pc.index_in(targets, value_set=pa.array([value for value, _ in pairs], pa.string()))
    return pc.coalesce(
        pa.array([name for _, name in pairs], pa.string()).take(place.combine_chunks()), targets.combine_chunks()
    )


def _nearest(value: str, labels: tuple[str, ...]) -> str:
    close = difflib.get_close_matches(value, labels, n=1, cutoff=0.6)
    if close:
        return f"did you mean '{clip(close[0])}'?"
    if len(labels) <= 12:
        return nearest(value, map(clip, labels))
    return f"it has {len(labels)} labels, as '{clip(labels[0])}', '{clip(labels[1])}'"
