"""Bottleneck adapters: behind a linear layer of each block, a small network whose output is added to what comes out."""

from __future__ import annotations

from typing import Literal

from pydantic import Field
from torch import nn

from deepen.models.adapters import Attached, Beside, Method, MethodSettings
from deepen.models.encoder import Encoder

_PLACES = {"pfeiffer": ("down",), "houlsby": ("attended", "down")}


class TuningSettings(MethodSettings):
    """How wide the small networks are, and where they stand."""

    learning_rate: float | None = Field(default=2e-3, gt=0)
    """The highest rate of what learns in the layers."""
    size: int = Field(default=64, ge=1)
    """Numbers in the middle of a small network."""
    place: Literal["pfeiffer", "houlsby"] = "pfeiffer"
    """Behind the feed-forward part of a block, or behind its attention too."""


def attach(encoder: Encoder, first_layer: int, settings: TuningSettings) -> Attached:
    """Puts adapters into the layers from `first_layer` on. They can't be folded into the weights: tanh is between.

    Source:
        Houlsby et al. 2019 (https://arxiv.org/abs/1902.00751); Pfeiffer et al. 2021 (https://arxiv.org/abs/2005.00247).
    """
    encoder.requires_grad_(False)
    for layer in encoder.layers[first_layer:]:
        for place in _PLACES[settings.place]:
            for found in encoder.linears(layer, place):
                path, _, name = found.rpartition(".")
                parent = layer.get_submodule(path)
                up = nn.Linear(settings.size, encoder.hidden_size)
                nn.init.zeros_(up.weight)
                nn.init.zeros_(up.bias)
                small = nn.Sequential(nn.Linear(encoder.hidden_size, settings.size), nn.Tanh(), up)
                setattr(parent, name, Beside(getattr(parent, name), small))
    return Attached(encoder, kept=True)


METHOD = Method(__doc__, TuningSettings, attach)
