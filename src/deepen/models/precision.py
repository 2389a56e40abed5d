"""In how many bits the linear layers of a network multiply while it learns; all else stays in float32.

The weights that learn, their gradients, what the optimizer keeps, heads and losses are float32, and so is every answer:
what a run says of its rows is what the saved model says.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Literal

import torch
from torch import Tensor, nn

Precision = Literal["float32", "bfloat16", "float16"]


@contextmanager
def multiplying_in(precision: Precision, encoder: nn.Module) -> Iterator[None]:
    """Lets an encoder's linear layers multiply in a precision while they are in training mode.

    `torch.autocast` around each of them and not around the whole: attention's backward pass in bfloat16 is several
    times slower than in float32 on a CPU, which takes all that the products gain (docs/decisions/0042).
    """
    layers = [module for module in encoder.modules() if isinstance(module, nn.Linear)] if precision != "float32" else []
    for layer in layers:
        vars(layer)["forward"] = _lower(layer.forward, layer, getattr(torch, precision))
    try:
        yield
    finally:
        for layer in layers:
            vars(layer).pop("forward", None)


def _lower(plain: Callable[[Tensor], Tensor], layer: nn.Linear, dtype: torch.dtype) -> Callable[[Tensor], Tensor]:
    def forward(x: Tensor) -> Tensor:
        with torch.autocast(x.device.type, dtype=dtype, enabled=layer.training):
            return plain(x).float()

    return forward


def candidate(device: torch.device) -> Precision:
    """The precision below float32 that suits a device: float16 for CUDA cards without bfloat16, else bfloat16."""
    old = device.type == "cuda" and not torch.cuda.is_bf16_supported(including_emulation=False)
    return "float16" if old else "bfloat16"
