"""Training rows left out, relabelled or added: `--drop FILE`, `--fix FILE`, `--add FILE`, names of labels.

The validation and test rows stay as they are, and so does the split: what a run gains by a list
can be told by comparing its scores with those of the run without it.
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from deepen.core.cells import plain
from deepen.core.errors import DataError, nearest
from deepen.core.files import fingerprint
from deepen.core.foreign import cause
from deepen.core.places import check_file, path_of
from deepen.data.columns import TARGET, Columns, Need
from deepen.data.label_names import LabelNames
from deepen.data.load import load_table, look
from deepen.data.normalise import NormaliseSettings, normalise_label
from deepen.data.readers.prior import Prior
from deepen.data.settings import DataSettings
from deepen.data.source import clip
from deepen.data.table import Part, Table
from deepen.data.targets.tags import is_tag, to_iob2
from deepen.problem.problem import Problem
from deepen.prompting.verbalizers import described

_LARGEST_LIST = 1 << 28  # bytes; a list of a million rows with their texts has fewer


class Listed(NamedTuple):
    """Training and validation rows after a list; `mark` is equal if the same was done, and empty if nothing was."""

    train: Part
    validation: Part
    mark: str = ""
    notes: tuple[str, ...] = ()


def by_lists(
    train: Part, validation: Part, labels: tuple[str, ...], *, drop: str | None = None, fix: str | None = None
) -> Listed:
    """Leaves training rows out, and gives others another label.

    Args:
        validation: The validation rows; none of them changes.
        drop: A file of ids, CSV with a column `id` or JSON lines.
        fix: A file of ids and labels, with the columns `id` and `label`; a row whose label is empty stays as it is, and
            what is in both files is left out.

    Returns:
        The rows, with a note for each file.

    Raises:
        DataError: If a file can't be read, names no training row or an unknown label, or no row of a label is left.
    """
    if drop is None and fix is None:
        return Listed(train, validation)
    ids = list(train.values("id"))
    place = {name: at for at, name in enumerate(ids)}
    held = set(validation.values("id")) if validation.table is train.table else set()
    notes: list[str] = []
    done: dict[str, Any] = {}
    if fix is not None:
        cells = {name: (line, label) for line, name, label in _listed(Path(fix), "label") if not _is_empty(label)}
        known = _known(fix, cells, place, held, notes)
        targets = dict(zip(place, train.values("target"), strict=True))
        wanted = {name: _label(fix, cells[name], targets[name], labels) for name in known}
        changes = {name: label for name, label in wanted.items() if label != targets[name]}
        notes.append(f"{fix}: {len(changes):,} training labels changed, {len(known) - len(changes):,} were so already")
        before = train.table
        train = _relabelled(train, {place[name]: label for name, label in changes.items()})
        validation = Part(train.table, validation.rows_N) if validation.table is before else validation
        done["fix"] = sorted(changes.items())
    if drop is not None:
        named = {name: (line, None) for line, name, _ in _listed(Path(drop), None)}
        known = _known(drop, named, place, held, notes)
        notes.append(f"{drop}: {len(known):,} training rows left out")
        out = [place[name] for name in known]
        train = train.take(np.setdiff1d(np.arange(len(train)), out))
        done["drop"] = sorted(known)
    _check_left(train, labels, drop or str(fix))
    return Listed(train, validation, fingerprint(done) if any(done.values()) else "", tuple(notes))


def _listed(path: Path, column: str | None) -> Iterator[tuple[int, str, Any]]:
    """Line, id and cell of each row of a list; an id that is named twice must say the same twice."""
    seen: dict[str, Any] = {}
    path = path_of(path, kind=DataError)
    check_file(path, most_bytes=_LARGEST_LIST, kind=DataError)
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            first = file.readline()
            file.seek(0)
            rows = _json_rows(path, file) if first.lstrip().startswith("{") else _cell_rows(path, file, first)
            for line, row in rows:
                for name in ("id", *([column] if column else [])):
                    if name not in row:
                        raise DataError(f"{path} line {line}: there is no '{name}', only {', '.join(map(str, row))}")
                key, cell = str(row["id"] or "").strip(), row[column] if column else None
                if seen.setdefault(key, cell) != cell:
                    raise DataError(f"{path} line {line}: id {clip(key)} has another {column} above")
                if key:
                    yield line, key, cell
    except OSError as error:
        raise DataError(f"can't read {path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise DataError(f"{path} is not UTF-8; save it as `CSV UTF-8`") from None


def ids_of(path: Path) -> set[str]:
    """The ids that a list names.

    Args:
        path: CSV with a column `id`, or JSON lines.
    """
    return {name for _, name, _ in _listed(path, None)}


def _json_rows(path: Path, file: Any) -> Iterator[tuple[int, Mapping[str, Any]]]:
    for line, text in enumerate(file, 1):
        if text.strip():
            try:
                row = json.loads(text)
            except (ValueError, RecursionError) as error:
                raise DataError(f"{path} line {line}: not JSON: {cause(error)}") from None
            if not isinstance(row, dict):
                raise DataError(f"{path} line {line}: no JSON object")
            yield line, row


def _cell_rows(path: Path, file: Any, header: str) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """Rows of a CSV file; spreadsheets separate cells by what their language does."""
    reader = csv.DictReader(file, delimiter=max(",;\t", key=header.count), restkey="")
    if "id" not in (reader.fieldnames or ()):
        raise DataError(f"{path}: the first line must name the columns, and one of them `id`")
    try:
        for row in reader:
            yield reader.line_num, row
    except csv.Error as error:
        raise DataError(f"{path} line {reader.line_num}: {error}") from None


def _known(
    path: str, named: Mapping[str, Any], place: Mapping[str, int], held: set[str], notes: list[str]
) -> list[str]:
    """The ids that are training rows; the others are told."""
    known = [name for name in named if name in place]
    decide = sum(name in held for name in named)
    strange = len(named) - len(known) - decide
    if named and not known:
        why = "they are validation rows" if decide else "it is a list for other data, or the data has changed"
        raise DataError(f"{path}: none of its {len(named):,} ids is a training row: {why}")
    if decide:
        notes.append(f"{path}: {decide:,} ids are validation rows, which stay as they are")
    if strange:
        notes.append(f"{path}: {strange:,} of {len(named):,} ids are of no row of the data")
    return known


def _is_empty(label: Any) -> bool:
    return label is None or not (label if isinstance(label, list) else str(label).strip())


def _label(path: str, cell: tuple[int, Any], before: Any, labels: tuple[str, ...]) -> Any:
    """A cell as a label, or as the tags of a row; all of them known."""
    line, value = cell
    if not isinstance(before, list):
        label = plain(str(value).strip(), labels)
        label = label if label in labels else normalise_label(label, NormaliseSettings(), {})
        if label not in labels:
            raise DataError(f"{path} line {line}: label '{clip(label)}' is not in the data; {nearest(label, labels)}")
        return label
    tags = [str(tag) for tag in (value if isinstance(value, list) else str(value).split())]
    if len(tags) != len(before):
        raise DataError(f"{path} line {line}: {len(tags)} tags for a row of {len(before)} tokens")
    for tag in tags:
        if tag not in labels:
            raise DataError(f"{path} line {line}: tag '{clip(tag)}' is not in the data; {nearest(tag, labels)}")
    return to_iob2(tags) if all(map(is_tag, tags)) else tags


def _relabelled(train: Part, labels: Mapping[int, Any]) -> Part:
    """The part with other targets at these places.

    What is cached of the table comes from its inputs, so its fingerprint stays; `Listed.mark` tells the labels apart.
    """
    if not labels:
        return train
    table = train.table
    at = table.arrow.column_names.index("target")
    targets = table.arrow.column(at).to_pylist()
    for place, label in labels.items():
        targets[train.rows_N[place]] = label
    arrow = table.arrow.set_column(
        at, table.arrow.schema.field(at), pa.array(targets, table.arrow.schema.field(at).type)
    )
    return Part(replace(table, arrow=arrow), train.rows_N)


def _check_left(train: Part, labels: tuple[str, ...], path: str) -> None:
    if not len(train):
        raise DataError(f"{path}: no training row is left")
    targets = set(train.values("target")) if not isinstance(next(train.values("target")), list) else set(labels)
    for label in labels:
        if label not in targets:
            raise DataError(f"{path}: no training row of the label '{clip(label)}' is left")


# --- More training rows from a file of their own: `--add FILE` --------------------------------------------------------
# They join after the split and after `--drop` and `--fix`, so the validation and test rows stay as
# they are: what a run gains by them can be told by comparing its scores with those of the run without them.


def read_added(
    source: Any, needs: tuple[Need, ...], data: DataSettings, columns: Columns, names: LabelNames | None
) -> Table:
    """Reads the rows to add.

    Args:
        source: What `load_table` takes: in the form of the training data, or with columns that are called what the task
            calls them (`text`, `label`), as the diagnosis writes it.
        names: Names for the codes in its target.

    Raises:
        DataError: If they can't be read.
    """
    found = laid_out(columns, needs, look(source, data, Prior(like=columns, needs=needs)).names)
    given = names if isinstance(found, Columns) else None
    return load_table(source, needs, data, columns=found, label_names=given)[0]


def laid_out(columns: Columns, needs: Sequence[Need], called: Sequence[str | int] | None) -> Columns | dict[str, str]:
    """How to read a file that is like the training data, or has columns called what the task calls them.

    Args:
        called: The names of its columns; None if it has none.

    Returns:
        The training data's columns, unless the file lacks one of them and has those that the task needs by their names.
    """
    names = called or ()
    parts = [
        p for need in needs for p in ((columns.target if need.name == TARGET else columns.inputs.get(need.name)) or ())
    ]
    own = {need.name: need.name for need in needs if need.name in names}
    if all(part in names if isinstance(part, str) else not names for part in parts):
        return columns
    return own if all(need.name in own for need in needs if not need.optional) else columns


def extend(train: Part, validation: Part, added: Table) -> tuple[Part, Part]:
    """Training rows with others after them.

    Args:
        validation: The validation rows; if they are of the same table, they are of the new one afterwards.
    """
    table = train.table
    schema = table.arrow.schema
    more = added.arrow.select(schema.names).cast(schema)
    whole = replace(
        table,
        arrow=pa.concat_tables([table.arrow, more]),
        fingerprint=fingerprint(table.fingerprint, added.fingerprint),
        left=pa.concat_tables([table.left, added.left]),
        files=(*(table.files or ((0, table.name),)), *((len(table) + first, file) for first, file in added.files)),
    )
    places_N = np.concatenate([train.rows_N, len(table) + np.arange(len(added), dtype=np.int64)])
    held = Part(whole, validation.rows_N) if validation.table is table else validation
    return Part(whole, places_N), held


# --- Of few examples per class, what the label is called is one more: `card_arrival` says what its rows are about -----
# It joins the training rows after the split, as the rows of `--add` do, so the validation and test rows
# stay as they are. LOG.md has what it gains.


_MOST_ROWS = 8  # a label, those that are held out among them; at ten it gained nothing
_NO_LETTERS = re.compile(r"[\W\d_]+")


def label_rows(problem: Problem, data: DataSettings, *, decodes: bool) -> Table | None:
    """Rows that say what each label is: its descriptions, or else its name.

    Returns:
        The rows; None where a row is more than a text with one label, a label has more than a few rows, a label is no
        word, words are hidden, or the model is a decoder, to which rows are shown as examples.
    """
    parts = [problem.train, *([problem.validation] if problem.validation.table is problem.train.table else [])]
    num = len(np.unique(np.concatenate([part.rows_N for part in parts])))
    few = num <= _MOST_ROWS * len(problem.labels)
    if problem.task.prompts is None or not few or decodes or data.hide:
        return None
    said = described(problem)
    words = [_NO_LETTERS.sub("", texts[0]).lower() for texts in said]
    if len({*words}) < len(words) or any(word.isascii() and len(word) < 3 for word in words):
        return None
    rows = [{"text": text, "label": name} for name, texts in zip(problem.labels, said, strict=True) for text in texts]
    settings = DataSettings(normalise=data.normalise)
    return load_table(rows, problem.task.needs, settings, columns={"text": "text", "label": "label"})[0]
