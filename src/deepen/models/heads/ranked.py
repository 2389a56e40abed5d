"""Two texts, encoded apart: their means, each of length 1, joined. A logit is a cosine times a scale.

No other tool has this head; sentence-transformers reads the folder as a sentence encoder.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from deepen.models.head import Grid, Head, Inputs
from deepen.models.layouts import load_apart, save_sentences
from deepen.models.pooling import of_texts, padded_means

if TYPE_CHECKING:
    from torch import Tensor, nn

    from deepen.models.encoder import Encoder, Layout
    from deepen.models.network import Network

_COSINE_SCALE = 20.0


def _pool(hidden_TD: Tensor, where: Layout, inputs: Inputs) -> Tensor:
    return _of_length_1(of_texts(hidden_TD, where, inputs)).view(-1, 2 * hidden_TD.shape[1])


def _of_length_1(vectors_SD: Tensor) -> Tensor:
    from torch.nn import functional

    return functional.normalize(vectors_SD, dim=1)


def _build(hidden_size: int, num_outputs: int) -> nn.Linear:
    """The identity times the scale of a cosine that is a logit; calibration changes the scale."""
    import torch
    from torch import nn

    layer = nn.Linear(hidden_size, hidden_size)
    with torch.no_grad():
        layer.weight.copy_(_COSINE_SCALE * torch.eye(hidden_size))
        layer.bias.zero_()
    return layer.requires_grad_(False)


def _logits(layer: nn.Linear, features_MF: Tensor) -> Tensor:
    """Of each row's query with the document of each row."""
    queries_MD, documents_MD = features_MF.chunk(2, dim=1)
    return layer(queries_MD) @ documents_MD.T


def _load(head: Head, encoder: Encoder, folder: Path) -> Network:
    network = load_apart(head, encoder, folder)
    network.head.requires_grad_(False)
    return network


HEAD = Head(
    "ranked",
    _pool,
    save_sentences,
    _load,
    states=2,
    sides=2,
    build=_build,
    logits=_logits,
    shares=True,
    bends=False,
    batch_rows=64,  # the other documents of a batch are what a document is told from
    grid=Grid(
        lambda hidden, mask, arrays: _of_length_1(padded_means(hidden, mask)),
        per="text",
        outputs=lambda layer, texts_SD: (layer(texts_SD), texts_SD),
    ),
    has_classes=False,  # its outputs are documents, which another table brings with it
)
