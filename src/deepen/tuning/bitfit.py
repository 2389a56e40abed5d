"""BitFit: only the biases of the chosen layers change, those of their normalisation too."""

from __future__ import annotations

from pydantic import Field

from deepen.core.errors import SettingError
from deepen.models.adapters import Attached, Method, MethodSettings
from deepen.models.encoder import Encoder


class TuningSettings(MethodSettings):
    """How biases learn."""

    learning_rate: float | None = Field(default=2e-3, gt=0)
    """The highest rate of what learns in the layers; biases bear and need more than whole layers."""


def attach(encoder: Encoder, first_layer: int, settings: TuningSettings) -> Attached:
    """Marks the biases of the layers from `first_layer` on.

    Raises:
        SettingError: If there is no bias, as in most decoders.

    Source:
        Ben Zaken et al. 2022 (https://arxiv.org/abs/2106.10199).
    """
    encoder.requires_grad_(False)
    for layer in encoder.layers[first_layer:]:
        for name, parameter in layer.named_parameters():
            parameter.requires_grad_(name.endswith("bias"))
    if not any(parameter.requires_grad for parameter in encoder.parameters()):
        raise SettingError("--tuning bitfit: the layers of this model have no biases; take lora, ia3 or adapter")
    return Attached(encoder)


METHOD = Method(__doc__, TuningSettings, attach)
