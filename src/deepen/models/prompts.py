"""Learned vectors that texts are read with: a prompt stands before each sequence, a prefix can be attended to.

An encoder (models/encoder.py) takes them from its layers, where they lie under the names `prompt` and `prefix`. With
all layers they are what PEFT calls PROMPT_TUNING and PREFIX_TUNING: a prompt is made of word vectors, and texts move
back by as many positions as there are vectors.

Shape legend: B sequences, T tokens of all of them, L the longest, D hidden size, H heads, K size of a head, P vectors.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, cast

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from deepen.core.errors import SettingError
from deepen.models.adapters import Attached, Extra, MethodSettings
from deepen.models.encoder import Encoder, Layout, layout

_USUAL = (2000, 3000)  # where vocabularies, which are sorted by use, have words that stand in most texts
PACKED = "prompt_embeddings"  # PEFT's name of all of it


class VectorSettings(MethodSettings):
    """How many learned vectors there are."""

    earlier: ClassVar = {"num_vectors": "num_virtual_tokens"}
    learning_rate: float | None = Field(default=3e-3, gt=0)
    """The highest rate of what learns in the layers."""
    num_virtual_tokens: int = Field(default=10, ge=1)
    """Vectors before each text; of a prefix, keys and values of each layer."""

    @property
    def positions(self) -> int:
        """With all layers texts stand behind them, as in PEFT."""
        return self.num_virtual_tokens


class Prompt(Extra):
    """Vectors that go before each sequence, from the layer on that it lies in; a small network may be put on them."""

    def __init__(self, vectors_PD: Tensor, net: nn.Module | None = None) -> None:
        super().__init__()
        self.vectors = nn.Parameter(vectors_PD)
        self.net = net

    def forward(self) -> Tensor:
        """The vectors, vectors_PD."""
        return self.vectors if self.net is None else cast(Tensor, self.vectors + self.net(self.vectors))

    def fold(self) -> None:
        """Leaves the vectors that the network made of them, and no network."""
        if self.net is not None:
            self.vectors, self.net = nn.Parameter(self().detach().clone()), None

    @staticmethod
    def before(vectors_PD: Tensor, hidden_TD: Tensor, where: Layout) -> tuple[Tensor, Layout, Tensor]:
        """Puts vectors before each sequence of a batch."""
        number = len(vectors_PD)
        longer = layout(where.lengths_B + number)
        shifts_T = number * (longer.owners_T + 1)
        places_T = torch.arange(len(shifts_T), device=shifts_T.device)
        taken_T = torch.where(longer.positions_T < number, longer.positions_T, places_T - shifts_T + number)
        own_T = places_T[: len(hidden_TD)] + number * (where.owners_T + 1)
        return torch.cat([vectors_PD, hidden_TD]).index_select(0, taken_T), longer, own_T


class Prefix(Extra):
    """Keys and values of one layer that every token may attend to, beside those of its own sequence."""

    def __init__(self, keys_PD: Tensor, values_PD: Tensor) -> None:
        super().__init__()
        self.keys = nn.Parameter(keys_PD)
        self.values = nn.Parameter(values_PD)

    def before(
        self, keys_BHLK: Tensor, values_BHLK: Tensor, mask_B11L: Tensor | None
    ) -> tuple[Tensor, Tensor, Tensor | None]:
        """Puts the prefix before what the sequences of a batch attend to.

        Args:
            mask_B11L: What may be attended to; None for all.

        Returns:
            Keys, values and mask, longer by the prefix.
        """
        number, (num_sequences, heads, _, size) = len(self.keys), keys_BHLK.shape
        keys, values = (
            x_PD.view(number, heads, size).transpose(0, 1).expand(num_sequences, -1, -1, -1)
            for x_PD in (self.keys, self.values)
        )
        mask = None if mask_B11L is None else functional.pad(mask_B11L, (number, 0), value=True)
        return torch.cat([keys, keys_BHLK], 2), torch.cat([values, values_BHLK], 2), mask


def usual_words(encoder: Encoder, number: int) -> Tensor:
    """Some usual words of the vocabulary, drawn at random: what learned vectors start from.

    Raises:
        SettingError: If they would take more than half of the encoder's positions.
    """
    if 2 * number > encoder.num_positions:
        raise SettingError(f"{number} learned vectors are too many for an encoder of {encoder.num_positions} positions")
    words = cast(nn.Embedding, encoder.network.get_submodule(encoder.names.words))
    low, high = (min(at, words.num_embeddings * part // 2) for at, part in zip(_USUAL, (1, 2), strict=True))
    return torch.randint(low, high, (number,)).to(encoder.device)


def states_of(encoder: Encoder, ids_P: Tensor, first_layer: int) -> list[Tensor]:
    """What each layer from `first_layer` on reads of a text of these words.

    Returns:
        hidden_PD of each layer.
    """
    where = layout(torch.tensor([len(ids_P)]).to(encoder.device))
    with torch.no_grad():
        states = [encoder.run(encoder.embed(ids_P, None, where), where, 0, first_layer)]
        for index in range(first_layer, encoder.num_layers - 1):
            states.append(encoder.run(states[-1], where, index, index + 1))
    return states


def put_before(encoder: Encoder, first_layer: int, number: int, size: int = 0) -> Attached:
    """Puts learned vectors before each text, where layer `first_layer` reads it.

    Args:
        encoder: Changed in place; only the vectors learn.
        first_layer: The lowest layer that reads them; the lowest of all takes word vectors.
        number: How many; they start as some usual words.
        size: Numbers in the middle of a network that learns with them and starts by adding nothing; 0 for none.

    Raises:
        SettingError: If they take more than half of the encoder's positions.
    """
    encoder.requires_grad_(False)
    words_P = usual_words(encoder, number)
    words = encoder.network.get_submodule(encoder.names.words)
    inside = first_layer > 0 or not encoder.packed
    start_PD = states_of(encoder, words_P, first_layer)[0] if inside else words(words_P)
    net = None
    if size:
        up = nn.Linear(size, start_PD.shape[1])
        nn.init.zeros_(up.weight)
        nn.init.zeros_(up.bias)
        net = nn.Sequential(nn.Linear(start_PD.shape[1], size), nn.ReLU(), up)
    prompt = Prompt(start_PD.detach().clone(), net)
    encoder.layers[first_layer].add_module("prompt", prompt)
    if inside:
        return Attached(encoder, kept=True, fold=prompt.fold)
    encoder.first_position += number
    config = peft_config(encoder, "PROMPT_TUNING", number)
    same_width = start_PD.shape[1] == encoder.hidden_size  # else PEFT does not know how wide a word vector is
    return Attached(encoder, config=lambda: config if same_width else None, kept=True, fold=prompt.fold)


def peft_config(encoder: Encoder, kind: str, number: int) -> dict[str, Any]:
    """PEFT's configuration of learned vectors on all layers of an encoder, for an `AutoModel`.

    Args:
        kind: PROMPT_TUNING or PREFIX_TUNING.
    """
    num_heads = encoder.num_key_heads if kind == "PREFIX_TUNING" else encoder.num_heads
    return {
        "peft_type": kind,
        "task_type": "FEATURE_EXTRACTION",
        "num_virtual_tokens": number,
        "token_dim": encoder.hidden_size // encoder.num_heads * num_heads,
        "num_transformer_submodules": 1,
        "num_attention_heads": num_heads,
        "num_layers": encoder.num_layers,
    }


def to_peft(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """What an adapter of learned vectors holds, in PEFT's layout: of a prefix keys and values, layer by layer.

    Args:
        tensors: By the names in the encoder, from the lowest layer up.

    Returns:
        One tensor.
    """
    return {PACKED: torch.cat(list(tensors.values()), 1)}


def from_peft(state: Mapping[str, Tensor], config: Mapping[str, Any], layers: str) -> dict[str, Tensor]:
    """The way back.

    Args:
        state: What `to_peft` made.
        config: What `peft_config` made.
    """
    names = [f"{layers}.0.prompt.vectors"]
    if config["peft_type"] == "PREFIX_TUNING":
        names = [f"{layers}.{at}.prefix.{part}" for at in range(config["num_layers"]) for part in ("keys", "values")]
    return dict(zip(names, state[PACKED].chunk(len(names), 1), strict=True))
