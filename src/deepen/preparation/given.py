"""What a person gave to a verb, as a recipe and rows: paths and options are laid over a recipe, rows are handed on."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from deepen.core.arguments import as_path
from deepen.core.errors import SettingError
from deepen.core.recipe_file import read_recipe
from deepen.core.settings import override, shown
from deepen.data.readers.in_memory import is_frame
from deepen.data.readers.parquet_arrow import is_dataset
from deepen.preparation.read import Sources
from deepen.preparation.recipe import Recipe, make_recipe
from deepen.preparation.resume import read_kept


def sources_of(data: Any, validation: Any, test: Any) -> tuple[Sources, dict[str, str | None]]:
    """Paths go into the recipe; rows from Python are handed on."""
    given = {"path": data, "validation": validation, "test": test}
    for name, value in given.items():
        named = value is None or isinstance(value, str | Path)
        if not (named or isinstance(value, list | tuple) or is_frame(value) or is_dataset(value)):
            called = "data" if name == "path" else name
            raise SettingError(f"{called} is {shown(value)}: it must be a path, a hub name, a DataFrame or a list")
    paths = {key: str(value) if isinstance(value, str | Path) else None for key, value in given.items()}
    rows = [None if isinstance(value, str | Path) else value for value in given.values()]
    return Sources(*rows), paths


def over(values: Mapping[str, Any], chosen: Mapping[str, Any]) -> dict[str, Any]:
    """Lays what was given over a recipe; None is not given. What is no section there is left for its check."""
    out = dict(values)
    for key, value in chosen.items():
        if not isinstance(value, Mapping):
            if value is not None:
                out[key] = value
        elif out.get(key) is None or isinstance(out[key], Mapping):
            given = {name: item for name, item in value.items() if item is not None}
            out[key] = dict(out.get(key) or {}) | given
    return out


def free_folder(recipe: Recipe) -> Path:
    """The first `runs/NAME-TASK-N` that is not there yet."""
    stem = Path(recipe.data.path).name.split(".")[0][:100] if recipe.data.path else "data"
    number = 1
    while (folder := Path("runs") / f"{stem}-{recipe.task}-{number}").exists():
        number += 1
    return folder


def _start(recipe: Any, resumed: Path | None) -> dict[str, Any]:
    """What the other arguments are laid over: the recipe, or that of the run that goes on."""
    if recipe is None:
        return (read_kept(resumed) if resumed else None) or {}
    if isinstance(recipe, Mapping):
        return dict(recipe)
    return read_recipe(as_path("recipe", recipe))


def check_alone() -> None:
    """Raises if this is one of several processes that climb together."""
    if os.environ.get("WORLD_SIZE", "1") not in ("", "0", "1"):
        said = f"WORLD_SIZE is {os.environ['WORLD_SIZE']}, but a climb runs in one process"
        raise SettingError(f"{said} (docs/decisions/0004-processes.md)")


def recipe_of(recipe: Any, chosen: Mapping[str, Any], words: list[str], *, resumed: Path | None) -> Recipe:
    """The recipe of a training: what was named, the arguments over it, and settings over both.

    Args:
        recipe: A file, a mapping or None.
        chosen: What the arguments say, by sections; None is not given.
        words: Settings, as in `rungs.full.num_epochs=3`.
        resumed: The run folder that goes on; None begins a new one.
    """
    where = f"recipe {recipe}" if isinstance(recipe, str | Path) else "settings"
    return make_recipe(override(over(_start(recipe, resumed), chosen), words), where=where)


def check_data(recipe: Recipe, sources: Sources, *, resumed: Path | None) -> None:
    """Raises SettingError if nothing says where the rows are."""
    if sources.train is None and recipe.data.path is None:
        begun = f"{resumed} holds no run that has begun, so there is no data" if resumed else "no data"
        raise SettingError(f"{begun}: name a file, a folder or a hub data set, or a recipe that does")
