"""The processes that share one training: each takes a part of every batch, and all hold the same parameters.

Gradients are summed over the processes after the backward passes, whatever the step did in its forward pass, so no
wrapper stands around the model. One process needs none of it, and then nothing here does anything.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeVar

import numpy as np
import torch
from torch import nn

T = TypeVar("T")


class Team:
    """The processes of an accelerator, as the loop needs them."""

    def __init__(self, accelerator: Any, arrays: Mapping[str, np.ndarray]) -> None:
        self.accelerator, self.arrays = accelerator, arrays
        self.size, self.rank = int(accelerator.num_processes), int(accelerator.process_index)
        self._merged = {name: array.copy() for name, array in arrays.items()} if self.size > 1 else {}

    def mine(self, micros: Sequence[T]) -> Sequence[T]:
        """The micro-batches of a batch that this process runs; none if there are fewer than processes."""
        return micros[self.rank :: self.size]

    def sum_gradients(self, parameters: Iterable[nn.Parameter]) -> None:
        """Gives every process the sum of all gradients; the loss was divided by the count of the whole batch."""
        if self.size == 1:
            return
        trained = list(parameters)
        grads = [torch.zeros_like(p) if p.grad is None else p.grad for p in trained]
        used = torch.tensor([float(p.grad is not None) for p in trained], device=self.accelerator.device)
        used = self.accelerator.reduce(used, "sum").tolist()
        flat = self.accelerator.reduce(torch.cat([grad.reshape(-1) for grad in grads]), "sum")
        for parameter, part, times in zip(trained, flat.split([p.numel() for p in trained]), used, strict=True):
            parameter.grad = part.view_as(parameter).clone() if times else None

    def agree(self, value: T) -> T:
        """What the first process says: clocks and roundings differ, decisions may not."""
        if self.size == 1:
            return value
        from accelerate.utils import broadcast_object_list

        said = [value]
        broadcast_object_list(said)
        return said[0]

    def merge(self) -> None:
        """Gives every process what the others wrote into the arrays since the last time, each entry by one of them."""
        if self.size == 1:
            return
        for name, array in self.arrays.items():
            kept = self._merged[name]
            new = (array != kept) & ~(np.isnan(array) & np.isnan(kept))
            both = np.stack([np.where(new, array, 0.0), new.astype(array.dtype)])
            values, counts = (
                self.accelerator.reduce(torch.from_numpy(both).to(self.accelerator.device), "sum").cpu().numpy()
            )
            array[...] = np.where(counts > 0, values / np.maximum(counts, 1), kept)
            self._merged[name] = array.copy()
