"""An encoder that can be cut between any two layers and never runs a padded token through a linear layer.

This is the fast path, for the architectures that are listed here; any other one runs in any_encoder.py.

The lower part's output can be cached and the upper part trained on it: that cut is what makes a rung cheap.
Tokens of a batch lie end to end (T of them); only attention looks at them as a padded grid.

Shape legend: B sequences, T tokens of all of them, L the longest, D hidden size, H heads, K size of a head.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from operator import attrgetter
from typing import Any, ClassVar, NamedTuple, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from deepen.core.errors import ModelError
from deepen.models.positions import first_position


class Names(NamedTuple):
    """What an architecture calls its parts and those of one layer; a decoder's inner layer has a `gate`."""

    layers: str
    query: str = ""
    key: str = ""
    value: str = ""
    attended: str = ""
    norm1: str = ""
    up: str = ""
    down: str = ""
    norm2: str = ""
    gate: str = ""
    embeddings: str = "embeddings"
    words: str = "embeddings.word_embeddings"


_BERT = Names(
    layers="encoder.layer",
    query="attention.self.query",
    key="attention.self.key",
    value="attention.self.value",
    attended="attention.output.dense",
    norm1="attention.output.LayerNorm",
    up="intermediate.dense",
    down="output.dense",
    norm2="output.LayerNorm",
)
_DISTILBERT = Names(
    layers="transformer.layer",
    query="attention.q_lin",
    key="attention.k_lin",
    value="attention.v_lin",
    attended="attention.out_lin",
    norm1="sa_layer_norm",
    up="ffn.lin1",
    down="ffn.lin2",
    norm2="output_layer_norm",
)
_LLAMA = Names(
    layers="layers",
    query="self_attn.q_proj",
    key="self_attn.k_proj",
    value="self_attn.v_proj",
    attended="self_attn.o_proj",
    norm1="input_layernorm",
    up="mlp.up_proj",
    down="mlp.down_proj",
    norm2="post_attention_layernorm",
    gate="mlp.gate_proj",
    embeddings="embed_tokens",
    words="embed_tokens",
)
DECODERS = {"llama": _LLAMA, "mistral": _LLAMA}
ARCHITECTURES = {
    "bert": _BERT,
    "electra": _BERT,
    "roberta": _BERT,
    "xlm-roberta": _BERT,
    "camembert": _BERT,
    "distilbert": _DISTILBERT,
    **DECODERS,
}
ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "gelu": functional.gelu,
    "relu": functional.relu,
    "gelu_new": lambda x: functional.gelu(x, approximate="tanh"),
    "silu": functional.silu,
}


@dataclass(frozen=True)
class Layout:
    """Where the tokens of a batch stand: computed once, used by every layer.

    `slots_T` is each token's place in the padded grid, `mask_B11L` what attention may look at; both are None when all
    sequences are equally long. `owners_T` is each token's sequence, `positions_T` its place in it.
    """

    lengths_B: Tensor
    owners_T: Tensor
    positions_T: Tensor
    longest: int
    slots_T: Tensor | None
    mask_B11L: Tensor | None


def layout(lengths_B: Tensor) -> Layout:
    """Works out where the tokens of a batch stand.

    Args:
        lengths_B: Tokens of each sequence, int64, each at least 1.

    Returns:
        The layout, on the same device.
    """
    longest = int(lengths_B.max())
    num_tokens = int(lengths_B.sum())
    starts_B = torch.cumsum(lengths_B, 0) - lengths_B
    owners_T = torch.repeat_interleave(torch.arange(len(lengths_B), device=lengths_B.device), lengths_B)
    positions_T = torch.arange(num_tokens, device=lengths_B.device) - starts_B[owners_T]
    if num_tokens == longest * len(lengths_B):
        return Layout(lengths_B, owners_T, positions_T, longest, None, None)
    mask_BL = torch.arange(longest, device=lengths_B.device)[None, :] < lengths_B[:, None]
    return Layout(
        lengths_B, owners_T, positions_T, longest, owners_T * longest + positions_T, mask_BL[:, None, None, :]
    )


