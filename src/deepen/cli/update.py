"""`deepen update`: a run brought up to date, and what it forgets."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from deepen.cli import show
from deepen.core.shelf import names

if TYPE_CHECKING:
    from deepen.continual.update import Update

NAME = "update"
HELP = """Make a run from another one with new rows, and show what it gains and what it forgets.

Both are scored on the old held-out rows and on the fifth of the new rows that is held out. The gate passes where no
old slice of 200 rows and more is significantly worse (Holm), all old rows together lose at most --max-drop points, and
the new rows gain (or, where they are too few to tell, the old ones do). --forget takes rows out again.

\b
  deepen update runs/mood new.csv
  deepen update runs/mood --forget ids.csv --out runs/mood-without
  deepen update runs/mood new.csv --promote --registry s3://bucket/models
"""
_SHOWN = 20


def command(
    run: Annotated[str, typer.Argument(metavar="RUN", help="A run folder.")],
    new: Annotated[
        str | None, typer.Argument(metavar="[NEW]", help="New rows like the training data; none only with --forget.")
    ] = None,
    method: Annotated[
        str | None,
        typer.Option(help=f"{names('continual', 'methods')}; else exact, or retrain where it does not suit."),
    ] = None,
    forget: Annotated[str | None, typer.Option(help="Ids to take out: a file with a column id, or commas.")] = None,
    promote: Annotated[bool, typer.Option("--promote", help="Push and promote it, if it passes the gate.")] = False,
    registry: Annotated[str | None, typer.Option(help="Where to: a folder, or s3://bucket/folder.")] = None,
    max_drop: Annotated[float, typer.Option(help="Points that all old rows together may lose.")] = 0.5,
    keep: Annotated[int, typer.Option(help="Old rows of a label that replay and statistics keep.")] = 20,
    out: Annotated[Path | None, typer.Option(help="The run to write; else RUN-2.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
) -> None:
    """Updates a run."""
    from deepen.continual.update import update
    from deepen.core.types import to_json

    found = update(
        run,
        new,
        method=method,
        forget=forget,
        promote=promote,
        registry=registry,
        max_drop=max_drop,
        keep=keep,
        out=out,
        say=show.lines_to(stderr=True),
    )
    if as_json:
        show.print_json(to_json(found))
    else:
        _print(found)


def _print(found: Update) -> None:
    wide = show.console()
    made = show.table("rows", ">n", "score", ">before", ">after", ">difference", ">95 % interval", ">p")
    for rows, some in (("old", found.old), ("new", found.new)):
        for one in some[:1]:
            made.add_row(rows, *_cells(one))
    tested = sorted((one for one in found.old[1:] if one["p_value"] is not None), key=lambda one: one["p_value"])
    for one in tested[:_SHOWN]:
        made.add_row(f"old, {one['by']}: {one['value']}", *_cells(one))
    wide.print(made)
    stages = list(found.history[-1]["scores"]) if found.history else []
    if len(stages) > 1:
        line = show.table("run", *(f">{stage}" for stage in stages))
        for one in found.history:
            scores = (one["scores"].get(stage) for stage in stages)
            line.add_row(one["run"], *("" if score is None else f"{score:.4f}" for score in scores))
        wide.print(line)
        if found.backward_transfer is not None:
            wide.print(f"earlier rows since they were learned, on average: {found.backward_transfer:+.4f}")
    if "still_in" in found.forgotten:
        counts = ", ".join(f"{part} {count:,}" for part, count in found.forgotten["rows"].items())
        wide.print(f"forgotten rows: {counts}; the new run has none of them. Still in, until removed:")
        for path in found.forgotten["still_in"]:
            wide.print(f"  {path}")
    why = found.gate.why
    wide.print(f"gate passed: {why}" if found.gate.passed else f"gate not passed: {why}")
    if found.promoted is not None:
        wide.print(f"{found.promoted} is production")
    else:
        wide.print(f"next: {found.advice}")
    show.line(found.out)


def _cells(one: dict[str, Any]) -> list[str]:
    ends = f"{one['difference']['low']:+.4f} to {one['difference']['high']:+.4f}"
    change = f"{one['difference']['value']:+.4f}"
    return [
        f"{one['n']:,}",
        one["name"],
        f"{one['before']:.4f}",
        f"{one['after']:.4f}",
        change,
        ends,
        f"{one['p_value']:.3g}",
    ]
