"""Which rows decide: those that were given, all of them fold by fold, or a share of the training rows."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from deepen.core.seed import derive
from deepen.data.check.problem import Splits
from deepen.data.split import deal, hold_out
from deepen.preparation.recipe import Recipe
from deepen.preparation.rows import Rows

_FEW = 4  # where a quarter of the rows or more is held out, learning from them too is worth a word


def split(rows: Rows, splits: Splits, recipe: Recipe) -> Rows:
    """Says which rows decide where none were given; rows that say nearly the same stay together."""
    if rows.validation is not None:
        return rows
    task, whole, data = rows.task, rows.train, recipe.data
    labels_N = task.targets(whole, rows.labels).labels_M if task.one_label else None
    near_N = splits.groups.near_N[: len(whole)]
    if len(whole) < data.cross_validate_below:
        if why := _why_not(rows, recipe):
            rows = rows.noting(f"{whole.table.name}: rows are held out, not cross-validated: {why}")
        else:
            seed = derive(recipe.seed, "validation")
            fold_N = deal(whole, labels_N, num_folds=data.folds, seed=seed, groups_N=near_N)
            return replace(rows, validation=whole.take(np.flatnonzero(fold_N >= 0)), fold_N=fold_N)
    train, validation = hold_out(
        whole,
        labels_N,
        share=data.validation_share,
        at_least=max(data.validation_at_least, recipe.none_of_these.rows),
        seed=derive(recipe.seed, "validation"),
        groups_N=near_N,
    )
    rows = replace(rows, train=train, validation=validation)
    if len(whole) > _FEW * len(validation) or recipe.ladder.refit or rows.task.writes is not None:
        return rows
    return rows.noting(
        f"{whole.table.name}: {len(validation):,} of {len(whole):,} rows are held out to choose by; with --refit the "
        "chosen rung learns from them too, once they have decided"
    )


def _why_not(rows: Rows, recipe: Recipe) -> str:
    """Why rows can't be cross-validated; nothing if they can."""
    if rows.task.writes is not None:
        return f"every fold of {rows.task.name} would cost a training of a network that writes"
    if recipe.data.unlabelled is not None:
        return "rows without a label are learned from by what held-out rows say of them"
    if rows.task.form.head.shares and not rows.task.form.head.has_classes:
        return f"{rows.task.name} answers with texts of the very rows that are held out"
    return ""
