"""A pull of the encoder's weights back to where the rung started.

Source: Li et al. 2018, Explicit inductive bias for transfer learning with convolutional networks (L2-SP), section 3.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import nn


class Anchor:
    """Adds the gradient of `strength` / 2 times the squared way from the start; the head is free."""

    def __init__(self, parameters: Iterable[nn.Parameter], strength: float) -> None:
        self.strength = strength
        self.starts = [(p, p.detach().clone()) for p in parameters if p.requires_grad]

    def pull(self) -> None:
        """Before an update, when gradients are whole."""
        with torch.no_grad():
            for parameter, start in self.starts:
                if parameter.grad is not None:
                    parameter.grad.add_(parameter - start, alpha=self.strength)
