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
    """A ladder that names its run by where it is now: a run may have been moved since it was made."""
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


def resume(ladder: Ladder) -> str:
    """The command that goes on with an unfinished run."""
    return f"deepen train --out {quoted(ladder.run or 'RUN')} --resume"


def code(ladder: Ladder) -> str:
    """Python that answers a row."""
    return f"import deepen\n\nprint(deepen.load({ladder.run or 'RUN'!r}).predict([{shown(ladder).example!r}]))"


def predict(ladder: Ladder, *, rung: str = "") -> str:
    """The command that answers a typed text, or the texts of a row; `rung` in place of the chosen one."""
    row = shown(ladder).example
    parts = [f'--text "{row}"'] if isinstance(row, str) else [f'--input {name}="{text}"' for name, text in row.items()]
    given = " ".join(parts)
    asked = f" --rung {quoted(rung)}" if rung else ""
    return f"deepen predict {quoted(ladder.run or 'RUN')}{asked} {given}"


def commands(ladder: Ladder, *, rows: bool) -> list[tuple[str, str]]:
    """How to go on. What it is for, and the command; `rows` says whether the run's recipe names its rows."""
    run, what = ladder.run or "RUN", "a text" if isinstance(shown(ladder).example, str) else "a row"
    folder, cheapest = quoted(run), ladder.cheapest_not_worse
    found = [(f"label {what}", predict(ladder))]
    if cheapest and cheapest != ladder.chosen:
        found.append((f"label {what} with the cheaper rung", predict(ladder, rung=cheapest)))
    found += [
        ("label a file", f"deepen predict {folder} FILE --out labelled.csv"),
        ("score it on other labelled data", f"deepen evaluate {folder} FILE"),
        ("ask whether it understands or takes short cuts", f"deepen diagnose {folder}{'' if rows else ' FILE'}"),
    ]
    if rows:
        found.append(("repeat this run", f"deepen train --recipe {quoted(Path(run) / 'recipe.yaml')}"))
    return found
