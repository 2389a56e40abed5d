"""An encoder with a head: from token ids to logits.

Shape legend: B sequences, T tokens, M units, D hidden size, F features of a unit, C outputs.
"""

from __future__ import annotations

from functools import partial
from typing import cast

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from deepen.models.encoder import Encoder, Layout, layout
from deepen.models.head import Head, Inputs

_STRAIGHT = 0.05  # tanh of it is 0.1 % off


class Bent(nn.Linear):
    """The hidden layer of a head, with its tanh."""

    def forward(self, features_MF: Tensor) -> Tensor:
        """Features for the layer above."""
        return super().forward(features_MF).tanh()


class Network(nn.Module):
    """An encoder and a head: Inputs to logits_MC. The head is a linear layer, `head`, with `hidden` below or nothing.

    It is where its encoder is, and so must be what it reads. With `checkpointing` training takes less memory and more
    time.
    """

    def __init__(self, encoder: Encoder, head: nn.Linear, kind: Head, hidden: nn.Module | None = None) -> None:
        super().__init__()
        self.encoder = encoder
        self.head = head
        self.kind = kind
        self.hidden = hidden
        self.checkpointing = False
        self.to(encoder.device)

    @property
    def device(self) -> torch.device:
        """Where it is."""
        return self.head.weight.device

    def bend(self, inputs: Inputs) -> None:
        """Gives a linear head a hidden layer that passes its input on, nearly: where tanh is still straight.

        Args:
            inputs: Some rows; their features say how far that is.
        """
        with torch.no_grad():
            scale = _STRAIGHT / float(self.eval().features(inputs).square().mean().sqrt().clamp(min=1e-6))
            self.hidden = Bent(self.width, self.width).to(self.device)
            self.hidden.weight.copy_(scale * torch.eye(self.width))
            self.hidden.bias.zero_()
            self.head.weight.div_(scale)

    def features(self, inputs: Inputs) -> Tensor:
        """The vector of each unit, features_MF."""
        where = layout(inputs.lengths_B)
        hidden_TD = inputs.hidden_TD
        if hidden_TD is None:
            assert inputs.ids_T is not None  # noqa: S101 - Inputs holds one of the two
            hidden_TD = self.encoder.embed(inputs.ids_T, inputs.segments_T, where)
        hidden_TD = self._run(hidden_TD, where, inputs.start)
        features_MF = self.kind.pool(hidden_TD, where, inputs)
        return features_MF if self.hidden is None else cast(Tensor, self.hidden(features_MF))

    def _run(self, hidden_TD: Tensor, where: Layout, start: int) -> Tensor:
        """All layers from one on; with `checkpointing`, what is within them is computed again when it is needed."""
        end = self.encoder.num_layers
        if not (self.checkpointing and self.training and torch.is_grad_enabled()):
            return self.encoder.run(hidden_TD, where, start, end)
        for index in range(start, end):
            run = partial(self.encoder.run, where=where, start=index, stop=index + 1)
            hidden_TD = checkpoint(run, hidden_TD, use_reentrant=False)
        return hidden_TD

    @property
    def width(self) -> int:
        """F: how many numbers `features` gives a unit."""
        if self.kind.states is None or self.hidden is not None:
            return self.head.in_features
        return self.kind.width(self.encoder.hidden_size)

    def forward(self, inputs: Inputs) -> Tensor:
        """The logits of each unit, logits_MC."""
        return self.kind.logits(self.head, self.features(inputs))


def fresh_network(encoder: Encoder, head: Head, num_outputs: int) -> Network:
    """An encoder with a head that has learned nothing."""
    return Network(encoder, head.build(head.width(encoder.hidden_size) // head.sides, num_outputs), head)
