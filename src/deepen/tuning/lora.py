"""LoRA: beside each linear layer a product of two thin matrices learns, which is added to it in the end."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from deepen.models.adapters import Attached, Linears, Method, MethodSettings, OnWriter, injected, layer_paths, peft
from deepen.models.encoder import Encoder

Linear = Literal["query", "key", "value", "attended", "up", "down"]


class TuningSettings(MethodSettings):
    """What is put beside which layers."""

    learning_rate: float | None = Field(default=6e-4, gt=0)
    """The highest rate of what learns in the layers; LoRA bears and needs more than whole layers."""
    rank: int = Field(default=16, ge=1)
    """Columns of the thin matrices."""
    alpha: float = Field(default=32.0, gt=0)
    """Their product counts alpha / rank, or alpha / sqrt(rank) with `rslora`."""
    dropout: float = Field(default=0.0, ge=0, lt=1)
    """Dropout before the first of them."""
    on: tuple[Linear, ...] = ("query", "key", "value", "attended", "up", "down")
    """The linear layers that get one."""
    rslora: bool = False
    """Divides by the root of the rank, which keeps high ranks learning (Kalajdzievski 2023, arXiv 2312.03732)."""
    dora: bool = False
    """Learns length and direction of the weights apart (Liu et al. 2024, arXiv 2402.09353); slower."""


def attach(encoder: Encoder, first_layer: int, settings: TuningSettings) -> Attached:
    """Puts LoRA on the layers from `first_layer` on.

    Raises:
        SettingError: If PEFT is not installed.

    Source:
        Hu et al. 2021 (https://arxiv.org/abs/2106.09685), by the library peft.
    """
    from_peft = peft()
    config = from_peft.LoraConfig(
        r=settings.rank,
        lora_alpha=settings.alpha,
        lora_dropout=settings.dropout,
        target_modules=layer_paths(encoder, first_layer, settings.on),
        use_rslora=settings.rslora,
        use_dora=settings.dora,
    )
    return injected(encoder, from_peft.LoraModel, config)[0]


def on_writer(linears: Linears, settings: TuningSettings) -> OnWriter:
    """LoRA for a network that writes."""
    config = peft().LoraConfig(
        r=settings.rank,
        lora_alpha=settings.alpha,
        lora_dropout=settings.dropout,
        target_modules=linears.of(settings.on),
        use_rslora=settings.rslora,
        use_dora=settings.dora,
        task_type=linears.task_type,
    )
    return OnWriter(config)


METHOD = Method(__doc__, TuningSettings, attach, on_writer)
