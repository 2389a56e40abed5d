"""Prefix tuning: in each layer some keys and values learn that every token may attend to."""

from __future__ import annotations

import torch

from deepen.models.adapters import Attached, Linears, Method, OnWriter, peft
from deepen.models.encoder import Encoder, layout
from deepen.models.prompts import Prefix, Prompt, VectorSettings, peft_config, states_of, usual_words


class TuningSettings(VectorSettings):
    """How many there are."""


def attach(encoder: Encoder, first_layer: int, settings: TuningSettings) -> Attached:
    """Puts a prefix into the layers from `first_layer` on. It starts as what the encoder makes of some usual words.

    It changes next to nothing at first, and can't be folded into the weights.

    Raises:
        SettingError: If it takes more than half of the encoder's positions.

    Source:
        Li and Liang 2021 (https://arxiv.org/abs/2101.00190); for encoders Liu et al. 2022, P-tuning v2
        (https://arxiv.org/abs/2110.07602).
    """
    encoder.requires_grad_(False)
    words_P = usual_words(encoder, settings.num_virtual_tokens)
    where = layout(torch.tensor([settings.num_virtual_tokens]).to(encoder.device))
    states = states_of(encoder, words_P, first_layer)
    for layer, hidden_PD in zip(encoder.layers[first_layer:], states, strict=True):
        if not encoder.packed:  # its attention is only called: what its keys and values are made of learns instead
            layer.add_module("prefix", Prompt(hidden_PD.detach().clone()))
            continue
        with torch.no_grad():
            keys, values = encoder.keys_values(layer, hidden_PD, where)
        layer.add_module("prefix", Prefix(keys, values))
    if (
        not encoder.packed or first_layer > 0 or encoder.config.model_type == "distilbert"
    ):  # which PEFT gives no keys and values
        return Attached(encoder, kept=True)
    encoder.first_position += settings.num_virtual_tokens
    config = peft_config(encoder, "PREFIX_TUNING", settings.num_virtual_tokens)
    return Attached(encoder, config=lambda: config, kept=True)


def on_writer(linears: Linears, settings: TuningSettings) -> OnWriter:
    """A prefix for a network that writes, in all of its layers."""
    config = peft().PrefixTuningConfig(num_virtual_tokens=settings.num_virtual_tokens, task_type=linears.task_type)
    return OnWriter(config)


METHOD = Method(__doc__, TuningSettings, attach, on_writer)
