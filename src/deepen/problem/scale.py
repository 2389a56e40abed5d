"""Scores are learned standardised, whatever their range: a head of small weights can reach them, at the usual rates."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from deepen.core.types import Outputs, Targets

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True)
class Scale:
    """Mean and standard deviation of the training scores; 0 and 1 for labels, which changes nothing."""

    mean: float
    size: float

    def standard(self, labels_M: np.ndarray) -> np.ndarray:
        """Targets as they are learned."""
        if self == NO_SCALE:
            return labels_M
        return ((labels_M - self.mean) / self.size).astype(np.float32)

    def enter(self, head: nn.Linear) -> None:
        """Makes a head that gives scores give standardised ones."""
        import torch

        with torch.no_grad():
            head.weight.div_(self.size)
            head.bias.sub_(self.mean).div_(self.size)

    def leave(self, head: nn.Linear) -> None:
        """The way back."""
        import torch

        with torch.no_grad():
            head.weight.mul_(self.size)
            head.bias.mul_(self.size).add_(self.mean)

    def whole(self, outputs: Outputs) -> Outputs:
        """Standardised outputs as scores."""
        if self == NO_SCALE:
            return outputs
        return Outputs(outputs.values_MC * np.float32(self.size) + np.float32(self.mean), outputs.offsets_N1)


NO_SCALE = Scale(0.0, 1.0)


def scale_of(targets: Targets) -> Scale:
    """The scale of targets that are scores: their mean and standard deviation."""
    scores_M = targets.labels_M[targets.scored_M].astype(np.float64)
    return Scale(float(scores_M.mean()), float(scores_M.std()) or 1.0)
