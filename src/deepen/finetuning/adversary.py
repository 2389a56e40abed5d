"""The fast gradient method: a step learns its rows once more, moved a little to where their loss grows fastest.

Source: Miyato et al. 2017, Adversarial training methods for semi-supervised text classification, section 3. Moved is
what the trained layers read, word vectors or the cached states below the cut, and by a share of its own length, since
encoders differ in how long their vectors are.
"""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from deepen.models.encoder import layout
from deepen.models.head import Inputs
from deepen.models.network import Network


def entered(network: Network, inputs: Inputs) -> Inputs:
    """The inputs as the vectors that the first layer to run reads, which will know their gradient."""
    hidden_TD = inputs.hidden_TD
    if hidden_TD is None:
        assert inputs.ids_T is not None  # noqa: S101 - Inputs holds one of the two
        hidden_TD = network.encoder.embed(inputs.ids_T, inputs.segments_T, layout(inputs.lengths_B))
    if not hidden_TD.requires_grad:
        hidden_TD = hidden_TD.detach().requires_grad_()
    hidden_TD.retain_grad()
    return replace(inputs, hidden_TD=hidden_TD)


def moved(inputs: Inputs, share: float) -> Inputs:
    """The same after a backward pass, each sequence moved along its gradient by a share of its norm."""
    assert inputs.hidden_TD is not None  # noqa: S101 - made by `entered`
    hidden_TD, gradient_TD = inputs.hidden_TD.detach(), inputs.hidden_TD.grad
    assert gradient_TD is not None  # noqa: S101 - it went through a backward pass
    owners_T = layout(inputs.lengths_B).owners_T

    def norms(x_TD: Tensor) -> Tensor:
        squares_T = x_TD.float().square().sum(1)
        return torch.zeros(len(inputs.lengths_B), device=x_TD.device).index_add_(0, owners_T, squares_T).sqrt()

    scale_B = share * norms(hidden_TD) / norms(gradient_TD).clamp_min(1e-20)
    return replace(inputs, hidden_TD=hidden_TD + scale_B[owners_T][:, None] * gradient_TD)
