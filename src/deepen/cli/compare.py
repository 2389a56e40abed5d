"""`deepen compare`: two runs on the same labelled rows."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from deepen.cli import show

if TYPE_CHECKING:
    from deepen.inference.compare import Change, Comparison

NAME = "compare"
HELP = """Set two runs beside each other on labelled rows that neither has learned from.

Each score's difference has a 95 % interval and a paired test, over all rows and over slices: rows of a label, of a
length, with a value of a column that was not learned. P-values of slices are raised for their number (Holm).

\b
  deepen compare runs/first runs/second test.csv
  deepen compare runs/first runs/first/rungs/lexical/model test.csv --out changed.csv
  deepen compare runs/first runs/second test.csv --json
"""
_SHOWN, _SURE = 40, 0.05


def command(
    run1: Annotated[str, typer.Argument(metavar="RUN1", help="A run folder, or a model folder.")],
    run2: Annotated[str, typer.Argument(metavar="RUN2", help="Another one of the same task.")],
    data: Annotated[str, typer.Argument(metavar="DATA", help="Labelled rows: a file, a folder or a hub data set.")],
    columns: Annotated[str | None, typer.Option(help="As in text=title,label=stars; else as in training.")] = None,
    device: Annotated[str | None, typer.Option(help="auto, cpu, cuda, cuda:N or mps.")] = None,
    settings: Annotated[list[str] | None, typer.Option("--set", help="As in data.bad_rows=drop.")] = None,
    out: Annotated[Path | None, typer.Option(help="Write the rows that changed to this .csv.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
) -> None:
    """Compares two runs."""
    from deepen.core.errors import SettingError
    from deepen.core.places import path_of
    from deepen.data.columns import parse_columns
    from deepen.inference.compare import compare
    from deepen.preparation.place import check_answers

    out = path_of(out, called="--out") if out is not None else None
    if out is not None and out.suffix != ".csv":
        raise SettingError(f"--out {out}: the name must end in .csv")
    if out is not None:
        check_answers(out, [run1, run2], data)
    asked = parse_columns(columns) if columns is not None else None
    say = show.once(show.lines_to(stderr=True))
    found = compare(run1, run2, data, columns=asked, settings=settings or [], device=device, say=say)
    if out is not None:
        if found.changes is None:
            raise SettingError(f"--out {out}: answers are near or far here and not right or wrong; leave --out out")
        _write(out, found.changes)
    if as_json:
        show.print_json(_record(found))
    else:
        _print(found, out)


def _record(found: Comparison) -> dict[str, Any]:
    from deepen.core.types import to_json

    record = to_json(found)
    changes = record.pop("changes") or []
    counts = {change: sum(one["change"] == change for one in changes) for change in ("right->wrong", "wrong->right")}
    more = {"changed": [one["id"] for one in changes], "right_to_wrong": counts["right->wrong"]}
    return record | more | {"wrong_to_right": counts["wrong->right"]}


def _print(found: Comparison, out: Path | None) -> None:
    wide = show.console()
    rungs = " and ".join(f"{run} ({rung})" for run, rung in zip(found.runs, found.rungs, strict=True))
    wide.print(f"{rungs} on {found.data}, {found.n:,} rows", style="italic")
    made = show.table("score", ">RUN1", ">RUN2", ">difference", ">95 % interval", ">p")
    for one in found.scores:
        made.add_row(one.name, *_cells(one))
    wide.print(made)
    tested = sorted((one for one in found.slices if one.p_value is not None), key=lambda one: one.p_value or 0.0)
    if tested:
        wide.print("slices of 200 rows and more, surest difference first", style="italic")
        each = show.table("slice", ">rows", "score", ">RUN1", ">RUN2", ">difference", ">95 % interval", ">p (Holm)")
        for part in tested[:_SHOWN]:
            each.add_row(f"{part.by}: {part.value}", f"{part.n:,}", part.name, *_cells(part))
        wide.print(each)
    left = len(found.slices) - min(len(tested), _SHOWN)
    if left:
        wide.print(f"{left} more slices, or smaller ones, which are not tested; --json has them all")
    _print_changes(found, out)
    first = found.scores[0]
    if first.p_value >= _SURE:
        wide.print(f"no difference in {first.name} is shown on these rows")
    else:
        wide.print(f"RUN2 is {'better' if first.difference.value > 0 else 'worse'} by {first.name}")


def _print_changes(found: Comparison, out: Path | None) -> None:
    if found.changes is None:
        return
    lost = sum(one.change == "right->wrong" for one in found.changes)
    where = f", written to {out}" if out is not None else ""
    show.say(f"rows that changed: {lost:,} right->wrong, {len(found.changes) - lost:,} wrong->right{where}")


def _cells(one: Any) -> list[str]:
    ends = f"{one.difference.low:+.4f} to {one.difference.high:+.4f}"
    return [f"{one.a:.4f}", f"{one.b:.4f}", f"{one.difference.value:+.4f}", ends, f"{one.p_value:.3g}"]


def _write(out: Path, changes: list[Change]) -> None:
    """A line a row that changed: where it stands, what it says, what is right, and both answers."""
    from deepen.core.cells import write_csv
    from deepen.core.files import plain

    names = list(changes[0].inputs) if changes else []
    head = ["change", "file", "line", "id", *names, "target", "output_1", "output_2"]

    def cell(value: Any) -> str:
        return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=plain)

    def row(one: Change) -> list[Any]:
        values = [*(one.inputs[name] for name in names), one.target, one.a, one.b]
        return [one.change, one.file, one.line, one.id, *map(cell, values)]

    write_csv(out, [head, *map(row, changes)])
