"""Two texts, encoded apart: their means u and v as u, v, |u - v| and u * v.

No other tool has this head; sentence-transformers reads the folder as a sentence encoder.

Source:
    Conneau et al. 2017 (https://arxiv.org/abs/1705.02364).
"""

from __future__ import annotations

import torch
from torch import Tensor

from deepen.models.encoder import Layout
from deepen.models.layouts import load_apart, save_sentences
from deepen.models.network import Head, Inputs
from deepen.models.pooling import of_texts


def _pool(hidden_TD: Tensor, where: Layout, inputs: Inputs) -> Tensor:
    means_2D = of_texts(hidden_TD, where, inputs)
    u_MD, v_MD = means_2D[0::2], means_2D[1::2]
    return torch.cat([u_MD, v_MD, (u_MD - v_MD).abs(), u_MD * v_MD], dim=1)


HEAD = Head("pair", _pool, save_sentences, load_apart, states=4, shares=True)
