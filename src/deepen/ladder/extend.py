"""More training rows from a file of their own: `--add FILE`.

They join after the split and after `--drop` and `--fix`, so the rows that decide and the rows that are scored stay as
they are: what a run gains by them can be told by comparing its scores with those of the run without them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa

from deepen.core.files import fingerprint
from deepen.data.columns import TARGET, Columns, Need
from deepen.data.labels import LabelNames
from deepen.data.load import Prior, load_table, look
from deepen.data.settings import DataSettings
from deepen.data.table import Part, Table


def read_added(
    source: Any, needs: tuple[Need, ...], data: DataSettings, columns: Columns, names: LabelNames | None
) -> Table:
    """Reads the rows to add.

    Args:
        source: What `load_table` takes: in the form of the training data, or with columns that are called what the task
            calls them (`text`, `label`), as the diagnosis writes it.
        needs: What the task needs.
        data: How to read.
        columns: The columns of the training data.
        names: Names for the codes in its target.

    Returns:
        The rows.

    Raises:
        DataError: If they can't be read.
    """
    found = laid_out(columns, needs, look(source, data, Prior(like=columns, needs=needs)).names)
    given = names if isinstance(found, Columns) else None
    return load_table(source, needs, data, columns=found, label_names=given)[0]


def laid_out(columns: Columns, needs: Sequence[Need], called: Sequence[str | int] | None) -> Columns | dict[str, str]:
    """How to read a file that is like the training data, or has columns called what the task calls them.

    Args:
        columns: The columns of the training data.
        needs: What is wanted of the file.
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
        train: The training rows.
        validation: The rows that decide; if they are of the same table, they are of the new one afterwards.
        added: The rows to add.

    Returns:
        Both parts.
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