@cache
def _parts(names: Names) -> Callable[[nn.Module], tuple[Any, ...]]:
    """A function that finds the eight parts of a layer: one look-up instead of as many, which a short text notices."""
    return attrgetter(*names[1:9])


def check_ids(ids_T: Tensor, words: nn.Embedding) -> None:
    """Whether a tokenizer gives only tokens that the network knows.

    Args:
        ids_T: Token ids.

    Raises:
        ModelError: If one is above its last row.
    """
    if torch.compiler.is_compiling():  # an export is traced with numbers that are not there yet
        return
    if ids_T.device.type == "cpu" and len(ids_T) and (highest := int(ids_T.max())) >= words.num_embeddings:
        raise ModelError(
            f"the tokenizer gives token {highest}, but the network knows {words.num_embeddings:,}: tokenizer.json and "
            "model.safetensors are not of one model"
        )


class Encoder(nn.Module):
    """A pretrained encoder of a supported architecture, run layer by layer on packed tokens.

    It holds the transformers network, whose modules it calls one by one, so that whatever replaces a linear layer (an
    adapter, a quantised layer) is used. `dropout` is the probability in training; None takes the network's own.
    A layer may hold a `prompt` and a `prefix` (models/prompts.py); then `run` must begin below it or with it.
    """

    packed: ClassVar[bool] = True
    """Whether no padded token is run through a layer."""
    in_peft: bool = True
    """Whether PEFT finds the same layers in the pretrained model."""

    def __init__(self, network: Any) -> None:
        super().__init__()
        self.network: nn.Module = network
        self.config: Any = network.config
        self.names = ARCHITECTURES[self.config.model_type]
        self.dropout: float | None = None
        self.layers: list[nn.Module] = list(network.get_submodule(self.names.layers).children())
        self.num_heads = int(self.config.num_attention_heads)
        self.num_key_heads = int(getattr(self.config, "num_key_value_heads", self.num_heads))
        self.first_position = first_position(vars(self.config) | {"model_type": self.config.model_type})
        activation = getattr(self.config, "hidden_act", None) or self.config.activation
        if activation not in ACTIVATIONS:
            raise ModelError(f"activation '{activation}' is not supported; choose from: {', '.join(ACTIVATIONS)}")
        self.activation = ACTIVATIONS[activation]

    @property
    def device(self) -> torch.device:
        """Where it is."""
        return next(self.network.parameters()).device

    @property
    def hidden_size(self) -> int:
        """D."""
        return int(self.config.hidden_size)

    @property
    def num_layers(self) -> int:
        """How many layers there are."""
        return len(self.layers)

    @property
    def num_positions(self) -> int:
        """The most tokens that a text may have."""
        return int(self.config.max_position_embeddings) - self.first_position

    def _drop(self, x: Tensor) -> Tensor:
        probability = self._probability("hidden_dropout_prob", "dropout") if self.training else 0.0
        return functional.dropout(x, probability) if probability else x

    def _probability(self, name: str, distilbert_name: str) -> float:
        own = getattr(self.config, name, None)
        chosen = self.dropout if self.dropout is not None else own
        return float(chosen if chosen is not None else getattr(self.config, distilbert_name, None) or 0.0)

    def embed(self, ids_T: Tensor, segments_T: Tensor | None, where: Layout) -> Tensor:
        """Token ids to the vectors that the first layer reads.

        Args:
            ids_T: Token ids.
            segments_T: The part of a pair each token belongs to; None: all 0.
        """
        parts: Any = cast(Any, self.network.get_submodule("embeddings"))
        check_ids(ids_T, parts.word_embeddings)
        return self._placed(parts.word_embeddings(ids_T), where.positions_T + self.first_position, segments_T)

    def _placed(self, hidden_TD: Tensor, positions_T: Tensor, segments_T: Tensor | None) -> Tensor:
        """Word vectors with their positions and segments."""
        parts: Any = cast(Any, self.network.get_submodule("embeddings"))
        hidden_TD = hidden_TD + parts.position_embeddings(positions_T)
        types = getattr(parts, "token_type_embeddings", None)
        if types is not None:
            known = segments_T if segments_T is not None and types.num_embeddings > 1 else torch.zeros_like(positions_T)
            hidden_TD = hidden_TD + types(known)
        hidden_TD = self._drop(parts.LayerNorm(hidden_TD))
        project = getattr(self.network, "embeddings_project", None)
        return project(hidden_TD) if project is not None else hidden_TD

    def run(self, hidden_TD: Tensor, where: Layout, start: int, stop: int) -> Tensor:
        """Runs the layers from `start` up to, not with, `stop`.

        Args:
            hidden_TD: The output of layer `start` - 1, or of the embeddings.
            start: The first layer to run, from 0.

        Returns:
            hidden_TD after layer `stop` - 1.
        """
        own_T = None
        for index in range(start, stop):
            prompt = getattr(self.layers[index], "prompt", None)
            if prompt is not None:
                vectors_PD = prompt() if index else self._before_text(prompt())
                hidden_TD, where, own_T = prompt.before(vectors_PD, hidden_TD, where)
            hidden_TD = self._layer(self.layers[index], hidden_TD, where)
        return hidden_TD if own_T is None else hidden_TD.index_select(0, own_T)

    def _before_text(self, words_PD: Tensor) -> Tensor:
        """What the first layer reads of word vectors that stand in the positions before the texts."""
        positions_P = torch.arange(self.first_position - len(words_PD), self.first_position, device=words_PD.device)
        return self._placed(words_PD, positions_P, None)

    def linears(self, layer: nn.Module, part: str) -> list[str]:
        """The paths in a layer of its linear layers of a kind.

        Args:
            layer: One of `layers`.
            part: Of `query`, `key`, `value`, `attended`, `up` (with the gate, where there is one), `down`.
        """
        gate = [self.names.gate] if part == "up" and self.names.gate else []
        return [getattr(self.names, part), *gate]

    def keys_values(self, layer: nn.Module, hidden_TD: Tensor, where: Layout) -> tuple[Tensor, Tensor]:
        """What a layer's attention finds of hidden states.

        Args:
            layer: One of `layers`.

        Returns:
            Keys and values, each with a row a token.
        """
        return layer.get_submodule(self.names.key)(hidden_TD), layer.get_submodule(self.names.value)(hidden_TD)

    def _layer(self, layer: nn.Module, hidden_TD: Tensor, where: Layout) -> Tensor:
        query, key, value, attended, norm1, up, down, norm2 = _parts(self.names)(layer)
        prefix = getattr(layer, "prefix", None)
        mixed_TD = self._attend(query(hidden_TD), key(hidden_TD), value(hidden_TD), where, prefix)
        hidden_TD = norm1(hidden_TD + self._drop(attended(mixed_TD)))
        return cast(Tensor, norm2(hidden_TD + self._drop(down(self.activation(up(hidden_TD))))))

    def _attend(self, query_TD: Tensor, key_TD: Tensor, value_TD: Tensor, where: Layout, prefix: Any) -> Tensor:
        probability = self._probability("attention_probs_dropout_prob", "attention_dropout") if self.training else 0.0
        keys_BHLK, values_BHLK = (self._grid(x_TD, where, self.num_heads) for x_TD in (key_TD, value_TD))
        mask = where.mask_B11L
        if prefix is not None:
            keys_BHLK, values_BHLK, mask = prefix.before(keys_BHLK, values_BHLK, mask)
        mixed_BHLK = functional.scaled_dot_product_attention(
            self._grid(query_TD, where, self.num_heads),
            keys_BHLK,
            values_BHLK,
            attn_mask=mask,
            dropout_p=probability,
        )
        mixed = mixed_BHLK.transpose(1, 2).reshape(-1, query_TD.shape[1])
        return mixed if where.slots_T is None else mixed.index_select(0, where.slots_T)

    def _grid(self, x_TD: Tensor, where: Layout, num_heads: int) -> Tensor:
        num_sequences = where.lengths_B.shape[0]  # not `len`, which a tracer takes for a fixed number
        width = x_TD.shape[1]
        if where.slots_T is not None:
            grid = x_TD.new_zeros(num_sequences * where.longest, width)
            x_TD = grid.index_copy(0, where.slots_T, x_TD)
        return x_TD.view(num_sequences, where.longest, num_heads, width // num_heads).transpose(1, 2)
