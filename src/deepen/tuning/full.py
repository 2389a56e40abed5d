"""Full tuning: every number of the chosen layers may change."""

from __future__ import annotations

from typing import cast

from torch import nn

from deepen.models.split import Encoder


def attach(encoder: Encoder, first_layer: int, *, embeddings: bool) -> None:
    """Marks what may change: the layers from `first_layer` on, and the embeddings if asked and all layers are trained.

    Args:
        encoder: Changed in place; everything else needs no gradient afterwards.
        first_layer: The lowest layer that learns.
        embeddings: Whether word vectors learn too.
    """
    encoder.requires_grad_(False)
    for layer in encoder.layers[first_layer:]:
        layer.requires_grad_(True)
    if first_layer == 0 and embeddings:
        encoder.network.get_submodule("embeddings").requires_grad_(True)
        words = cast(nn.Embedding, encoder.network.get_submodule("embeddings.word_embeddings"))
        words.sparse = True  # see training/rows.py
