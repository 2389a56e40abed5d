"""Means of hidden states, as several heads take them.

Shape legend: B sequences, T tokens, R rows, K vectors, D hidden size; of a padded grid S sequences of L tokens.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from deepen.models.head import Inputs

if TYPE_CHECKING:
    from torch import Tensor

    from deepen.models.encoder import Layout


def over_tokens(hidden_TD: Tensor, where: Layout) -> Tensor:
    """The mean of each sequence's tokens, special ones too."""
    if where.slots_T is None:
        return hidden_TD.view(len(where.lengths_B), where.longest, -1).mean(1)
    sums_BD = hidden_TD.new_zeros(len(where.lengths_B), hidden_TD.shape[1])
    return sums_BD.index_add(0, where.owners_T, hidden_TD) / where.lengths_B[:, None]


def over_runs(values_KD: Tensor, counts_R: Tensor) -> Tensor:
    """The mean of each run of so many vectors."""
    import torch

    owners_K = torch.repeat_interleave(torch.arange(len(counts_R), device=counts_R.device), counts_R)
    sums_RD = values_KD.new_zeros(len(counts_R), values_KD.shape[1])
    return sums_RD.index_add(0, owners_K, values_KD) / counts_R[:, None]


def of_texts(hidden_TD: Tensor, where: Layout, inputs: Inputs) -> Tensor:
    """The mean of each text of rows that have two; one that was run once is there for all that have it."""
    means_2D = over_tokens(hidden_TD, where)
    return means_2D if inputs.again_S is None else means_2D.index_select(0, inputs.again_S)


def named(hidden_TD: Tensor, inputs: Inputs) -> Tensor:
    """The states of the tokens that are named."""
    assert inputs.units_M is not None  # noqa: S101 - the task with such a head names them
    return hidden_TD.index_select(0, inputs.units_M)


def at_end(hidden_TD: Tensor, where: Layout, inputs: Inputs, *, last: bool) -> Tensor:
    """The state of each sequence's first or last token; of a row in windows, the mean of theirs."""
    import torch

    ends_B = torch.cumsum(where.lengths_B, 0)
    chosen_BD = hidden_TD.index_select(0, ends_B - 1 if last else ends_B - where.lengths_B)
    return chosen_BD if inputs.windows_R is None else over_runs(chosen_BD, inputs.windows_R)


def padded_means(hidden_SLD: Tensor, mask_SL: Tensor, windows_RS: Tensor | None = None) -> Tensor:
    """The mean over a sequence's tokens in a padded grid, or over those of all windows of a row."""
    mask_SL1 = mask_SL[:, :, None].to(hidden_SLD.dtype)
    sums_SD, counts_S1 = (hidden_SLD * mask_SL1).sum(1), mask_SL1.sum(1)
    return sums_SD / counts_S1 if windows_RS is None else (windows_RS @ sums_SD) / (windows_RS @ counts_S1)


def padded_ends(hidden_SLD: Tensor, mask_SL: Tensor, windows_RS: Tensor | None, *, last: bool) -> Tensor:
    """A sequence's first or last token in a padded grid, or their mean over the windows of a row."""
    if last:
        at_S = mask_SL.sum(1) - 1
        chosen_SD = hidden_SLD.gather(1, at_S[:, None, None].expand(-1, 1, hidden_SLD.shape[2])).squeeze(1)
    else:
        chosen_SD = hidden_SLD[:, 0]
    return chosen_SD if windows_RS is None else (windows_RS @ chosen_SD) / windows_RS.sum(1, keepdim=True)
