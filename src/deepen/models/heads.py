"""From hidden states to one vector a unit, and from there to logits.

Shape legend: B sequences, T tokens, M units, D hidden size, F features of a unit, C outputs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from deepen.models.split import Encoder, Layout, layout

Pooling = Literal["mean", "cls", "units", "pair", "spans", "ranked"]
_COSINE_SCALE = 20.0


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
    """

    lengths_B: Tensor
    ids_T: Tensor | None = None
    hidden_TD: Tensor | None = None
    segments_T: Tensor | None = None
    units_M: Tensor | None = None
    start: int = 0
    windows_R: Tensor | None = None

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
        )


def pool(
    hidden_TD: Tensor, where: Layout, units_M: Tensor | None, how: Pooling, windows_R: Tensor | None = None
) -> Tensor:
    """One vector for each unit.

    Args:
        hidden_TD: The last layer's output.
        where: The batch's layout.
        units_M: The token of each unit, for `units`.
        how: `mean` over a sequence's tokens (special ones too), `cls` its first token, `units` the tokens named;
            `spans` the two tokens named in each row, joined; `pair` the means u and v of a row's two sequences, as u,
            v, |u - v| and u * v; `ranked` the same means, each of length 1, joined.
        windows_R: How many sequences each row consists of, for `mean` (over the tokens of all) and `cls` (over theirs).

    Returns:
        features_MF, with F = `width_of`; M is the number of rows but for `units`.

    Source:
        Conneau et al. 2017 (https://arxiv.org/abs/1705.02364) for `pair`; Baldini Soares et al. 2019
        (https://arxiv.org/abs/1906.03158, entity start) for `spans`.
    """
    if how in ("units", "spans"):
        assert units_M is not None  # noqa: S101 - the task that pools by units makes them
        named_MD = hidden_TD.index_select(0, units_M)
        return named_MD if how == "units" else named_MD.view(-1, 2 * hidden_TD.shape[1])
    if how == "ranked":
        units_2D = nn.functional.normalize(pool(hidden_TD, where, None, "mean"), dim=1)
        return units_2D.view(-1, 2 * hidden_TD.shape[1])
    if how == "pair":
        means_2D = pool(hidden_TD, where, None, "mean")
        u_MD, v_MD = means_2D[0::2], means_2D[1::2]
        return torch.cat([u_MD, v_MD, (u_MD - v_MD).abs(), u_MD * v_MD], dim=1)
    if how == "cls":
        firsts_BD = hidden_TD.index_select(0, torch.cumsum(where.lengths_B, 0) - where.lengths_B)
        return firsts_BD if windows_R is None else _means(firsts_BD, windows_R)
    if windows_R is not None:
        tokens_B = torch.repeat_interleave(torch.arange(len(windows_R), device=windows_R.device), windows_R)
        tokens_R = torch.zeros_like(windows_R).index_add(0, tokens_B, where.lengths_B)
        return _means(hidden_TD, tokens_R)
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
    """An encoder and a linear head: Inputs to logits_MC."""

    def __init__(self, encoder: Encoder, head: nn.Linear, pooling: Pooling) -> None:
        super().__init__()
        self.encoder = encoder
        self.head = head
        self.pooling = pooling

    def features(self, inputs: Inputs) -> Tensor:
        """The vector of each unit, features_MF."""
        where = layout(inputs.lengths_B)
        hidden_TD = inputs.hidden_TD
        if hidden_TD is None:
            assert inputs.ids_T is not None  # noqa: S101 - Inputs holds one of the two
            hidden_TD = self.encoder.embed(inputs.ids_T, inputs.segments_T, where)
        hidden_TD = self.encoder.run(hidden_TD, where, inputs.start, self.encoder.num_layers)
        return pool(hidden_TD, where, inputs.units_M, self.pooling, inputs.windows_R)

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
