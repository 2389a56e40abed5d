"""Which linear layer of a transformer's layer does what, told by where it stands and what it is called.

Attention's are under a module called so; the other ones are the feed-forward part, whose last one leads back.
"""

from __future__ import annotations

import re
from typing import cast

from torch import nn

PARTS = ("query", "key", "value", "attended", "up", "down")
_ATTENTION = re.compile(r"att(ention|n)", re.IGNORECASE)
_FUSED = re.compile(r"qkv|c_attn|query_key_value|in_proj", re.IGNORECASE)
_STARTS = {"query": ("q", "pos_q"), "key": ("k", "pos_"), "value": ("v",)}


def linear_paths(layer: nn.Module, part: str, width: int) -> list[str]:
    """The linear layers of a kind.

    Args:
        part: One of `PARTS`. A layer that makes queries, keys and values at once is each of the three.
        width: The network's hidden size.

    Returns:
        Their paths in the layer, in its order.
    """
    return [path for path, kinds in _kinds(layer, width).items() if part in kinds]


def _kinds(layer: nn.Module, width: int) -> dict[str, tuple[str, ...]]:
    sizes = {path: size for path, module in layer.named_modules() if (size := size_of(module)) is not None}
    others = [path for path in sizes if not _ATTENTION.search(path)]
    found = {path: _in_attention(path.rpartition(".")[2]) for path in sizes if path not in others}
    for path in others:
        inner, outer = sizes[path]
        back = outer == width and (inner != width or path == others[-1])
        found[path] = ("down",) if back else ("up",)
    return found


def size_of(module: nn.Module) -> tuple[int, int] | None:
    """How many numbers a linear layer reads and gives; None of any other module."""
    if isinstance(module, nn.Linear):
        return int(module.in_features), int(module.out_features)
    if type(module).__name__ == "Conv1D":  # GPT-2's linear layer, whose matrix lies the other way round
        inner, outer = cast(nn.Parameter, module.weight).shape
        return int(inner), int(outer)
    return None


def _in_attention(name: str) -> tuple[str, ...]:
    if _FUSED.search(name):
        return ("query", "key", "value")
    return next(((part,) for part, starts in _STARTS.items() if name.lower().startswith(starts)), ("attended",))
