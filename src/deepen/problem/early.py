"""What a network says that rows may leave before its last layer."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from deepen.core.types import Outputs, Texts


@dataclass(frozen=True, slots=True)
class EarlyOutputs(Outputs):
    """Outputs with how many layers answered each row; 0 are all."""

    layers_N: np.ndarray


def answered_by(outputs: Outputs | Texts, rung: str) -> list[str | None]:
    """Which layer answered each row, or the rung as a whole; None where no row may leave early."""
    if not isinstance(outputs, EarlyOutputs):
        return [None] * len(outputs)
    return [f"layer {layer}" if layer else rung for layer in outputs.layers_N.tolist()]
