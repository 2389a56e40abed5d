"""What Python programs hand to a model, as the list or path that is read: one text, a Series, an array, one row."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from deepen.core.errors import DataError
from deepen.core.settings import shown
from deepen.data.columns import TARGET, AskedColumns, Columns
from deepen.data.readers.in_memory import is_frame
from deepen.data.readers.parquet_arrow import is_dataset
from deepen.problem.task import Task

_TAKEN = "a text, a list of texts or of rows, a Series, an array, a DataFrame or a path"
_FILE_ENDS = frozenset(
    ".csv .tsv .txt .json .jsonl .ndjson .parquet .arrow .feather .xlsx .xls .conll .conllu .bio .iob .gz .bz2 .xz .zip"
    " .html .yaml .yml .xml".split()
)


def as_rows(data: Any) -> Any:
    """What is read: a path stays one, a DataFrame and a data set too, all else becomes a list.

    Args:
        data: Rows. A `str` is a path if something is there, or if it is written like a file or a folder; else it is
            one text.

    Raises:
        DataError: If it is none of what is taken.
    """
    if isinstance(data, str):
        return data if _is_path(data) else [data]
    if isinstance(data, Path | list | tuple) or is_frame(data) or is_dataset(data):
        return data
    if isinstance(data, Mapping):
        return [data]
    if isinstance(data, np.ndarray) or hasattr(data, "to_list") or hasattr(data, "tolist"):
        values = data.to_list() if hasattr(data, "to_list") else data.tolist()
        if isinstance(values, list) and not any(isinstance(value, list) for value in values):
            return [None if value is None or value != value else value for value in values]
        raise DataError(f"data has {np.ndim(data)} dimensions, and texts stand in one: give {_TAKEN}")
    if isinstance(data, Iterable) and not isinstance(data, bytes):
        return list(data)
    raise DataError(f"data is {shown(data)}: give {_TAKEN}")


def is_plain(data: Any) -> bool:
    """Whether rows are texts by themselves."""
    return isinstance(data, list | tuple) and all(row is None or isinstance(row, str) for row in data)


def columns_for(data: Any, asked: Mapping[str, str] | None, task: Task, columns: Columns) -> Any:
    """What was asked for beside what training found; a list of plain texts has no columns to look up.

    Raises:
        DataError: If a text stands alone where the task answers two together.
    """
    plain = is_plain(data)
    if plain:
        _refuse_alone(task)
    if asked is not None:
        from deepen.preparation.data_section import asked_columns

        if chosen := asked_columns(asked):
            return chosen if plain else AskedColumns(chosen, columns)
    return None if plain else columns


def _refuse_alone(task: Task) -> None:
    """A text by itself is no row where two are answered together."""
    texts = [need.name for need in task.needs if need.name != TARGET and not need.optional]
    if len(texts) > 1:
        typed = " ".join(f'--input {name}="..."' for name in texts)
        row = ", ".join(f'"{name}": "..."' for name in texts)
        raise DataError(
            f"{task.name} answers {' and '.join(texts)} together, and a text alone is half a row: "
            f"give {typed}, or a row in a file and in Python: {{{row}}}"
        )


def index_of(data: Any) -> Any:
    """The index of a DataFrame or a Series of pandas; None for all else."""
    index = getattr(data, "index", None)
    return None if index is None or callable(index) else index


def _is_path(text: str) -> bool:
    """Whether a string names a file rather than being a text."""
    if any(letter in text for letter in "\n\0") or len(os.fsencode(text)) > 4096:
        return False
    if os.path.exists(os.path.expanduser(text)):
        return True
    written_as_one = " " not in text.strip() and ("/" in text or "\\" in text)
    return written_as_one or Path(text).suffix.lower() in _FILE_ENDS
