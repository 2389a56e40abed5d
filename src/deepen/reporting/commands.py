"""How to go on with a run, as commands and code that work when they are copied: the page and the card print them."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

from deepen.core.errors import SettingError
from deepen.core.ladder import Ladder
from deepen.core.recipe_file import read_recipe
from deepen.reporting.shown import shown


def here(folder: Path, ladder: Ladder) -> Ladder:
    """A ladder that names its run by where it is now: a run may have been moved since it was made.

    Args:
        ladder: Its ladder.

    Returns:
        The same, with another `run` if the one it names is not this folder.
    """
    try:
        same = folder.samefile(ladder.run or "")
    except (OSError, ValueError):
        same = False
    return ladder if same else ladder.but({"run": str(folder)})


def has_rows(folder: Path) -> bool:
    """Whether a run's recipe names the rows that it learned from, which those from Python are not."""
    try:
        data = read_recipe(folder / "recipe.yaml").get("data")
    except SettingError:
        return False
    return isinstance(data, dict) and bool(data.get("path"))


def quoted(path: Any) -> str:
    """A path as a shell takes it."""
    return shlex.quote(str(path))


def code(ladder: Ladder) -> str:
    """Python that answers a row.

    Args:
        ladder: The run's.

    Returns:
        Three lines.
    """
    return f"import deepen\n\nprint(deepen.load({ladder.run or 'RUN'!r}).predict([{shown(ladder).example!r}]))"


def predict(ladder: Ladder, *, rung: str = "") -> str:
    """The command that answers a typed text, or a file where a row is more than one text.

    Args:
        ladder: The run's.
        rung: A rung to ask in place of the chosen one.

    Returns:
        The command.
    """
    row = shown(ladder).example
    given = f'--text "{row}"' if isinstance(row, str) else "FILE"  # nobody can type several texts after --text
    asked = f" --rung {quoted(rung)}" if rung else ""
    return f"deepen predict {quoted(ladder.run or 'RUN')}{asked} {given}"


def commands(ladder: Ladder, *, rows: bool) -> list[tuple[str, str]]:
    """How to go on.

    Args:
        ladder: The run's.
        rows: Whether the run's recipe names its rows.

    Returns:
        What it is for, and the command.
    """
    run, typed = ladder.run or "RUN", isinstance(shown(ladder).example, str)
    folder, cheapest = quoted(run), ladder.cheapest_not_worse
    found = [("label a text", predict(ladder))] if typed else []
    if cheapest and cheapest != ladder.chosen:
        what = "a text" if typed else "a file"
        found.append((f"label {what} with the cheaper rung", predict(ladder, rung=cheapest)))
    found += [
        ("label a file", f"deepen predict {folder} FILE --out labelled.csv"),
        ("score it on other labelled data", f"deepen evaluate {folder} FILE"),
        ("ask whether it understands or takes short cuts", f"deepen diagnose {folder}{'' if rows else ' FILE'}"),
    ]
    if rows:
        found.append(("repeat this run", f"deepen train --recipe {quoted(Path(run) / 'recipe.yaml')}"))
    return found
