"""Texts that end too early, as a column that is too narrow leaves them."""

from __future__ import annotations

import numpy as np

from deepen.data.corruptions import Corruption


def _change(text: str, strength: float, rng: np.random.Generator) -> str:
    kept = 1 - strength * rng.uniform(0.6, 0.95)
    return text[: max(1, round(len(text) * kept))].strip() or text


CORRUPTION = Corruption("texts cut short", _change)
