"""Bytes read in the wrong encoding: UTF-8 as Latin-1, and bytes that became a replacement character."""

from __future__ import annotations

import numpy as np

from deepen.data.corruptions import Corruption

_LOST = 0.4  # of the characters that are only bytes of UTF-8, or else of all


def _change(text: str, strength: float, rng: np.random.Generator) -> str:
    half = rng.random() < strength
    read = text.encode("utf-8").decode("latin-1") if half and not text.isascii() else text
    lost_N = rng.random(len(read)) < _LOST * strength * (0.3 if read != text else 1.0)
    made = "".join("\ufffd" if lost else one for one, lost in zip(read, lost_N, strict=True))
    return made.strip() or text


CORRUPTION = Corruption("damaged encoding", _change)
