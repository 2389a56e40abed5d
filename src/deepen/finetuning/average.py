"""The mean of the weights over the last steps of a schedule, put in their place before they are judged.

Source: Izmailov et al. 2018, Averaging weights leads to wider optima and better generalization, section 3.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import nn

from deepen.training.loop import Progress


class Average:
    """Averages what learns over the last `share` of each round; `arrays` must survive an interruption."""

    def __init__(self, named: Mapping[str, nn.Parameter], round_ends: Sequence[int], share: float) -> None:
        self.named = {name: p for name, p in named.items() if p.requires_grad}
        self.round_ends, self.share = list(round_ends), share
        self.arrays = {f"mean.{name}": np.zeros(p.shape, np.float32) for name, p in self.named.items()}

    def after_step(self, now: Progress) -> None:
        """Takes the weights of a step into the mean, and the mean into the weights at the end of a round."""
        at = bisect_left(self.round_ends, now.step)
        began, ends = (self.round_ends[at - 1] if at else 0), self.round_ends[at]
        counted = now.step - (ends - max(1, round(self.share * (ends - began))))
        if counted < 1:
            return
        with torch.no_grad():
            for name, parameter in self.named.items():
                mean = torch.from_numpy(self.arrays[f"mean.{name}"])
                mean.lerp_(parameter.detach().float().cpu(), 1 / counted)
                if now.step == ends:
                    parameter.copy_(mean)
