"""`deepen feedback`: true labels come back to a run."""

from __future__ import annotations

from typing import Annotated

import typer

from deepen.cli import show

NAME = "feedback"
HELP = """Bring true labels back to a run by the ids of its answers, and see whether it is wrong more often.

FILE has the columns id and label: the 50 rows that `deepen watch` wrote to RUN/watch/to-label.csv with the labels
filled in, or any others; only those 50 decide, since they were drawn so that they may.

\b
  deepen feedback runs/mine runs/mine/watch/to-label.csv
  deepen feedback runs/mine labels.jsonl --json
"""


def command(
    run: Annotated[str, typer.Argument(metavar="RUN", help="A run folder.")],
    file: Annotated[str, typer.Argument(metavar="FILE", help="A .csv or .jsonl with id and label.")],
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
) -> None:
    """Takes labels in."""
    from deepen.cli.watch import print_verdict
    from deepen.watching.watch import feedback

    record = feedback(run, file, say=show.once(show.lines_to(stderr=True)))
    if as_json:
        show.print_json(record)
        return
    show.say(f"{record['labels']:,} labels taken in, {record['known']:,} in all")
    if record["verdict"]:
        print_verdict(record["verdict"])
    else:
        show.say("none of them is of a row that `deepen watch` asked to be labelled, so they decide nothing yet")
