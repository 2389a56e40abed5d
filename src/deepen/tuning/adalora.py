"""AdaLoRA: LoRA as a singular value decomposition whose least useful values are cut while it learns."""

from __future__ import annotations

from functools import partial
from typing import Any

import torch
from pydantic import Field
from torch import Tensor

from deepen.models.adapters import Attached, Linears, Method, MethodSettings, OnWriter, injected, layer_paths, peft
from deepen.models.encoder import Encoder

_BEFORE, _AFTER, _TIMES = 0.1, 0.3, 100


class TuningSettings(MethodSettings):
    """How many values there are, at first and in the end."""

    learning_rate: float | None = Field(default=4e-3, gt=0)
    """The highest rate of what learns in the layers."""
    first_rank: int = Field(default=12, ge=1)
    """Singular values of each linear layer at first."""
    rank: int = Field(default=8, ge=1)
    """Their mean number in the end: some layers keep more, some none."""
    alpha: float = Field(default=16.0, gt=0)
    """The product counts alpha / rank."""
    orthogonal: float = Field(default=0.1, ge=0)
    """How much the singular vectors are held at right angles: what that adds to the loss."""


def attach(encoder: Encoder, first_layer: int, settings: TuningSettings) -> Attached:
    """Puts AdaLoRA on the layers from `first_layer` on.

    Ranks are cut from a tenth of the updates on, some hundred times, and the last three tenths learn with what is left.

    Raises:
        SettingError: If PEFT is not installed.

    Source:
        Zhang et al. 2023 (https://arxiv.org/abs/2303.10512), by the library peft.
    """
    from_peft = peft()
    config = from_peft.AdaLoraConfig(
        init_r=max(settings.first_rank, settings.rank),
        target_r=settings.rank,
        lora_alpha=settings.alpha,
        total_step=1 << 30,  # put right by the first update, which knows how many there will be
        target_modules=layer_paths(encoder, first_layer, ("query", "key", "value", "attended", "up", "down")),
    )
    attached, tuner = injected(encoder, from_peft.AdaLoraModel, config)
    attached.penalty = partial(_penalty, encoder, settings.orthogonal)
    if config.init_r > config.target_r:
        attached.after_update = partial(_after_update, tuner, config)
    told = attached.config
    attached.config = lambda: (told() or {}) | {"rank_pattern": {}}  # what was cut is there, as zeros
    return attached


def _penalty(encoder: Encoder, weight: float) -> Tensor:
    """How far the singular vectors are from right angles, on average over the matrices."""
    parts = []
    for name, matrix in encoder.network.named_parameters():
        if "lora_A" in name or "lora_B" in name:
            products = matrix @ matrix.T if "lora_A" in name else matrix.T @ matrix
            parts.append(torch.linalg.matrix_norm(products - torch.eye(len(products), device=matrix.device)))
    return weight * torch.stack(parts).mean()


def _after_update(tuner: Any, config: Any, step: int, num_steps: int) -> None:
    """Cuts ranks; after an interruption too, of which PEFT knows nothing."""
    if config.total_step != num_steps:
        config.total_step, config.tinit, config.tfinal = num_steps, int(_BEFORE * num_steps), int(_AFTER * num_steps)
        config.deltaT = max(1, num_steps // _TIMES)
    network, late = tuner.model, step > num_steps - config.tfinal
    if late and not config.rank_pattern:
        values = {name: p for name, p in network.named_parameters() if "lora_E" in name}
        config.rank_pattern = {name: (value != 0).flatten().tolist() for name, value in values.items()}
    if not late and not tuner.rankallocator.ipt:
        tuner.rankallocator.update_ipt(network)
    tuner.update_and_allocate(step)


def on_writer(linears: Linears, settings: TuningSettings) -> OnWriter:
    """AdaLoRA for a network that writes; there the singular vectors are not held at right angles."""
    config = peft().AdaLoraConfig(
        init_r=max(settings.first_rank, settings.rank),
        target_r=settings.rank,
        lora_alpha=settings.alpha,
        total_step=1 << 30,
        target_modules=linears.of(("query", "key", "value", "attended", "up", "down")),
        task_type=linears.task_type,
    )
    return OnWriter(config, _after_update if config.init_r > config.target_r else None)


METHOD = Method(__doc__, TuningSettings, attach, on_writer)
