"""`deepen diagnose`: how a model gets its score."""

from __future__ import annotations

import sys
from typing import Annotated, Any, Literal

import typer

from deepen.cli import show
from deepen.core.shelf import names

NAME = "diagnose"
HELP = """Ask how a model gets its score: by shallow cues or by deep understanding. Writes RUN/diagnosis.json.

\b
  deepen diagnose runs/first
  deepen diagnose runs/first held_out.csv --questions depth,leakage
  deepen diagnose runs/first --fail-on shallow --json
"""
_STYLES = {"shallow": "bold red", "deep": "bold green", "unclear": "yellow", "not_applicable": "dim"}


def command(
    run: Annotated[str, typer.Argument(metavar="RUN", help="A run folder.")],
    data: Annotated[
        str | None, typer.Argument(metavar="DATA", help="Labelled rows to try it on; else the test rows.")
    ] = None,
    questions: Annotated[
        str | None, typer.Option(help=f"As in depth,surface_cues, of {names('diagnosis', 'questions')}; else all.")
    ] = None,
    columns: Annotated[str | None, typer.Option(help="As in text=title,label=stars; else as in training.")] = None,
    fail_on: Annotated[
        Literal["shallow", "unclear"] | None, typer.Option(help="Exit 2 if a question gets this verdict.")
    ] = None,
    device: Annotated[str | None, typer.Option(help="auto, cpu, cuda, cuda:N or mps.")] = None,
    settings: Annotated[list[str] | None, typer.Option("--set", help="As in depth.margin=0.01.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
) -> None:
    """Diagnoses a run."""
    from deepen.api import diagnose
    from deepen.core.types import to_json
    from deepen.data.columns import parse_columns

    found = diagnose(
        run,
        data,
        questions=questions,
        columns=parse_columns(columns) if columns is not None else None,
        settings=settings or [],
        device=device,
        say=show.lines_to(stderr=True),
    )
    findings = [to_json(finding) for finding in found]
    if as_json:
        show.print_json({"run": run, "findings": findings})
    else:
        _print(findings)
    if fail_on and any(finding["verdict"] == fail_on for finding in findings):
        show.lines_to(stderr=True)(f"a verdict is {fail_on}")
        sys.exit(2)


def _print(findings: list[dict[str, Any]]) -> None:
    from rich.text import Text

    from deepen.core.language import told
    from deepen.diagnosis import shelf

    wide = show.console()
    for finding in findings:
        question = finding["question"]
        head = Text.assemble((f"{told(finding['verdict']):<15}", _STYLES[finding["verdict"]]), (question, "bold"))
        head.append(f"  {told(shelf()[question].title)}", "dim")
        wide.print(head)
        for line in _figures(finding):
            wide.print(show.indented(line, 15))
        if finding["verdict"] == "not_applicable":
            wide.print(show.indented(finding["caveat"], 15, "dim"))
        if finding["remedy"]:
            wide.print(show.indented(f"-> {finding['remedy']}", 15))


def _figures(finding: dict[str, Any]) -> list[str]:
    lines = []
    if finding["observed"] and finding["control"]:
        told = [
            f"{name} {finding[key]['name']} {finding[key]['value']:.3f}"
            for key, name in (("observed", "observed"), ("control", "control"))
        ]
        effect = finding["effect"]
        if effect:
            told.append(f"effect {show.signed(effect)}")
        lines.append(", ".join(told))
    cue = next((row for row in finding["evidence"] if isinstance(row, dict) and "cue" in row), None)
    if cue:
        lines.insert(0, f"cue: {cue['cue']}")
    return lines
