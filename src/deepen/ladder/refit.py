"""A rung once more, on all rows: those that have decided may be learned from when nothing is left to decide."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from deepen.core.files import fingerprint
from deepen.core.settings import Settings
from deepen.data.table import Part, Table
from deepen.problem.climbed import Climbed
from deepen.problem.rung import Rung
from deepen.problem.work import Work


def refit(
    work: Work, whole: Part, rung: Rung, settings: Settings, won: dict[str, Any], *, below: Path | None
) -> Climbed:
    """Trains a rung on all rows, with what won when others decided.

    Args:
        work: The climb, with the rows from which it learned when that won.
        won: What it chose by the validation rows, as settings (`Climbed.won`).
        below: The model that it started from.

    Returns:
        The rung, its model not calibrated.
    """
    if "batch_tokens" in won:  # as many steps as won, with more rows in each
        won = won | {"batch_tokens": round(won["batch_tokens"] * len(whole) / len(work.problem.train))}
    fixed = type(settings).model_validate(settings.model_dump() | won)
    return rung.climb(work.on(whole).until(None), fixed, below)


def joined(first: Part, second: Part) -> Part:
    """The rows of two parts as one.

    Args:
        second: Others, of the same table or of one with the same columns.

    Returns:
        All of them; those of one table in its order.
    """
    if first.table is second.table:
        return Part(first.table, np.sort(np.concatenate([first.rows_N, second.rows_N])))
    one, two = first.table, second.table
    arrow = pa.concat_tables([one.arrow, two.arrow.select(one.arrow.column_names)])
    table = Table(one.name, arrow, one.inputs, fingerprint(one.fingerprint, two.fingerprint))
    return Part(table, np.concatenate([first.rows_N, second.rows_N + len(one)]))
