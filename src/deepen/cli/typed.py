"""Rows that are given on the command line itself, or on standard input."""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from deepen.core.errors import SettingError, nearest
from deepen.data.columns import TARGET

STDIN = "-"


@contextmanager
def given_rows(data: str | None, texts: Sequence[str], inputs: Sequence[str]) -> Iterator[Any]:
    """What a command is to answer: a path, texts, or one row of named inputs.

    Args:
        data: A path; `-` is standard input, which is kept in a file while the command runs.
        inputs: `name=text` of one row.

    Raises:
        SettingError: If there is not exactly one of them, or an input has no name.
    """
    if sum((data is not None, bool(texts), bool(inputs))) != 1:
        raise SettingError("give either a file of rows (- is standard input), --text or --input, one of the three")
    if data == STDIN:
        with tempfile.TemporaryDirectory(prefix="deepen-") as folder:
            kept = Path(folder) / "stdin"
            with kept.open("wb") as out:
                shutil.copyfileobj(sys.stdin.buffer, out)
            yield str(kept)
    else:
        yield data if data is not None else list(texts) or [_row(inputs)]


def _row(inputs: Sequence[str]) -> dict[str, str]:
    row = {}
    for word in inputs:
        name, equals, text = word.partition("=")
        if not equals or not name.strip():
            raise SettingError(f"--input {word[:60]}: write it as name=text, as in --input question='Who wrote it?'")
        if name.strip() in row:
            raise SettingError(f"--input {name.strip()} is given twice: they are the parts of one row")
        row[name.strip()] = text
    return row


def check_names(row: Mapping[str, str], model: Any) -> None:
    """Whether a typed row has the parts that a model reads, by their names or those of its training columns.

    Raises:
        SettingError: If a name is unknown.
    """
    reader = getattr(model, "tagger", model)
    needs = [need for need in reader.task.needs if need.name != TARGET]
    own = [str(name) for need in needs for name in reader.columns.inputs.get(need.name, ())]
    known = list(dict.fromkeys([*(need.name for need in needs), *own]))
    for name in row:
        if name not in known:
            raise SettingError(f"--input {name[:60]}: the model reads no such part; {nearest(name, known)}")
