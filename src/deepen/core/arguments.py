"""What Python hands to a verb, checked before it is used: the command line can only hand over text."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from deepen.core.errors import SettingError
from deepen.core.places import path_of
from deepen.core.settings import shown


def as_path(name: str, value: Any) -> Path:
    """A path, or text that is one. `~` is the home folder."""
    if not isinstance(value, str | os.PathLike):
        raise SettingError(f"{name} is {shown(value)}: it must be a path")
    return path_of(value, called=name)


def as_text(value: Any) -> Any:
    """A path as text; anything else as it is, for the settings to judge."""
    return os.fspath(value) if isinstance(value, os.PathLike) else value


def as_texts(values: Mapping[str, Any]) -> dict[str, Any]:
    """The same for each of some values."""
    return {name: as_text(value) for name, value in values.items()}


def as_words(name: str, value: Any) -> list[str]:
    """A list of words; a single text is none, since Python would take it for a list of letters."""
    good = isinstance(value, Sequence) and not isinstance(value, str) and all(isinstance(word, str) for word in value)
    if not good:
        raise SettingError(f"{name} is {shown(value)}: it must be a list of words such as ['data.bad_rows=drop']")
    return list(value)
