"""P-tuning: soft prompts that come out of a small network while they learn."""

from __future__ import annotations

from pydantic import Field

from deepen.models.adapters import Attached, Linears, Method, OnWriter, peft
from deepen.models.encoder import Encoder
from deepen.models.prompts import VectorSettings, put_before


class TuningSettings(VectorSettings):
    """How many there are, and how wide the network is."""

    size: int = Field(default=128, ge=1)
    """Numbers in the middle of the network."""


def attach(encoder: Encoder, first_layer: int, settings: TuningSettings) -> Attached:
    """Puts vectors before each text as `soft_prompt` does, with a network whose output is added to them.

    All of them learn through the same weights; in the end only the sums are kept, which are a soft prompt and can't be
    folded into the weights.

    Raises:
        SettingError: If they take more than half of the encoder's positions.

    Source:
        Liu et al. 2021 (https://arxiv.org/abs/2103.10385); the sum with what goes in is that of Razdaibiedina et al.
        2023 (https://arxiv.org/abs/2305.03937).
    """
    return put_before(encoder, first_layer, settings.num_virtual_tokens, settings.size)


def on_writer(linears: Linears, settings: TuningSettings) -> OnWriter:
    """Vectors before what a network that writes reads, out of a small network."""
    about = {"num_virtual_tokens": settings.num_virtual_tokens, "encoder_hidden_size": settings.size}
    return OnWriter(peft().PromptEncoderConfig(**about, task_type=linears.task_type))


METHOD = Method(__doc__, TuningSettings, attach, on_writer)
