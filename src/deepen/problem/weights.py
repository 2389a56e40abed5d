"""Rare labels count as much as common ones: rows weigh by how rare their label is.

Shape legend: M units, C labels.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from deepen.core.errors import SettingError
from deepen.core.types import Targets
from deepen.data.columns import TARGET
from deepen.problem.problem import Problem


def balanced(problem: Problem) -> Problem:
    """The problem with a loss in which every label has the same weight in all, one on average a row.

    Probabilities are then those of labels that are equally common: they are too high for rare ones.

    Raises:
        SettingError: If rows have no label, or more than one.
    """
    task, targets = problem.task, problem.train_targets
    one_label = any(need.name == TARGET and need.kind == "category" and not need.optional for need in task.needs)
    if not one_label or task.target.is_number:
        raise SettingError(f"ladder.class_weights: the rows of {task.name} do not have one label each")
    counts_C = np.bincount(targets.labels_M, minlength=problem.num_outputs)
    weights_C = counts_C.sum() / (len(counts_C) * np.maximum(counts_C, 1))
    return replace(problem, task=replace(task, losses=partial(_weighted, task.losses, weights_C)), weights_C=weights_C)


def weighed(problem: Problem) -> Targets:
    """What is right for the training rows, with what each of them counts."""
    targets, weights_C = problem.train_targets, problem.weights_C
    return targets if weights_C is None else replace(targets, weights_M=weights_C[targets.labels_M])


def _weighted(losses: Callable[[Any, Any], Any], weights_C: np.ndarray, logits_MC: Any, labels_M: Any) -> Any:
    weights = logits_MC.new_tensor(weights_C)[labels_M.clamp_min(0)]
    return losses(logits_MC, labels_M) * weights
