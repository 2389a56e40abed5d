"""The mean of a text's tokens, special ones too; `SentenceTransformer(folder).encode(text)` gives the logits."""

from __future__ import annotations

from typing import TYPE_CHECKING

from deepen.models.head import Grid, Head, Inputs
from deepen.models.layouts import load_dense, save_dense
from deepen.models.pooling import over_runs, over_tokens, padded_means

if TYPE_CHECKING:
    from torch import Tensor

    from deepen.models.encoder import Layout


def _pool(hidden_TD: Tensor, where: Layout, inputs: Inputs) -> Tensor:
    """Of a row in windows, the mean is over the tokens of all."""
    import torch

    windows_R = inputs.windows_R
    if windows_R is None:
        return over_tokens(hidden_TD, where)
    tokens_B = torch.repeat_interleave(torch.arange(len(windows_R), device=windows_R.device), windows_R)
    return over_runs(hidden_TD, torch.zeros_like(windows_R).index_add(0, tokens_B, where.lengths_B))


HEAD = Head(
    "mean",
    _pool,
    save_dense,
    load_dense,
    is_row=True,
    grid=Grid(lambda hidden, mask, arrays: padded_means(hidden, mask, arrays.get("windows"))),
)
