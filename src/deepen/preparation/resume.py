"""Whether a run may go on with what is asked now: what its finished rungs were made with may not change."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from deepen.core.errors import DataError, SettingError
from deepen.core.files import read_object
from deepen.core.ladder import Ladder, RowState, read_ladder
from deepen.core.recipe_file import read_recipe
from deepen.core.run import Run
from deepen.core.settings import shown
from deepen.preparation.catalog import shelf
from deepen.preparation.environment import data_files
from deepen.preparation.recipe import Recipe, make_recipe

_PARTS = (("train", "path"), ("validation", "validation"), ("test", "test"))
_UNLABELLED = ("unlabelled", "unlabelled")
_BY_CONTENT = tuple(f"data.{key}" for _, key in _PARTS)  # a file that was moved is the same data


def read_kept(folder: Path) -> dict[str, Any] | None:
    """Reads the recipe of a run that is to go on.

    Returns:
        Sections to settings; None if the run was interrupted before it began.

    Raises:
        DataError: If the file is damaged.
    """
    path = folder / "recipe.yaml"
    if not path.is_file():
        return None
    try:
        values = read_recipe(path)
        make_recipe(values)
    except SettingError as error:
        raise DataError(f"{path} is damaged: {error}") from None
    if "seed" not in values:  # the last of what is written
        raise DataError(f"{path} is damaged: it is cut short")
    return values


def check_resumed(folder: Path, recipe: Recipe) -> Recipe:
    """Whether a recipe goes on with the run in a folder: what its finished rungs were made with may not change.

    The data of a run that is not complete is compared when its rows have been read.

    Args:
        folder: The run folder, or one that an interruption left empty.

    Returns:
        The recipe, in the precision that the run began in where that is to be measured.

    Raises:
        SettingError: If a setting differs that finished work depends on.
        DataError: If the folder is damaged.
    """
    values = read_kept(folder)
    if values is None:
        return recipe
    if recipe.precision == "auto":
        recipe = recipe.model_copy(update={"precision": values.get("precision", "float32")})
    kept, now = dict(_flat(values)), dict(_flat(recipe.model_dump(mode="json")))
    ladder = read_ladder(folder / "ladder.json") if (folder / "ladder.json").is_file() else Ladder(task="", rungs=())
    begun = {row.rung for row in ladder.rungs if row.status != RowState.SKIPPED}
    begun |= {ladder.under_way.rung} if ladder.under_way else set()
    complete = bool(ladder.complete)
    if complete:
        known = [row.rung for row in ladder.rungs]
        kept["ladder.rungs"] = known if set(now["ladder.rungs"] or ()) - set(known) else now["ladder.rungs"]
    told = {"data.bad_rows", "data.unmasked"} | (_told(ladder) if complete else frozenset())
    for key, value in now.items():
        before = kept.get(key, value)
        if key in told and value in (None, "auto", []):  # a recipe says what these came to
            continue
        if before != value and not _may_change(key, begun, complete=complete):
            raise SettingError(
                f"{folder} was begun with {key} = {shown(before)}, not {shown(value)}; --resume goes on as it began: "
                "leave that out, or pass --overwrite to start anew"
            )
    if complete:
        _check_data(folder, kept, recipe)
    return recipe


def check_rows(run: Run, mark: str) -> None:
    """Whether the rows are those that a run began with, told before anything in its folder is written.

    Args:
        run: The run to go on with, or a folder in which none has begun.
        mark: A key of the rows that were read now.

    Raises:
        DataError: If they are others.
    """
    if (run.folder / "ladder.json").is_file() and run.ladder.mark != mark:
        raise DataError(f"{run.folder}: the data is not what the run began with; use --overwrite to start anew")


def _may_change(key: str, begun: set[str], *, complete: bool) -> bool:
    section, _, rest = key.partition(".")
    if section == "ladder":  # says what is ahead: nothing of a complete run
        return key == "ladder.budget" or not complete
    if section == "rungs":
        return rest.endswith(".max_steps") or rest.split(".")[0] not in begun
    return key == "device" or key in _BY_CONTENT or (key == "data.labels" and not complete)


def _told(ladder: Ladder) -> frozenset[str]:
    """What a climb put into its recipe when it was complete, but for what else may change."""
    known = {row.rung: shelf()[row.rung].settings.names_now() for row in ladder.rungs if row.rung in shelf()}
    ran = {f"rungs.{row.rung}.{known.get(row.rung, {}).get(key, key)}" for row in ladder.rungs for key in row.ran or ()}
    return frozenset(ran | {"self_training.rungs"})


def _flat(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in values.items():
        if isinstance(value, Mapping) and key != "columns":
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def _check_data(folder: Path, kept: Mapping[str, Any], recipe: Recipe) -> None:
    """Whether a finished run was made with this data, told by the content of the files; a climb would read the rows."""
    parts = read_object(folder / "environment.json").get("data")
    if not isinstance(parts, dict):
        raise DataError(f"{folder / 'environment.json'} is damaged: it does not tell which data there was")
    for part, key in (*_PARTS, ("drop", "drop"), ("fix", "fix"), ("add", "add"), _UNLABELLED):
        path = getattr(recipe.data, key)
        about = parts.get(part)
        before, now = about.get("files") if isinstance(about, dict) else {}, data_files(path)
        same = path == kept.get(f"data.{key}")
        if now and isinstance(before, dict):
            same = now == before or (len(now) == len(before) == 1 and [*now.values()] == [*before.values()])
        if path is not None and not same:
            raise SettingError(
                f"{folder} was made with other {part} rows than those of {path}; --resume goes on as it began: leave "
                "that out, or pass --overwrite to start anew"
            )
