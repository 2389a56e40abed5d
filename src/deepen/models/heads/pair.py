"""Two texts, encoded apart: their means u and v as u, v, |u - v| and u * v.

No other tool has this head; sentence-transformers reads the folder as a sentence encoder.

Source:
    Conneau et al. 2017 (https://arxiv.org/abs/1705.02364).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from deepen.models.head import Grid, Head, Inputs
from deepen.models.layouts import load_apart, save_sentences
from deepen.models.pooling import of_texts, padded_means

if TYPE_CHECKING:
    from torch import Tensor

    from deepen.models.encoder import Layout


def _pool(hidden_TD: Tensor, where: Layout, inputs: Inputs) -> Tensor:
    means_2D = of_texts(hidden_TD, where, inputs)
    return _joined(means_2D[0::2], means_2D[1::2])


def _joined(u_MD: Tensor, v_MD: Tensor) -> Tensor:
    import torch

    return torch.cat([u_MD, v_MD, (u_MD - v_MD).abs(), u_MD * v_MD], dim=1)


def _in_grid(hidden_SLD: Tensor, mask_SL: Tensor, arrays: Mapping[str, Tensor]) -> Tensor:
    means_SD = padded_means(hidden_SLD, mask_SL)
    return _joined(*(means_SD.index_select(0, arrays["pairs"][:, side]) for side in (0, 1)))


HEAD = Head("pair", _pool, save_sentences, load_apart, states=4, shares=True, grid=Grid(_in_grid, named=("pairs",)))
