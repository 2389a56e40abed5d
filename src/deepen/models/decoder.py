"""A decoder run as `encoder.Encoder` is: cut between any two layers, tokens packed, each seeing only those before it.

Shape legend: T tokens of a batch, D hidden size, L the longest sequence, H heads, K size of a head, V words of the
vocabulary.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from deepen.core.errors import ModelError
from deepen.models.encoder import Encoder, Layout, check_ids
from deepen.models.weights import tensor_named


class Decoder(Encoder):
    """A pretrained decoder of the Llama family: pre-norm, rotated positions, shared keys, a gated inner layer.

    Its last layer's output is normalised, as what the words are scored by is. Attention is causal and padding stands at
    the end, so no token sees any of it and no mask is needed but with a prefix.
    """

    def __init__(self, network: Any) -> None:
        super().__init__(network)
        if getattr(self.config, "use_sliding_window", True) and getattr(self.config, "sliding_window", None):
            raise ModelError(f"{self.config.model_type} with sliding windows is not supported")

    def embed(self, ids_T: Tensor, segments_T: Tensor | None, where: Layout) -> Tensor:
        """Token ids to the vectors that the first layer reads; a decoder knows no parts of a pair."""
        words = cast(nn.Embedding, self.network.get_submodule(self.names.words))
        check_ids(ids_T, words)
        return cast(Tensor, words(ids_T))

    def run(self, hidden_TD: Tensor, where: Layout, start: int, stop: int) -> Tensor:
        """Runs the layers from `start` up to, not with, `stop`; after the last one comes its normalisation."""
        if start == stop:
            return hidden_TD
        own_T, turns = None, self._turns(hidden_TD, where)
        for index in range(start, stop):
            prompt = getattr(self.layers[index], "prompt", None)
            if prompt is not None:
                hidden_TD, where, own_T = prompt.before(prompt(), hidden_TD, where)
                turns = self._turns(hidden_TD, where)
            hidden_TD = self._block(self.layers[index], hidden_TD, where, *turns)
        hidden_TD = hidden_TD if own_T is None else hidden_TD.index_select(0, own_T)
        return self.network.get_submodule("norm")(hidden_TD) if stop == self.num_layers else hidden_TD

    def _turns(self, hidden_TD: Tensor, where: Layout) -> tuple[Tensor, Tensor]:
        """Cosine and sine of the angles of the positions, each of T x 1 x K."""
        turns = self.network.get_submodule("rotary_emb")(hidden_TD, where.positions_T[None] + self.first_position)
        cos_T1K, sin_T1K = (turn[0, :, None] for turn in turns)
        return cos_T1K, sin_T1K

    def keys_values(self, layer: nn.Module, hidden_TD: Tensor, where: Layout) -> tuple[Tensor, Tensor]:
        """What a layer's attention finds of hidden states: keys, turned by their positions, and values."""
        part, names = layer.get_submodule, self.names
        read_TD = part(names.norm1)(hidden_TD)
        turns = self._turns(hidden_TD, where)
        return _turned(part(names.key)(read_TD), self.num_key_heads, *turns), part(names.value)(read_TD)

    def _block(self, layer: nn.Module, hidden_TD: Tensor, where: Layout, cos_T1K: Tensor, sin_T1K: Tensor) -> Tensor:
        part, names = layer.get_submodule, self.names
        read_TD = part(names.norm1)(hidden_TD)
        query_TD = _turned(part(names.query)(read_TD), self.num_heads, cos_T1K, sin_T1K)
        key_TD = _turned(part(names.key)(read_TD), self.num_key_heads, cos_T1K, sin_T1K)
        prefix = getattr(layer, "prefix", None)
        mixed_TD = self._attend(query_TD, key_TD, part(names.value)(read_TD), where, prefix)
        hidden_TD = hidden_TD + self._drop(part(names.attended)(mixed_TD))
        read_TD = part(names.norm2)(hidden_TD)
        inner = self.activation(part(names.gate)(read_TD)) * part(names.up)(read_TD)
        return hidden_TD + self._drop(part(names.down)(inner))

    def _attend(self, query_TD: Tensor, key_TD: Tensor, value_TD: Tensor, where: Layout, prefix: Any) -> Tensor:
        keys_BHLK, values_BHLK = (self._grid(x_TD, where, self.num_key_heads) for x_TD in (key_TD, value_TD))
        mask = None
        if prefix is not None:
            keys_BHLK, values_BHLK, _ = prefix.before(keys_BHLK, values_BHLK, None)
            mask = torch.ones(where.longest, keys_BHLK.shape[2], dtype=torch.bool, device=keys_BHLK.device)
            mask = mask.tril(keys_BHLK.shape[2] - where.longest)
        mixed_BHLK = functional.scaled_dot_product_attention(
            self._grid(query_TD, where, self.num_heads),
            keys_BHLK,
            values_BHLK,
            attn_mask=mask,
            is_causal=mask is None,
            dropout_p=self._probability("attention_probs_dropout_prob", "attention_dropout") if self.training else 0.0,
            enable_gqa=self.num_key_heads < self.num_heads,
        )
        mixed = mixed_BHLK.transpose(1, 2).reshape(-1, query_TD.shape[1])
        return mixed if where.slots_T is None else mixed.index_select(0, where.slots_T)


def _turned(x_TD: Tensor, num_heads: int, cos_T1K: Tensor, sin_T1K: Tensor) -> Tensor:
    """Vectors turned by the angles of their positions."""
    x_THK = x_TD.view(x_TD.shape[0], num_heads, -1)
    low, high = x_THK.chunk(2, dim=-1)
    return (x_THK * cos_T1K + torch.cat([-high, low], dim=-1) * sin_T1K).flatten(1)


def word_vectors(decoder: Encoder, folder: Path) -> Tensor:
    """What a decoder's last state is multiplied by to score the next word.

    Args:
        folder: Its model folder, where a head of its own lies.

    Returns:
        vectors_VD: those that words are read with, if both are the same in this model.

    Raises:
        ModelError: If the folder has no such head, or a damaged one.
    """
    if decoder.config.tie_word_embeddings:
        return cast(nn.Embedding, decoder.network.get_submodule(decoder.names.words)).weight.detach()
    try:
        return tensor_named(folder, "lm_head.weight").float().to(decoder.device)
    except ModelError as error:
        raise ModelError(f"{folder} has no head that scores words, so it can't be asked: {error}") from None
