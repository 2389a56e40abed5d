"""What a run leaves for people to read: the model card and the page, made from what is in its folder."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from deepen.core.errors import DeepenError
from deepen.core.files import read_object, write_text
from deepen.core.places import without_home
from deepen.core.run import Run
from deepen.ladder.recipe import read_recipe
from deepen.report.card import card
from deepen.report.commands import here


def leave_page(run: Run, say: Callable[[str], None]) -> None:
    """Writes the report of a finished run, which is not spoilt by a page that can't be had.

    Args:
        run: The run.
        say: Called with why there is no page.
    """
    from deepen.report.page import write_report

    try:
        write_report(run.folder)
    except DeepenError as error:
        say(f"  note: no report.html: {error}")


def leave_card(run: Run) -> None:
    """Writes the model card into the run's model folder only, so that rungs share their files by hard links.

    Args:
        run: The run.
    """
    told = run.folder / "diagnosis.json"
    diagnosis = read_object(told) if told.is_file() else None
    recipe = _without_homes(read_recipe(run.folder / "recipe.yaml"))
    environment = read_object(run.folder / "environment.json")
    write_text(run.folder / "model" / "README.md", card(here(run.folder, run.ladder), recipe, environment, diagnosis))


def _without_homes(value: Any) -> Any:
    """Settings whose paths name nobody's home: a card is handed on with the model."""
    if isinstance(value, dict):
        return {key: _without_homes(item) for key, item in value.items()}
    return without_home(value) if isinstance(value, str) else value
