"""Full tuning: every number of the chosen layers may change."""

from __future__ import annotations

from deepen.models.adapters import Attached, Method, MethodSettings
from deepen.models.encoder import Encoder


class TuningSettings(MethodSettings):
    """Nothing more to choose."""


def attach(encoder: Encoder, first_layer: int, settings: TuningSettings) -> Attached:
    """Marks what may change: the layers from `first_layer` on."""
    encoder.requires_grad_(False)
    for layer in encoder.layers[first_layer:]:
        layer.requires_grad_(True)
    return Attached(encoder)


METHOD = Method(__doc__, TuningSettings, attach)
