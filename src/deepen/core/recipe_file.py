"""A recipe file as it is written; `preparation/recipe.py` checks what it says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from deepen.core.errors import SettingError
from deepen.core.foreign import read_yaml
from deepen.core.places import check_file, path_of

SCHEMA = "recipe.schema.json"
"""The file beside a recipe that its first line names."""
_LONGEST_RECIPE = 200_000  # bytes; what Deepen writes itself has some 5,000


def read_recipe(path: Path) -> dict[str, Any]:
    """Reads a recipe file without checking it, so that the command line can be laid over it."""
    path = path_of(path, called="recipe")
    check_file(path, most_bytes=_LONGEST_RECIPE, called="recipe")
    try:
        values = read_yaml(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise SettingError(f"recipe {path}: {error.strerror}", file=str(path)) from None
    except ValueError as error:
        raise SettingError(f"recipe {path} is not YAML: {error}", file=str(path)) from None
    if not isinstance(values, dict):
        raise SettingError(f"recipe {path}: it must have sections such as data, model, ladder")
    return {str(key): value for key, value in values.items()}
