"""Rows that belong to none of the labels: what a person may say of them, and how they are set apart."""

from __future__ import annotations

from typing import Literal

import numpy as np
import pyarrow.compute as pc
from pydantic import Field

from deepen.core.errors import SettingError
from deepen.core.settings import Settings
from deepen.data.table import Part, Table
from deepen.evaluation.bounds import rows_needed
from deepen.problem.task import Task


class NoneOfThese(Settings):
    """Rows that belong to none of the labels."""

    refuse: bool = False
    """Give no answer to rows that look like none of the labels."""
    label: str = "none_of_these"
    """Rows with this label are none of the labels: the model does not learn them, they weigh the scores and are scored.
    Without any, labels held out in turn stand in."""
    most_lost: float = Field(default=0.01, gt=0, lt=1)
    """With 95 % confidence, no larger share of rows of a known label loses its right answer."""
    score: Literal["auto", "probability", "energy", "neighbours", "support", "profile"] = "auto"
    """How strange a row is; `auto` weighs all of them by what tells such rows best."""

    @property
    def rows(self) -> int:
        """How many validation rows it takes to show as much; 0 if nothing is refused."""
        return (rows_needed(self.most_lost) or 0) if self.refuse else 0


def outside_of(table: Table, label: str | None) -> Part:
    """The rows of a table that belong to none of the labels; None: there are none."""
    found = np.zeros(0, np.int64)
    if label is not None and table.has_target:
        found = np.flatnonzero(pc.equal(table.arrow.column("target"), label).fill_null(False).to_numpy())
    return Part(table, found.astype(np.int64))


def without_outside(table: Table, label: str | None) -> Part:
    """The others."""
    return Part(table, np.setdiff1d(np.arange(len(table), dtype=np.int64), outside_of(table, label).rows_N))


def check_refusing(task: Task, wish: NoneOfThese, *, rows: int, learned: bool) -> None:
    """Whether a run can say that a row belongs to none of its labels.

    Args:
        rows: How many decide.
        learned: Whether the model learns from those too.

    Raises:
        SettingError: If it can't.
    """
    if not task.one_label:
        raise SettingError(f"--none-of-these is for tasks with one label a row, and this is {task.name}; leave it out")
    if learned:
        raise SettingError(
            "--none-of-these rests on rows that the model has not learned from: leave out --refit and "
            "data.cross_validate_below"
        )
    if rows < wish.rows:
        raise SettingError(
            f"--none-of-these: {rows:,} validation rows can't show that at most {wish.most_lost:g} of the rows lose "
            f"their right answer: it takes {wish.rows:,}; allow more, as in --set none_of_these.most_lost=0.05"
        )
