"""IA3: keys, values and what goes into the second feed-forward layer are stretched, each number by one that learns."""

from __future__ import annotations

from pydantic import Field

from deepen.models.adapters import Attached, Linears, Method, MethodSettings, OnWriter, injected, layer_paths, peft
from deepen.models.encoder import Encoder


class TuningSettings(MethodSettings):
    """How the factors learn."""

    learning_rate: float | None = Field(default=1e-2, gt=0)
    """The highest rate of what learns in the layers: there is little of it, and it has far to go."""


def attach(encoder: Encoder, first_layer: int, settings: TuningSettings) -> Attached:
    """Puts the factors on the layers from `first_layer` on.

    Raises:
        SettingError: If PEFT is not installed.

    Source:
        Liu et al. 2022 (https://arxiv.org/abs/2205.05638), by the library peft.
    """
    from_peft = peft()
    config = from_peft.IA3Config(
        target_modules=layer_paths(encoder, first_layer, ("key", "value", "down")),
        feedforward_modules=layer_paths(encoder, first_layer, ("down",)),
    )
    return injected(encoder, from_peft.IA3Model, config)[0]


def on_writer(linears: Linears, settings: TuningSettings) -> OnWriter:
    """IA3 for a network that writes."""
    on, inner = linears.of(("key", "value", "down")), linears.of(("down",))
    return OnWriter(peft().IA3Config(target_modules=on, feedforward_modules=inner, task_type=linears.task_type))


METHOD = Method(__doc__, TuningSettings, attach, on_writer)
