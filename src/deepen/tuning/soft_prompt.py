"""Soft prompts: some vectors learn that stand before each text."""

from __future__ import annotations

from deepen.models.adapters import Attached, Linears, Method, OnWriter, peft
from deepen.models.encoder import Encoder
from deepen.models.prompts import VectorSettings, put_before


class TuningSettings(VectorSettings):
    """How many there are."""


def attach(encoder: Encoder, first_layer: int, settings: TuningSettings) -> Attached:
    """Puts vectors before what layer `first_layer` reads of each text: with all layers, before its word vectors.

    They start as some usual words. What comes of them is left out where token vectors become one.

    It does not start as one that changes nothing, and can't be folded into the weights.

    Raises:
        SettingError: If they take more than half of the encoder's positions.

    Source:
        Lester et al. 2021 (https://arxiv.org/abs/2104.08691).
    """
    return put_before(encoder, first_layer, settings.num_virtual_tokens)


def on_writer(linears: Linears, settings: TuningSettings) -> OnWriter:
    """Vectors before what a network that writes reads."""
    config = peft().PromptTuningConfig(num_virtual_tokens=settings.num_virtual_tokens, task_type=linears.task_type)
    return OnWriter(config)


METHOD = Method(__doc__, TuningSettings, attach, on_writer)
