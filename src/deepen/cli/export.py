"""`deepen export`: a run's network as a folder that runs without Deepen."""

from __future__ import annotations

from typing import Annotated

import typer

from deepen.cli import show

NAME = "export"
HELP = """Write a run's network as a folder that runs without torch: ONNX, or CTranslate2 for models that write.

It is compared with the model on this machine, and written only if it says the same; with integers, it is told
how many answers change. `deepen predict` and `deepen evaluate` read the folder as they read a run.

\b
  deepen export runs/first exported
  deepen export runs/first small --form onnx-int8
  deepen export runs/first exported --rung frozen --json
  deepen export runs/summaries exported --form ctranslate2
"""


def command(
    run: Annotated[str, typer.Argument(metavar="RUN", help="A run folder.")],
    out: Annotated[str, typer.Argument(metavar="OUT", help="A folder that is not there yet.")],
    form: Annotated[str, typer.Option(help="onnx, onnx-int8, or ctranslate2 for models that write.")] = "onnx",
    rung: Annotated[str | None, typer.Option(help="A rung with a network; else the chosen one.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
) -> None:
    """Exports a run."""
    from deepen.api import export
    from deepen.core.types import to_json

    found = export(run, out, form=form, rung=rung, say=show.lines_to(stderr=True))
    if as_json:
        show.print_json(to_json(found))
    else:
        show.line(found.out)
