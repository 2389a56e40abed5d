"""The two tokens that are named in each row, joined, as the starts of two entities. No other tool has this head.

Source:
    Baldini Soares et al. 2019 (https://arxiv.org/abs/1906.03158, entity start).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from deepen.models.head import Grid, Head, Inputs
from deepen.models.layouts import load_apart, save_apart
from deepen.models.pooling import named

if TYPE_CHECKING:
    from torch import Tensor

    from deepen.models.encoder import Layout


def _pool(hidden_TD: Tensor, where: Layout, inputs: Inputs) -> Tensor:
    return named(hidden_TD, inputs).view(-1, 2 * hidden_TD.shape[1])


def _in_grid(hidden_SLD: Tensor, mask_SL: Tensor, arrays: Mapping[str, Tensor]) -> Tensor:
    named_SD = hidden_SLD.flatten(0, 1).index_select(0, arrays["spans"].flatten())
    return named_SD.view(-1, 2 * hidden_SLD.shape[2])


HEAD = Head("spans", _pool, save_apart, load_apart, states=2, grid=Grid(_in_grid, named=("spans",)))
