"""Rows without a label: `--unlabelled FILE`. What is in them of validation and test rows is left out.

Shape legend: N unlabelled rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa

from deepen.core.errors import DataError, SettingError
from deepen.core.types import Targets
from deepen.data.check.problem import rows, verb
from deepen.data.columns import Columns
from deepen.data.load import load_table, look
from deepen.data.near import near_duplicates
from deepen.data.readers.prior import Prior
from deepen.data.table import Part
from deepen.preparation.data_section import DataSection
from deepen.preparation.training_rows import laid_out
from deepen.problem.task import Task


def check_task(task: Task, train: Part, targets: Targets) -> None:
    """Whether a model's answer can be the label of a row.

    Raises:
        SettingError: If rows do not have one label each.
    """
    table = train.table
    plain = table.has_target and pa.types.is_string(table.arrow.schema.field("target").type)
    if not plain or not task.one_label:
        raise SettingError(f"--unlabelled is for tasks with one label a row, which {task.name} is not; leave it out")


def read_unlabelled(
    source: Any, task: Task, data: DataSection, columns: Columns, labelled: Sequence[Part]
) -> tuple[Part, list[str]]:
    """Reads rows without a label; a column of labels, if there is one, is not looked at.

    Left out are rows that say nearly the same as one that decides or is scored, which would leak, and rows equal to a
    training row, whose label is known.

    Args:
        source: What `load_table` takes: in the form of the training data, or with columns that are called what the task
            calls them.
        labelled: The training rows first, then those that decide and those that are scored.

    Returns:
        The rows, and notes about those that were left out.

    Raises:
        DataError: If they can't be read, or none is left.
    """
    needs = tuple(need for need in task.needs if need.name != "label")
    asked = laid_out(
        replace(columns, target=None),
        needs,
        look(source, data, Prior(like=columns, needs=needs, need_target=False)).names,
    )
    table, _ = load_table(source, needs, data, columns=asked, need_target=False)
    has = {*labelled[0].table.arrow.column_names} - {*table.arrow.column_names}
    if lacking := [need.name for need in needs if need.name in has]:
        raise DataError(f"{table.name}: has no '{lacking[0]}', which the training rows have")
    part = table.all_rows()
    groups = near_duplicates([*labelled, part], data.near)
    ends = np.cumsum([len(some) for some in labelled])
    near_N, same_N = groups.near_N[ends[-1] :], groups.same_N[ends[-1] :]
    leaks_N = (near_N >= 0) & np.isin(near_N, groups.near_N[ends[0] : ends[-1]])
    known_N = (same_N >= 0) & np.isin(same_N, groups.same_N[: ends[0]]) & ~leaks_N
    notes = []
    if leaks := int(leaks_N.sum()):
        said = f"{verb(leaks, 'say')} nearly the same as one that decides or is scored"
        notes.append(f"{table.name}: {rows(leaks)} left out, which {said}")
    if known := int(known_N.sum()):
        notes.append(f"{table.name}: {rows(known)} left out, which {verb(known, 'are')} labelled already")
    left = part.take(np.flatnonzero(~leaks_N & ~known_N))
    if not len(left):
        raise DataError(
            f"{table.name}: none of its {rows(len(table))} is left; all are labelled, or like ones that decide"
        )
    return left, notes
