"""`deepen evaluate`: scores a run on labelled rows."""

from __future__ import annotations

from typing import Annotated

import typer

from deepen.cli import show

NAME = "evaluate"
HELP = """Score a run on labelled rows.

\b
  deepen evaluate runs/first test.csv
  deepen evaluate runs/first test.tsv --rung lexical --set data.bad_rows=drop --json
"""


def command(
    run: Annotated[str, typer.Argument(metavar="RUN", help="A run folder.")],
    data: Annotated[str, typer.Argument(metavar="DATA", help="Labelled rows: a file, a folder or a hub data set.")],
    columns: Annotated[str | None, typer.Option(help="As in text=title,label=stars; else as in training.")] = None,
    rung: Annotated[str | None, typer.Option(help="A rung of the run; else the chosen one.")] = None,
    device: Annotated[str | None, typer.Option(help="auto, cpu, cuda, cuda:N or mps.")] = None,
    settings: Annotated[list[str] | None, typer.Option("--set", help="As in data.bad_rows=drop.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
) -> None:
    """Scores a run."""
    from deepen.api import load
    from deepen.core.types import to_json
    from deepen.data.columns import parse_columns
    from deepen.inference.seen import learned_from

    asked = parse_columns(columns) if columns is not None else None
    say = show.lines_to(stderr=True)
    model = load(run, rung=rung, settings=settings or [], device=device, say=say)
    scores = [to_json(score) for score in model.evaluate(data, columns=asked)]
    if learned_from(getattr(model, "run_folder", None), data):
        say(f"warning: {data}: the run learned from rows of this file, so the scores flatter")
    num = next((score["n"] for score in scores if score["label"] is None), 0)
    if as_json:
        show.print_json({"run": run, "rung": model.rung, "data": data, "num_examples": num, "scores": scores})
        return
    show.print_scores(scores, title=f"{run}, {model.rung}, on {data}")
