"""`deepen check`: what would spoil a model, found before it is trained."""

from __future__ import annotations

import sys
from typing import Annotated, Any

import typer

from deepen.cli import show

NAME = "check"
HELP = """Look for what would spoil a model: bad rows, leaks, labels that conflict, personal data. Exit 2 on an error.

\b
  deepen check reviews.csv
  deepen check train.tsv --test test.tsv --columns text=0,label=1
  deepen check train.csv --set data.near.threshold=0.7 --json
"""
_STYLES = {"error": "bold red", "warning": "yellow", "note": "dim"}


def command(
    data: Annotated[str, typer.Argument(metavar="DATA", help="A file, a folder or a hub data set.")],
    validation: Annotated[str | None, typer.Option(help="Rows that would decide.")] = None,
    test: Annotated[str | None, typer.Option(help="Rows that would be scored at the end.")] = None,
    columns: Annotated[str | None, typer.Option(help="As in text=title+body,label=stars, or text=0,label=1.")] = None,
    task: Annotated[str | None, typer.Option(help="What would be learned; else the columns say.")] = None,
    labels: Annotated[str | None, typer.Option(help="A file with names for numeric labels.")] = None,
    model: Annotated[str | None, typer.Option(help="Whose tokens are counted; else the default model's.")] = None,
    settings: Annotated[list[str] | None, typer.Option("--set", help="dotted.key=value, may be repeated.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
) -> None:
    """Checks data."""
    from deepen.api import check
    from deepen.data.columns import parse_columns

    record = check(
        data,
        validation=validation,
        test=test,
        columns=parse_columns(columns) if columns is not None else None,
        task=task,
        labels=labels,
        model=model,
        settings=settings or [],
        say=show.lines_to(stderr=True),
    )
    if as_json:
        show.print_json(record)
    else:
        _print(record)
    if any(finding["severity"] == "error" for finding in record["findings"]):
        sys.exit(2)


def _print(record: dict[str, Any]) -> None:
    from rich.text import Text

    from deepen.core.language import told

    wide = show.console()
    wide.print(f"{record['rows']:,} rows, {record['task']}")
    for column in record["columns"].values():
        wide.print(f"  {column['reason']}")
    for finding in record["findings"]:
        severity = finding["severity"]
        place = finding["file"] + (f" line {finding['line']}" if finding["line"] is not None else "")
        head = Text.assemble((f"{told(severity):<8}", _STYLES[severity]), (finding["code"], "bold"), f"  {told(place)}")
        wide.print(head)
        wide.print(show.indented(finding["message"], 8))
        if finding["remedy"]:
            wide.print(show.indented(f"-> {finding['remedy']}", 8))
    counts = {name: sum(finding["severity"] == name for finding in record["findings"]) for name in _STYLES}
    counted = ", ".join(f"{count} {name}{'' if count == 1 else 's'}" for name, count in counts.items())
    wide.print(counted + ("; training would stop" if counts["error"] else ""))
