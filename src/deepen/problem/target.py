"""What is right for a unit: a class, several, a score or a document, and what follows from that.

Shape legend: M units, C outputs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from deepen.core.types import Outputs, Targets
from deepen.evaluation.calibration import fit_temperature
from deepen.models.linear import Solved, centroid_head, solve_path
from deepen.models.plain import Problem
from deepen.problem.scale import NO_SCALE, Scale


def _temperature(outputs: Outputs, targets: Targets) -> float:
    return fit_temperature(outputs.values_MC, targets.labels_M)


@dataclass(frozen=True)
class Target:
    """What is right for a unit.

    Attributes:
        name: As diagnosis calls it.
        is_class: Whether it is one class of the label table.
        is_number: Whether it is a number, near to which is nearly right.
        smooths: Whether its logits are of one choice, over which a share of probability can be spread.
        solve: features_MF, labels_M, C and settings of `solve_path` to heads on frozen features; None where a fresh
            head is all that there is.
        untrained: features_MF, labels_M and C to the head that features give without training.
        scale: Training targets to the scale in which they are learned.
        temperature: Outputs and targets of held-out rows to what logits are divided by.
        problem: What the logits are for, in the words of transformers; None for one label of several.
        right: Outputs and targets to whether all of a row's answer is right; None where answers are near or far.
    """

    name: Literal["labels", "many", "scores", "ranks", "texts"]
    is_class: bool = False
    is_number: bool = False
    smooths: bool = False
    solve: Callable[..., Iterator[Solved]] | None = solve_path
    untrained: Callable[[Any, Any, int], Solved] | None = None
    scale: Callable[[Targets], Scale] = lambda targets: NO_SCALE
    temperature: Callable[[Outputs, Targets], float] = _temperature
    problem: Problem | None = None
    right: Callable[[Outputs, Targets], np.ndarray] | None = None


def best_is_right(outputs: Outputs, targets: Targets) -> np.ndarray:
    """Whether the largest logit of each of a row's units is the right one; rows of units that are not scored are."""
    wrong_M = (outputs.values_MC.argmax(1) != targets.labels_M) & targets.scored_M
    owner_M = np.repeat(np.arange(len(targets)), np.diff(targets.offsets_N1))
    return np.asarray(np.bincount(owner_M, weights=wrong_M, minlength=len(targets)) == 0)


def _signs_are_right(outputs: Outputs, targets: Targets) -> np.ndarray:
    return np.asarray(((outputs.values_MC > 0) == (targets.labels_M > 0)).all(axis=1))


CLASS = Target("labels", is_class=True, smooths=True, untrained=centroid_head, right=best_is_right)
TEXT = Target("texts", solve=None, temperature=lambda outputs, targets: 1.0)
MANY = Target("many", problem="multi_label_classification", right=_signs_are_right)
