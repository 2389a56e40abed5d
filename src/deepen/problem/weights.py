"""Rare labels count as much as common ones: rows weigh by how rare their label is.

Shape legend: N rows, M units, C labels.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from deepen.core.errors import SettingError
from deepen.data.columns import TARGET
from deepen.data.table import Part
from deepen.problem.work import Work

if TYPE_CHECKING:
    from collections.abc import Callable

_MOST_TIMES = 100


def balanced(work: Work) -> Work:
    """The work with a loss in which every label has the same weight in all, one on average a row.

    Probabilities are then those of labels that are equally common: they are too high for rare ones.

    Raises:
        SettingError: If rows have no label, or more than one.
    """
    task = work.task
    if not any(need.name == TARGET and need.kind == "category" for need in task.needs) or not task.deciders:
        raise SettingError(f"ladder.class_weights: the rows of {task.name} do not have one label each")
    counts_C = np.bincount(work.train_targets.labels_M, minlength=work.num_outputs)
    weights_C = counts_C.sum() / (len(counts_C) * np.maximum(counts_C, 1))
    return replace(work, task=replace(task, losses=partial(_weighted, task.losses, weights_C)), weights_C=weights_C)


def repeated(work: Work) -> Part:
    """The training rows, those of rare labels as often as they weigh: for models that know no weights."""
    if work.weights_C is None:
        return work.train
    times_C = np.minimum(np.rint(work.weights_C / work.weights_C.min()), _MOST_TIMES).astype(np.int64)
    return work.train.take(np.repeat(np.arange(len(work.train)), times_C[work.train_targets.labels_M]))


def _weighted(losses: Callable[[Any, Any], Any], weights_C: np.ndarray, logits_MC: Any, labels_M: Any) -> Any:
    weights = logits_MC.new_tensor(weights_C)[labels_M.clamp_min(0)]
    return losses(logits_MC, labels_M) * weights
