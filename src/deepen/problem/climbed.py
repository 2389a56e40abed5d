"""What a rung hands back."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from deepen.core.types import Outputs
from deepen.problem.task import Predictor


@dataclass(frozen=True)
class Dynamics:
    """Margin and loss of every training example in every epoch, as diagnosis reads them. E epochs, N examples."""

    margins_EN: np.ndarray
    losses_EN: np.ndarray


@dataclass(frozen=True)
class Climbed:
    """A rung that has been climbed.

    Attributes:
        predictor: The model.
        validation: Its outputs on the validation rows, not calibrated.
        num_trained_parameters: How many numbers were learned.
        ran: What really ran, to be written into the recipe so that it can be repeated.
        won: What was chosen by the validation rows, as settings that choose it without them.
        reason: A sentence for the table.
        stopped: Whether it ended before its planned end.
        before: Outputs of the untouched encoder, where the rung made them.
        dynamics: Per-example training records, where there are any.
        curve: Rows for metrics.jsonl: step, name, value, seconds.
        fitted: The score on training rows, where they are so many that it says how much is left to learn from them.
    """

    predictor: Predictor
    validation: Outputs
    num_trained_parameters: int
    ran: dict[str, Any] = field(default_factory=dict)
    won: dict[str, Any] = field(default_factory=dict)
    reason: str = ""
    stopped: bool = False
    before: Outputs | None = None
    dynamics: Dynamics | None = None
    curve: tuple[dict[str, Any], ...] = ()
    fitted: float | None = None
