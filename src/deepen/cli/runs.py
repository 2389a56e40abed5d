"""`deepen runs`: the run folders that are here, side by side."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from deepen.cli import show

NAME = "runs"
HELP = """List run folders: task, data, score, chosen rung, size, whether finished.

\b
  deepen runs
  deepen runs experiments --json
"""


def command(
    folder: Annotated[str, typer.Argument(metavar="FOLDER", help="Where to look, some folders deep.")] = "runs",
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
) -> None:
    """Lists runs."""
    from deepen.core.language import told
    from deepen.core.places import path_of
    from deepen.core.types import to_json
    from deepen.reporting.runs import find_runs

    place = path_of(folder, called="FOLDER")
    found = find_runs(place) if place.exists() or folder != "runs" else []
    if as_json:
        show.print_json({"folder": folder, "runs": list(map(to_json, found))})
        return
    if not found:
        show.say(f"no runs in {folder}: `deepen train` makes them, `deepen runs FOLDER` looks elsewhere")
        return
    short = show.is_narrow()
    names = ("run", "chosen", ">validation", ">test", ">size", "state")
    table = show.table(*names, *(() if short else ("data", "changed")))
    for run in found:
        validation, test = (show.short_score(score) for score in (run.score, run.test))
        when = datetime.fromtimestamp(run.changed).strftime("%m-%d %H:%M")
        state = "" if run.state == "finished" else told(run.state)
        about = (Path(run.run).name, run.chosen or "", validation, test, show.size(run.bytes), state)
        table.add_row(*about, *(() if short else (run.data or "", when)))
    show.console().print(table)
