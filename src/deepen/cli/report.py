"""`deepen report`: the run as one HTML page."""

from __future__ import annotations

from typing import Annotated

import typer

from deepen.cli import show

NAME = "report"
HELP = """Write RUN/report.html: one page with pictures that needs no network.

\b
  deepen report runs/first
"""


def command(run: Annotated[str, typer.Argument(metavar="RUN", help="A run folder.")]) -> None:
    """Writes the page."""
    from deepen.api import report

    show.line(str(report(run, say=show.lines_to(stderr=True))))
