"""Typing errors: characters swapped, dropped, doubled or replaced."""

from __future__ import annotations

import numpy as np

from deepen.data.corruptions import Corruption

_MOST = 0.3  # of the characters


def _change(text: str, strength: float, rng: np.random.Generator) -> str:
    made = list(text)
    for at in np.flatnonzero(rng.random(len(made)) < _MOST * strength):
        way = int(rng.integers(4))
        if way == 0 and at + 1 < len(made):
            made[at], made[at + 1] = made[at + 1], made[at]
        elif way == 1:
            made[at] = ""
        elif way == 2:
            made[at] *= 2
        else:
            made[at] = text[int(rng.integers(len(text)))]
    return "".join(made).strip() or text


CORRUPTION = Corruption("typing errors", _change)
