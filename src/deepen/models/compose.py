"""Changes that several tunings made to one encoder, added up in its own weights."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from deepen.models.adapters import peft, plain_state
from deepen.models.encoder import Encoder

COMPOSITIONS = ("sum", "ties")


def compose_weights(base: Encoder, tuned: Sequence[Encoder], weights_R: np.ndarray, by: str, density: float) -> Encoder:
    """An encoder with the changes of all.

    Args:
        base: The pretrained encoder, which is changed in place.
        tuned: Encoders that were made of it, with what was learned folded into their weights.
        weights_R: How much each counts.
        by: One of `COMPOSITIONS`.
        density: The share of each tensor's changes that `ties` keeps.

    Raises:
        SettingError: If PEFT is not installed, and `by` needs it.

    Source:
        Ilharco et al. 2022 (https://arxiv.org/abs/2212.04089) for sums; TIES by the library peft.
    """
    states = [plain_state(encoder.network) for encoder in tuned]
    weights = torch.from_numpy(weights_R).float()
    with torch.no_grad():
        for name, value in plain_state(base.network).items():
            changes_RX = torch.stack([state[name].to(value) - value for state in states if name in state])
            if len(changes_RX) == len(states) and value.is_floating_point() and changes_RX.any():
                value.add_(_added(changes_RX, weights.to(value.device), by, density))
    return base


def _added(changes_RX: Tensor, weights_R: Tensor, by: str, density: float) -> Tensor:
    if by == "sum":
        return torch.tensordot(weights_R, changes_RX, dims=1)
    peft()
    from peft.utils.merge_utils import ties

    found: Tensor = ties(list(changes_RX), weights_R, density)
    return found


def compose_heads(heads: Sequence[nn.Linear], shares_R: np.ndarray) -> None:
    """Turns the first head into the mean of all.

    Args:
        shares_R: How much each counts; they come to 1.
    """
    with torch.no_grad():
        for own, *others in zip(*(head.parameters() for head in heads), strict=True):
            every = [own, *others]
            own.copy_(sum(float(share) * value for share, value in zip(shares_R, every, strict=True)))
