"""From hidden states to one vector a unit, and from there to logits.

Shape legend: B sequences, T tokens, M units, D hidden size, F features of a unit, C outputs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from deepen.models.encoder import Encoder, Layout, layout

Pooling = Literal["mean", "cls", "last", "units", "pair", "spans", "ranked", "masks"]
_COSINE_SCALE = 20.0
_STRAIGHT = 0.05  # tanh of it is 0.1 % off


def width_of(pooling: Pooling, hidden_size: int) -> int:
    """F: how many numbers a unit's vector has when states of D numbers are pooled so."""
    return {"pair": 4, "spans": 2, "ranked": 2}.get(pooling, 1) * hidden_size


def ranked_head(hidden_size: int) -> nn.Linear:
    """The head of `ranked`: the identity times the scale of a cosine that is a logit; calibration changes the scale."""
    head = nn.Linear(hidden_size, hidden_size)
    with torch.no_grad():
        head.weight.copy_(_COSINE_SCALE * torch.eye(hidden_size))
        head.bias.zero_()
    return head.requires_grad_(False)


@dataclass(frozen=True)
class Inputs:
    """What the network reads: token ids, or the hidden states below the layer it starts from.

    Attributes:
        lengths_B: Tokens of each sequence.
        ids_T: Token ids; None when `hidden_TD` is given.
        hidden_TD: The output of layer `start` - 1, from a cache.
        segments_T: The part of a pair each token belongs to.
        units_M: The token of each unit, counted from the batch's first token; None where the example is the unit.
        start: The first layer to run.
        windows_R: How many sequences each row consists of, one after the other; None: one each.
        again_S: For `pair` and `ranked`, which of the sequences is the next of the rows' texts: one that is there more
            than once is run once. None: all are there.
    """

    lengths_B: Tensor
    ids_T: Tensor | None = None
    hidden_TD: Tensor | None = None
    segments_T: Tensor | None = None
    units_M: Tensor | None = None
    start: int = 0
    windows_R: Tensor | None = None
    again_S: Tensor | None = None

    def to(self, device: torch.device) -> Inputs:
        """The same on another device."""
        move = lambda x: None if x is None else x.to(device)  # noqa: E731
        return Inputs(
            self.lengths_B.to(device),
            move(self.ids_T),
            move(self.hidden_TD),
            move(self.segments_T),
            move(self.units_M),
            self.start,
            move(self.windows_R),
            move(self.again_S),
        )


def pool(hidden_TD: Tensor, where: Layout, inputs: Inputs, how: Pooling) -> Tensor:
    """One vector for each unit.

    Args:
        hidden_TD: The last layer's output.
        where: The batch's layout.
        inputs: What the network read: where units stand, and which sequences belong together.
        how: `mean` over a sequence's tokens (special ones too), `cls` its first token, `last` its last one, which
            is all that a decoder has read the whole of; `units` the tokens named;
            `spans` the two tokens named in each row, joined; `masks` all that are named in a row, joined; `pair` the
            means u and v of a row's two sequences, as u, v, |u - v| and u * v; `ranked` the same means, each of length
            1, joined. Of a row in windows, `mean` is over the tokens of all, `cls` and `last` over the one of each.

    Returns:
        features_MF, with F = `width_of` but for `masks`; M is the number of rows but for `units`.

    Source:
        Conneau et al. 2017 (https://arxiv.org/abs/1705.02364) for `pair`; Baldini Soares et al. 2019
        (https://arxiv.org/abs/1906.03158, entity start) for `spans`.
    """
    windows_R = inputs.windows_R
    if how in ("units", "spans", "masks"):
        assert inputs.units_M is not None  # noqa: S101 - the task that pools by units makes them
        named_MD = hidden_TD.index_select(0, inputs.units_M)
        if how == "masks":
            return named_MD.view(len(where.lengths_B), -1)
        return named_MD if how == "units" else named_MD.view(-1, 2 * hidden_TD.shape[1])
    if how in ("pair", "ranked"):
        means_2D = _over_tokens(hidden_TD, where)
        means_2D = means_2D if inputs.again_S is None else means_2D.index_select(0, inputs.again_S)
        if how == "ranked":
            return nn.functional.normalize(means_2D, dim=1).view(-1, 2 * hidden_TD.shape[1])
        u_MD, v_MD = means_2D[0::2], means_2D[1::2]
        return torch.cat([u_MD, v_MD, (u_MD - v_MD).abs(), u_MD * v_MD], dim=1)
    if how in ("cls", "last"):
        ends_B = torch.cumsum(where.lengths_B, 0)
        chosen_BD = hidden_TD.index_select(0, ends_B - 1 if how == "last" else ends_B - where.lengths_B)
        return chosen_BD if windows_R is None else _means(chosen_BD, windows_R)
    if windows_R is not None:
        tokens_B = torch.repeat_interleave(torch.arange(len(windows_R), device=windows_R.device), windows_R)
        tokens_R = torch.zeros_like(windows_R).index_add(0, tokens_B, where.lengths_B)
        return _means(hidden_TD, tokens_R)
    return _over_tokens(hidden_TD, where)


def _over_tokens(hidden_TD: Tensor, where: Layout) -> Tensor:
    """The mean of each sequence's tokens."""
    if where.slots_T is None:
        return hidden_TD.view(len(where.lengths_B), where.longest, -1).mean(1)
    sums_BD = hidden_TD.new_zeros(len(where.lengths_B), hidden_TD.shape[1])
    return sums_BD.index_add(0, where.owners_T, hidden_TD) / where.lengths_B[:, None]


def _means(values_KD: Tensor, counts_R: Tensor) -> Tensor:
    """The mean of each run of so many vectors."""
    owners_K = torch.repeat_interleave(torch.arange(len(counts_R), device=counts_R.device), counts_R)
    sums_RD = values_KD.new_zeros(len(counts_R), values_KD.shape[1])
    return sums_RD.index_add(0, owners_K, values_KD) / counts_R[:, None]


class Network(nn.Module):
    """An encoder and a head: Inputs to logits_MC. The head is linear, or `hidden`, tanh and `head`.

    It is where its encoder is, and so must be what it reads.
    """

    def __init__(self, encoder: Encoder, head: nn.Linear, pooling: Pooling, hidden: nn.Linear | None = None) -> None:
        super().__init__()
        self.encoder = encoder
        self.head = head
        self.pooling = pooling
        self.hidden = hidden
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
            self.hidden = nn.Linear(self.width, self.width).to(self.device)
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
        hidden_TD = self.encoder.run(hidden_TD, where, inputs.start, self.encoder.num_layers)
        features_MF = pool(hidden_TD, where, inputs, self.pooling)
        return features_MF if self.hidden is None else self.hidden(features_MF).tanh()

    @property
    def width(self) -> int:
        """F: how many numbers `features` gives a unit."""
        return width_of(self.pooling, self.encoder.hidden_size)

    def forward(self, inputs: Inputs) -> Tensor:
        """The logits of each unit, logits_MC; of `ranked`, of each row's query with the document of each row."""
        features_MF = self.features(inputs)
        if self.pooling != "ranked":
            return self.head(features_MF)
        queries_MD, documents_MD = features_MF.chunk(2, dim=1)
        return self.head(queries_MD) @ documents_MD.T
