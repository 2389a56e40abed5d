"""A device that is not the CPU, for machines without one: its tensors hold numbers, and no others may meet them.

A tensor on it calls itself one of `meta`. What mixes it with a tensor of the CPU fails, as it would with a real card;
only a single number may come along, as there. So may `copy_`, and `to` either way.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode, _disable_current_modes
from torch.utils._pytree import tree_flatten, tree_map

CARD = torch.device("meta")
_CROSSING = {torch.ops.aten.copy_.default, torch.ops.aten._to_copy.default, torch.ops.aten.to.device}


class OnCard(torch.Tensor):
    """A tensor of the card."""

    held: torch.Tensor

    @staticmethod
    def __new__(cls, held: torch.Tensor) -> OnCard:
        made: OnCard = torch.Tensor._make_wrapper_subclass(  # type: ignore[attr-defined]
            cls, held.size(), strides=held.stride(), dtype=held.dtype, device=CARD, requires_grad=held.requires_grad
        )
        made.held = held
        return made

    def __repr__(self, **given: Any) -> str:
        return f"OnCard({self.held!r})"

    def tolist(self) -> Any:
        """As a card's tensor does, by way of the CPU."""
        return self.held.tolist()

    @classmethod
    def __torch_dispatch__(cls, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return _run(function, args, kwargs or {})


class Card(TorchDispatchMode):
    """While it lasts, `.to(CARD)` and `device=CARD` work. `ran` counts what the card was asked to do."""

    def __init__(self) -> None:
        super().__init__()
        self.ran: Counter[str] = Counter()

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if any(isinstance(one, OnCard) or _is_card(one) for one in tree_flatten((args, kwargs))[0]):
            self.ran[str(function)] += 1
            return _run(function, args, kwargs)
        return function(*args, **kwargs)


def apart(function: Any) -> Any:
    """A function that runs as if there were no card: transformers reads a model by way of `meta` itself."""

    def run(*args: Any, **kwargs: Any) -> Any:
        with _disable_current_modes():
            return function(*args, **kwargs)

    return run


def _is_card(given: Any) -> bool:
    return isinstance(given, torch.device) and given.type == CARD.type


def _off_card(given: Any) -> Any:
    """What stands for something of the card on the CPU."""
    return given.held if isinstance(given, OnCard) else torch.device("cpu") if _is_card(given) else given


def _run(function: Any, args: Any, kwargs: dict[str, Any]) -> Any:
    if function is torch.ops.aten._has_compatible_shallow_copy_type.default:
        return False
    given = tree_flatten((args, kwargs))[0]
    tensors = [one for one in given if isinstance(one, torch.Tensor)]
    strangers = [one for one in tensors if not isinstance(one, OnCard) and one.ndim]
    ours = [one for one in tensors if isinstance(one, OnCard)]
    if ours and strangers and function not in _CROSSING:
        shapes = [tuple(one.shape) for one in strangers]
        raise RuntimeError(f"{function}: tensors of the CPU ({shapes}) meet some of the card")
    asked = [one for one in given if isinstance(one, torch.device)]
    there = any(map(_is_card, asked)) if asked else bool(ours)
    if function is torch.ops.aten.copy_.default:
        there = isinstance(args[0], OnCard)
    plain = tree_map(_off_card, (args, kwargs))
    found = function(*plain[0], **plain[1])
    if function._schema.is_mutable and ours and isinstance(args[0], torch.Tensor):
        return args[0] if isinstance(found, torch.Tensor) else found
    return tree_map(lambda one: OnCard(one) if there and isinstance(one, torch.Tensor) else one, found)
