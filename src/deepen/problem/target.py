"""What is right for a unit: a class, several, a score or a document, and what follows from that.

Shape legend: M units, C outputs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from deepen.core.types import Targets
from deepen.evaluation.calibration import fit_temperature
from deepen.models.linear import Solved, centroid_head, solve_path
from deepen.models.plain import Problem
from deepen.problem.scale import NO_SCALE, Scale


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
        temperature: Logits and labels of held-out units to what logits are divided by.
        problem: What the logits are for, in the words of transformers; None for one label of several.
    """

    name: Literal["labels", "many", "scores", "ranks"]
    is_class: bool = False
    is_number: bool = False
    smooths: bool = False
    solve: Callable[..., Iterator[Solved]] | None = solve_path
    untrained: Callable[[Any, Any, int], Solved] | None = None
    scale: Callable[[Targets], Scale] = lambda targets: NO_SCALE
    temperature: Callable[[np.ndarray, np.ndarray], float] = fit_temperature
    problem: Problem | None = None


CLASS = Target("labels", is_class=True, smooths=True, untrained=centroid_head)
MANY = Target("many", problem="multi_label_classification")
