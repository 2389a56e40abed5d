"""What a person changes of rows once they are split: lists of ids, rows added, rows without labels, names of labels."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from deepen.core.errors import SettingError
from deepen.core.files import fingerprint
from deepen.preparation.catalog import shelf
from deepen.preparation.check import check_added
from deepen.preparation.recipe import Recipe
from deepen.preparation.rows import Rows
from deepen.preparation.training_rows import by_lists, extend, label_rows, read_added
from deepen.preparation.unlabelled import check_task, read_unlabelled


def amend(rows: Rows, recipe: Recipe, *, decodes: bool) -> Rows:
    """Does all of it, in this order: `--drop` and `--fix`, `--add`, `--unlabelled`, what labels are called.

    Returns:
        The rows that are learned from; those that decide and are scored are as they were.

    Raises:
        DataError: If a file can't be read or does not fit.
        SettingError: If nothing can learn from rows without labels.
    """
    data, problem = recipe.data, rows.problem
    judged = problem.validation if rows.fold_N is None else problem.validation.take(np.arange(0))
    train, held, mark, notes = by_lists(rows.train, judged, rows.labels, drop=data.drop, fix=data.fix)
    held = held if rows.fold_N is None else problem.validation  # what it decides by stays as it was given
    rows = replace(rows, train=train, validation=held, amended=mark).noting(*notes)
    rows = _added(rows, recipe)
    rows = _unlabelled(rows, recipe)
    named = label_rows(rows.problem, data, decodes=decodes) if data.label_rows and _learns(recipe) else None
    if named is None:
        return rows
    train, validation = extend(rows.train, rows.problem.validation, named)
    rows = replace(rows, train=train, validation=validation)
    return rows.noting(
        f"few examples per class: {len(named):,} training rows more, what their labels are called or mean"
    )


def _added(rows: Rows, recipe: Recipe) -> Rows:
    data = recipe.data
    if data.add is None:
        return rows
    added = read_added(data.add, rows.task.needs, data, rows.columns, rows.names)
    rows.task.check(added.all_rows(), rows.labels)
    before = rows.train
    train, validation = extend(before, rows.problem.validation, added)
    rows = replace(rows, train=train, validation=validation, told=rows.told.of(added))
    if data.check:
        scored = {name: part for name, part in rows.given.items() if name != "train"}
        rows = rows.warning(*check_added(added.all_rows(), train, scored, before, data.near))
    rows = replace(rows, amended=fingerprint(rows.amended, added.fingerprint))
    return rows.noting(f"{added.name}: {len(added):,} rows added to the training rows")


def _learns(recipe: Recipe) -> bool:
    """Whether a rung that may be climbed learns from rows."""
    return any(shelf()[name].self_trainable for name in recipe.ladder.rungs or shelf())


def _unlabelled(rows: Rows, recipe: Recipe) -> Rows:
    if recipe.data.unlabelled is None:
        return rows
    if not _learns(recipe):
        raise SettingError(
            f"--unlabelled: {', '.join(recipe.ladder.rungs or ())} can't learn from rows; name another rung, as frozen"
        )
    check_task(rows.task, rows.train, rows.problem.train_targets)
    labelled = list(rows.given.values())
    part, notes = read_unlabelled(recipe.data.unlabelled, rows.task, recipe.data, rows.columns, labelled)
    return replace(rows, unlabelled=part, told=rows.told.of(part.table).and_notes(*notes))
