"""Tables that are in memory already: a pandas DataFrame, a list of mappings, a list of texts."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from deepen.core.errors import DataError
from deepen.data.readers.keys import keys_of
from deepen.data.source import Fault, Form, Row, Source, listed

_SAMPLE_ROWS = 5000


def is_frame(source: object) -> bool:
    """Whether something is a pandas DataFrame, told without importing pandas."""
    return type(source).__name__ == "DataFrame" and hasattr(source, "itertuples")


def open_frame(frame: Any) -> Source:
    """A pandas DataFrame as a source; row 1 is its first row."""
    names = tuple(str(name) for name in frame.columns)
    if not len(frame):
        raise DataError(
            "the DataFrame is empty" + (f": it has the columns {listed(names)} and no rows" if names else "")
        )
    if len(set(names)) < len(names):
        raise DataError(f"the DataFrame has two columns of the same name: {listed(names)}")

    def read(wanted: tuple[int, ...]) -> Iterator[Row]:
        columns = [frame.iloc[:, i] for i in wanted]
        for number, cells in enumerate(zip(*columns, strict=True), 1):
            yield "DataFrame", number, cells

    sample = [list(row) for row in frame.head(_SAMPLE_ROWS).itertuples(index=False, name=None)]
    return Source("DataFrame", names, len(names), sample, read, form=Form("memory", len(names)))


def open_list(rows: Sequence[Any]) -> Source:
    """A list of mappings, or of texts, as a source; row 1 is its first. Texts become the column `text`."""
    if not rows:
        raise DataError("the list is empty")
    if any(isinstance(row, str) for row in rows) and all(row is None or isinstance(row, str) for row in rows):
        rows = [{"text": row} for row in rows]
    first = [row for row in rows[:_SAMPLE_ROWS] if isinstance(row, Mapping)]
    found = keys_of(first)
    keys = {str(key): key for key in found.names}
    names = tuple(keys)
    if not names:
        raise DataError(f"the list holds {type(rows[0]).__name__} where mappings (or texts) are needed")

    def read(wanted: tuple[int, ...]) -> Iterator[Row]:
        some = [keys[names[i]] for i in wanted]
        for number, row in enumerate(rows, 1):
            if isinstance(row, Mapping):
                yield "list", number, [row.get(key) for key in some]
            else:
                yield "list", number, Fault(f"a {type(row).__name__} where a mapping is needed")

    sample = (
        found.sample if len(names) == len(found.names) else [[row.get(key) for key in keys.values()] for row in first]
    )
    notes = (f"list: {found.told}",) if found.told else ()
    return Source("list", names, len(names), sample, read, notes=notes, form=Form("memory", len(names)))


def content_key(source: Source) -> str:
    """A hash of everything in a table in memory, which has no file to hash."""
    digest = hashlib.sha256(json.dumps(source.names).encode())
    for _, _, cells in source.read(tuple(range(source.width))):
        try:
            held = repr(cells if isinstance(cells, Fault) else tuple(cells)).encode("utf-8", "surrogatepass")
        except (ValueError, RecursionError):  # too long or too deep to be written: a table that is never found again
            held = os.urandom(16)
        digest.update(held)
    return digest.hexdigest()
