"""The two tokens that are named in each row, joined, as the starts of two entities. No other tool has this head.

Source:
    Baldini Soares et al. 2019 (https://arxiv.org/abs/1906.03158, entity start).
"""

from __future__ import annotations

from torch import Tensor

from deepen.models.encoder import Layout
from deepen.models.layouts import load_apart, save_apart
from deepen.models.network import Head, Inputs
from deepen.models.pooling import named


def _pool(hidden_TD: Tensor, where: Layout, inputs: Inputs) -> Tensor:
    return named(hidden_TD, inputs).view(-1, 2 * hidden_TD.shape[1])


HEAD = Head("spans", _pool, save_apart, load_apart, states=2)
