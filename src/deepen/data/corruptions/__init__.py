"""Failures to plant in good texts, to see what they cost: one file a kind, with a value `CORRUPTION`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

Change = Callable[[str, float, np.random.Generator], str]
"""A text, how strongly it is to be damaged (0 to 1), and chance; the damaged text, which is never blank."""


@dataclass(frozen=True)
class Corruption:
    """A way in which texts go wrong on their way to a model."""

    title: str
    change: Change


def shelf() -> dict[str, Corruption]:
    """All kinds by name."""
    from deepen.core.shelf import values
    from deepen.data import corruptions

    return values(corruptions, Corruption)
