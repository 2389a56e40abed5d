"""Soft prompts: some vectors learn that stand before each text."""

from __future__ import annotations

from pydantic import Field

from deepen.models.adapters import Attached, MethodSettings
from deepen.models.prompts import put_before
from deepen.models.split import Encoder


class TuningSettings(MethodSettings):
    """How many there are."""

    learning_rate: float | None = Field(default=3e-3, gt=0)
    """The highest rate of what learns in the layers."""
    num_vectors: int = Field(default=10, ge=1)
    """Vectors before each text."""

    @property
    def positions(self) -> int:
        """With all layers they take the first positions of each text."""
        return self.num_vectors


def attach(encoder: Encoder, first_layer: int, settings: TuningSettings) -> Attached:
    """Puts vectors before what layer `first_layer` reads of each text: with all layers, before its word vectors.

    They start as some usual words. What comes of them is left out where token vectors become one.

    Args:
        encoder: Changed in place; only the vectors learn.
        first_layer: The lowest layer that reads them.
        settings: Their number.

    Returns:
        What was attached. It does not start as one that changes nothing, and can't be folded into the weights.

    Raises:
        SettingError: If they take more than half of the encoder's positions.

    Source:
        Lester et al. 2021 (https://arxiv.org/abs/2104.08691).
    """
    return put_before(encoder, first_layer, settings.num_vectors)
