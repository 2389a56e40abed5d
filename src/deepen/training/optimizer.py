"""The optimizers, and the learning-rate schedules."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any, Literal

import torch
from torch import nn

from deepen.core.settings import Settings

Schedule = Literal["linear", "cosine", "constant", "plateau"]


class OptimizerSettings(Settings):
    """How parameters move."""

    optimizer: Literal["adamw", "adafactor", "sgd"] = "adamw"
    """`adafactor` keeps a row and a column of second moments in place of a matrix, and steps in proportion to the
    weights. `sgd` has momentum 0.9, and weight decay as a part of the gradient. Both want a `learning_rate` of their
    own, far above that of `adamw`."""
    head_learning_rate: float | None = None
    """The head's own rate; None is the same rate: the head starts solved, so it needs no more."""
    layer_decay: float = 1.0
    """Each layer further down learns at this times the rate of the one above; 1 is the same for all."""
    weight_decay: float = 0.01
    """Decoupled (AdamW), per unit of learning rate; never on biases and norms."""
    betas: tuple[float, float] = (0.9, 0.98)
    """Memory of the first and second moment. 0.98 forgets the warm-up sooner than 0.999 in a few hundred steps."""
    schedule: Schedule = "linear"
    """What follows the warm-up: linear or cosine to 0, constant, or plateau (half when validation stops improving)."""
    warmup_share: float = 0.1
    """The share of all steps in which the rate rises from 0."""
    max_grad_norm: float = 1.0
    """Gradients are scaled down to this norm; 0 switches it off."""


def parameter_groups(
    module: nn.Module, depth_of: dict[int, int], settings: OptimizerSettings, head: nn.Module, highest: float
) -> list[dict[str, Any]]:
    """Sorts trainable parameters by rate and decay into groups for torch, each with `peak`, its highest rate.

    `depth_of` is from `id(parameter)` to how many layers below the top it lies, missing is 0; `highest` is the highest
    rate of what is not in the head.
    """
    in_head = {id(p) for p in head.parameters()}
    groups: dict[tuple[float, float], list[nn.Parameter]] = {}
    for parameter in module.parameters():
        if not parameter.requires_grad:
            continue
        rate = highest * settings.layer_decay ** depth_of.get(id(parameter), 0)
        if id(parameter) in in_head and settings.head_learning_rate is not None:
            rate = settings.head_learning_rate
        decay = settings.weight_decay if parameter.ndim > 1 else 0.0
        groups.setdefault((rate, decay), []).append(parameter)
    return [
        {"params": parameters, "lr": rate, "peak": rate, "weight_decay": decay}
        for (rate, decay), parameters in groups.items()
    ]


def make_optimizer(groups: list[dict[str, Any]], settings: OptimizerSettings) -> torch.optim.Optimizer:
    """torch's own optimizer over these groups."""
    if settings.optimizer == "adafactor":
        return torch.optim.Adafactor(groups)
    if settings.optimizer == "sgd":
        return torch.optim.SGD(groups, momentum=0.9, fused=True)
    return torch.optim.AdamW(groups, betas=settings.betas, eps=1e-8, fused=True)


def rate_factor(step: int, num_steps: int, settings: OptimizerSettings) -> float:
    """The share of the highest rate, in (0, 1], at a step, from 0; `plateau` is the loop's, which sees validation.

    Example:
        >>> rate_factor(5, 10, OptimizerSettings(warmup_share=0, schedule="linear"))
        0.5
    """
    warmup = round(num_steps * settings.warmup_share)
    if step < warmup:
        return (step + 1) / warmup
    done = (step - warmup) / max(1, num_steps - warmup)
    if settings.schedule == "linear":
        return max(1.0 - done, 1e-3)
    if settings.schedule == "cosine":
        return max(0.5 * (1 + math.cos(math.pi * done)), 1e-3)
    return 1.0


def clip(parameters: Iterable[nn.Parameter], max_norm: float) -> None:
    """Scales all gradients down so that their common norm is at most `max_norm`; 0 does nothing."""
    if max_norm <= 0:
        return
    grads = [parameter.grad for parameter in parameters if parameter.grad is not None]
    torch._foreach_mul_(grads, (max_norm / (torch.nn.utils.get_total_norm(grads) + 1e-6)).clamp_max(1.0))
