"""`deepen compress`: a smaller, faster run, and what it costs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from deepen.cli import show
from deepen.core.shelf import names

if TYPE_CHECKING:
    from deepen.compression.compress import Compressed

NAME = "compress"
_WAYS = names("compression", "ways")
HELP = f"""Make a run's model smaller and faster, and show what it costs.

Each way is judged beside the model as it was, on rows that it has not learned from: kept if it surely loses at most
--max-drop points, harmful if it surely loses more, not shown if the rows can't tell. What is harmful is left out; what
is left is a run as any other. The ways: {_WAYS}.

\b
  deepen compress runs/first --target 4x --max-drop 1
  deepen compress runs/first test.csv --ways vocabulary,int8 --out runs/small
  deepen compress runs/first --ways exits --agreement 0.99
  deepen compress runs/first --unlabelled more.txt --json
"""


def command(
    run: Annotated[str, typer.Argument(metavar="RUN", help="A run folder.")],
    data: Annotated[
        str | None, typer.Argument(metavar="[DATA]", help="Labelled rows to judge on; else the run's own.")
    ] = None,
    target: Annotated[str | None, typer.Option(help="So many times smaller or faster, as in 4x.")] = None,
    ways: Annotated[str | None, typer.Option(help=f"Which ways, with commas: {_WAYS}.")] = None,
    max_drop: Annotated[float, typer.Option(help="Points of the deciding score that may be lost.")] = 0.5,
    agreement: Annotated[float, typer.Option(help="Of exits: the share of answers that stay as they are.")] = 0.99,
    unlabelled: Annotated[str | None, typer.Option(help="Rows without a label, to learn from and to back it.")] = None,
    out: Annotated[Path | None, typer.Option(help="The run to write; else RUN-small.")] = None,
    columns: Annotated[str | None, typer.Option(help="As in text=title,label=stars; else as in training.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
) -> None:
    """Compresses a run."""
    from deepen.compression.compress import compress
    from deepen.core.types import to_json
    from deepen.data.columns import parse_columns

    say = show.lines_to(stderr=True)
    found = compress(
        run,
        data,
        target=target,
        ways=ways,
        max_drop=max_drop,
        agreement=agreement,
        unlabelled=unlabelled,
        out=out,
        columns=parse_columns(columns) if columns is not None else None,
        say=say,
        on_row=lambda row: say(f"  {row.way}: {row.verdict}, {row.reason}"),
    )
    if as_json:
        show.print_json(to_json(found))
    else:
        _print(found)


def _print(found: Compressed) -> None:
    wide = show.console()
    before, score = found.before, found.ways[0].score
    cost = ("way", "verdict", ">MB", ">smaller", ">ms short", ">ms long", ">faster")
    table = show.table(*cost, f">{score.name}", ">95 % interval", ">change", ">other answers", ">ECE")
    short, long = (f"{one.ms_p50:.1f} / {one.ms_p95:.1f}" for one in (before.short, before.long))
    ece = found.ways[0].ece_before
    table.add_row(
        "as it was", "", _mb(before.bytes), "", short, long, "", "", "", "", "", "" if ece is None else f"{ece:.3f}"
    )
    for row in found.ways:
        short, long = (f"{one.ms_p50:.1f} / {one.ms_p95:.1f}" for one in (row.short, row.long))
        ends = "" if row.score.low is None else f"{row.score.low:.3f} to {row.score.high:.3f}"
        change = f"{100 * row.change.value:+.1f} [{100 * row.change.low:+.1f}, {100 * row.change.high:+.1f}]"
        cells = [row.way, row.verdict, _mb(row.bytes), f"{row.smaller:.1f}", short, long, f"{row.faster:.1f}"]
        cells += [f"{row.score.value:.3f}", ends, change, f"{row.flipped:,}"]
        table.add_row(*cells, "" if row.ece_after is None else f"{row.ece_after:.3f}")
    wide.print(table)
    wide.print(
        "ms: one row at a time, the middle one / one in twenty is slower; tokens are made before", style="italic"
    )
    for row in found.ways:
        wide.print(f"{row.way}: {row.verdict}, {row.reason}")
    show.line(found.out)


def _mb(size: int) -> str:
    return f"{size / 1e6:.1f}"
