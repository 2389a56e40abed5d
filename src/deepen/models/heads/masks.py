"""The masks that are named in a row, transformed as a masked language model does, and joined: a block of rows for each.

No other tool has this head.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from deepen.core.errors import ModelError
from deepen.models.head import Head, Inputs
from deepen.models.layouts import plain_linear, read_apart, save_apart, taken
from deepen.models.pooling import named

if TYPE_CHECKING:
    from torch import Tensor

    from deepen.models.encoder import Encoder, Layout
    from deepen.models.network import Network


def _pool(hidden_TD: Tensor, where: Layout, inputs: Inputs) -> Tensor:
    return named(hidden_TD, inputs).view(len(where.lengths_B), -1)


def _load(head: Head, encoder: Encoder, folder: Path) -> Network:
    from deepen.models.mlm_head import Transform
    from deepen.models.network import Network

    try:
        about, state = read_apart(folder)
        transform = Transform(encoder.config)
        transform.load_state_dict(taken("transform.", state))
        return Network(encoder, plain_linear(state, about["width"]), head, transform).eval()
    except Exception as error:
        raise ModelError(f"{folder / 'head'}: the head can't be read: {error}") from None


HEAD = Head("masks", _pool, partial(save_apart, below="transform."), _load, states=None)
