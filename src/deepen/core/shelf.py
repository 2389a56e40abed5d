"""Shelves: folders where every file, or folder, is a feature of its own and has one value of the same kind."""

from __future__ import annotations

import importlib
import pkgutil
from pathlib import Path
from types import ModuleType
from typing import Any


def names(*room: str) -> str:
    """The features of a shelf, for a help text; nothing is imported."""
    folder = Path(__file__).parents[1].joinpath(*room)
    return ", ".join(sorted(found.name for found in pkgutil.iter_modules([str(folder)])))


def values(room: ModuleType, name: str) -> dict[str, Any]:
    """What is on a shelf.

    Args:
        name: What the value of each file is called, as `RUNG`.

    Returns:
        The name of each file, which is the feature's, and its value.
    """
    found = sorted(module.name for module in pkgutil.iter_modules(room.__path__))
    return {feature: getattr(importlib.import_module(f"{room.__name__}.{feature}"), name) for feature in found}
