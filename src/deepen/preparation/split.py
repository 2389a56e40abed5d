"""Which rows decide: those that were given, or a share of the training rows."""

from __future__ import annotations

from dataclasses import replace

from deepen.core.seed import derive
from deepen.data.check.problem import Splits
from deepen.data.split import hold_out
from deepen.preparation.recipe import Recipe
from deepen.preparation.rows import Rows


def split(rows: Rows, splits: Splits, recipe: Recipe) -> Rows:
    """Holds out validation rows where none were given; rows that say nearly the same stay together.

    Args:
        splits: The same rows, which know what is nearly the same.

    Returns:
        Rows that have some for validation.
    """
    if rows.validation is not None:
        return rows
    task, whole, data = rows.task, rows.train, recipe.data
    train, validation = hold_out(
        whole,
        task.targets(whole, rows.labels).labels_M if task.one_label else None,
        share=data.validation_share,
        at_least=data.validation_at_least,
        seed=derive(recipe.seed, "validation"),
        groups_N=splits.groups.near_N[: len(whole)],
    )
    return replace(rows, train=train, validation=validation)
