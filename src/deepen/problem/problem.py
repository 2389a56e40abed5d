"""What is learned: a task, its labels, and the rows to learn from and to decide by."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

import numpy as np

from deepen.core.types import Targets
from deepen.data.table import Part
from deepen.data.words import mostly_chinese
from deepen.problem.task import Task

_LANGUAGE_ROWS = 200


@dataclass(frozen=True)
class Problem:
    """What is learned, whatever learns it.

    Attributes:
        descriptions: What some labels mean.
        weights_C: How much a row of each label counts; None where all count the same.
    """

    task: Task
    labels: tuple[str, ...]
    train: Part
    validation: Part
    descriptions: Mapping[str, str] = field(default_factory=dict)
    weights_C: np.ndarray | None = None

    @property
    def num_outputs(self) -> int:
        """C: how many logits a head is made for."""
        return self.task.head_size(self.labels)

    def targets(self, part: Part) -> Targets:
        """What is right for rows."""
        return self.task.targets(part, self.labels)

    @cached_property
    def train_targets(self) -> Targets:
        """What is right for the training rows."""
        return self.targets(self.train)

    @cached_property
    def validation_targets(self) -> Targets:
        """What is right for the validation rows."""
        return self.targets(self.validation)

    @cached_property
    def language(self) -> Literal["en", "zh"]:
        """What most of the first training texts are written in: Chinese, or what words are told apart by spaces in."""
        some = self.train.take(np.arange(min(_LANGUAGE_ROWS, len(self.train))))
        return "zh" if mostly_chinese(map(str, some.values(self.train.table.inputs[0]))) else "en"
