"""Short ways to read a source and look at its rows."""

from __future__ import annotations

from typing import Any

from deepen.data.load import DataSettings, Need, load_table
from deepen.data.table import Table

NEEDS = (Need("text", "text"), Need("label", "category"))


def read(source: Any, *, needs: tuple[Need, ...] = NEEDS, columns: Any = None, **settings: Any) -> Table:
    """Reads a source with the settings given as words; a single bad row is an error."""
    return load_table(source, needs, DataSettings(**{"bad_rows": "error"} | settings), columns=columns)[0]


def rows(table: Table) -> list[tuple[Any, ...]]:
    """Inputs and target of every row."""
    return [(*example.inputs.values(), example.target) for example in table.all_rows().examples()]
