"""Shelves: folders where every file, or folder, is a feature of its own and has one value of the same kind."""

from __future__ import annotations

import pkgutil
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import TypeVar

T = TypeVar("T")


def names(*room: str) -> str:
    """The features of a shelf, for a help text; nothing is imported."""
    folder = Path(__file__).parents[1].joinpath(*room)
    return ", ".join(sorted(found.name for found in pkgutil.iter_modules([str(folder)])))


def value(room: str, name: str, kind: type[T]) -> T:
    """One value of a shelf, given by its module's name; nothing else on it is imported. KeyError if it is not there."""
    if name not in names(*room.split(".")[1:]).split(", "):
        raise KeyError(name)
    [found] = (value for value in vars(import_module(f"{room}.{name}")).values() if isinstance(value, kind))
    return found


def values(room: ModuleType, kind: type[T]) -> dict[str, T]:
    """What is on a shelf: the name of each file or folder, and its one value of the shelf's kind."""
    found: dict[str, T] = {}
    for name in sorted(file.name for file in pkgutil.iter_modules(room.__path__)):
        found[name] = value(room.__name__, name, kind)
    return found
