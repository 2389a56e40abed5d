"""Rows with other inputs: what a model is shown to see what it leans on. Shape legend: N rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from deepen.core.files import fingerprint
from deepen.data.table import Part, Table
from deepen.data.words import join_words


def altered(part: Part, inputs: Mapping[str, Sequence[Any]]) -> Part:
    """The rows of a part with some inputs replaced by as many new values; ids, targets and everything else stay.

    Tokens bring their text and places with them. What is computed from the table, which is for a moment, is not kept.

    Example:
        >>> from deepen.data.load import DataSettings, Need, load_table
        >>> table, _ = load_table([{"text": "good film"}], [Need("text", "text")], DataSettings())
        >>> list(altered(table.all_rows(), {"text": ["bad film"]}).values("text"))
        ['bad film']
    """
    table = part.table
    for name, values in inputs.items():
        if name not in table.inputs or len(values) != len(part):
            raise ValueError(f"'{name}' with {len(values)} values, for {len(part)} rows with {table.inputs}")
    new: dict[str, Sequence[Any]] = dict(inputs)
    if "tokens" in new:
        joined = [join_words(tokens) for tokens in new["tokens"]]
        new["text"] = [text for text, _ in joined]
        new["spans"] = [[edge for place in places for edge in place] for _, places in joined]
    rows = table.arrow.take(pa.array(part.rows_N))
    for name, values in new.items():
        at = rows.column_names.index(name)
        rows = rows.set_column(at, rows.schema.field(at), pa.array(values, rows.schema.field(at).type))
    mark = fingerprint("altered", table.fingerprint, part.rows_N.tobytes().hex(), {k: list(v) for k, v in new.items()})
    made = Table(table.name, rows, table.inputs, mark, kept=False)
    return Part(made, np.arange(len(rows), dtype=np.int64))
