"""What a finished run learned from, read again; or why it can't be."""

from __future__ import annotations

from deepen.core.errors import DeepenError
from deepen.core.files import fingerprint, read_object
from deepen.core.recipe_file import read_recipe
from deepen.core.run import Run
from deepen.preparation.prepare import Prepared, prepare
from deepen.preparation.read import Sources
from deepen.preparation.recipe import Recipe, make_recipe


def recipe_of(run: Run) -> Recipe:
    """The recipe of a run, without the checks that its data has passed already.

    Raises:
        DataError: If recipe.yaml is missing or is no YAML.
        SettingError: If a setting in it is wrong.
    """
    path = run.folder / "recipe.yaml"
    values = read_recipe(path)
    values["data"] = {"label_rows": False} | dict(values.get("data") or {}) | {"check": False}  # older runs had none
    return make_recipe(values, where=str(path))


def reopened(run: Run, recipe: Recipe) -> tuple[Prepared | None, str]:
    """The rows that a run learned from, read again.

    Returns:
        The work with its rows, or None and why they can't be had, in a sentence.
    """
    if not run.complete:
        return None, "the run is not finished"
    if recipe.data.path is None:
        return None, "the run was trained on rows handed over in Python, which it does not keep"
    try:
        prepared = prepare(recipe, Sources(), run.folder, say=lambda line: None)
    except DeepenError as error:
        return None, f"the training rows can't be read again: {error}"
    if run.ladder.mark != prepared.mark:
        return None, f"the rows of {recipe.data.path}, or of another file of the run, have changed since it was made"
    return prepared, ""


def rows_mark(run: Run) -> str:
    """A key of the rows that a run learned from, had without reading them.

    Returns:
        A key of its recipe, which says how the rows were split, and of the content of the file.

    Raises:
        DataError: If a file of the run can't be read.
    """
    return fingerprint(recipe_of(run).model_dump(mode="json"), _fingerprint(run))


def _fingerprint(run: Run) -> str:
    """What environment.json says of the training rows; nothing if there is none."""
    path = run.folder / "environment.json"
    data = read_object(path).get("data") if path.is_file() else None
    train = data.get("train") if isinstance(data, dict) else None
    return str(train.get("fingerprint", "")) if isinstance(train, dict) else ""
