"""What a run leaves for people to read: the model card and the page, made from what is in its folder."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from deepen.core.errors import DeepenError
from deepen.core.files import read_jsonl, read_object, write_text
from deepen.core.places import without_home
from deepen.core.recipe_file import read_recipe
from deepen.core.run import Run
from deepen.evaluation.promises import NONE_OF_THESE, bound_file
from deepen.reporting.card import card
from deepen.reporting.commands import here
from deepen.reporting.language import language_of

_FEW_ROWS = 500


def leave_page(run: Run, say: Callable[[str], None]) -> None:
    """Writes the report of a finished run, which is not spoilt by a page that can't be had."""
    from deepen.reporting.page import write_report

    try:
        write_report(run.folder)
    except DeepenError as error:
        say(f"  note: no report.html: {error}")


_MARK = re.compile(r"\n<!-- deepen wrote this card, sha256 ([0-9a-f]{64}) -->\n\Z")


def leave_card(run: Run, say: Callable[[str], None] | None = None) -> None:
    """Writes the model card into `model/` only, as rungs share files by hard links; an edited one is kept."""
    path = run.folder / "model" / "README.md"
    if path.is_file() and not _is_ours(path):
        if say is not None:
            say(f"  note: {path} was edited, or is of an earlier version, and is kept; without it a new one is written")
        return
    told = run.folder / "diagnosis.json"
    diagnosis = read_object(told) if told.is_file() else None
    recipe = _without_homes(read_recipe(run.folder / "recipe.yaml"))
    if not bound_file(run.folder, NONE_OF_THESE).is_file():  # a compressed run has the recipe, and answers every row
        recipe.pop("none_of_these", None)
    environment = read_object(run.folder / "environment.json")
    ladder = run.ladder
    texts = _texts(run.rung(str(ladder.chosen)) / "predictions-validation.jsonl")
    text = card(here(run.folder, ladder), recipe, environment, diagnosis, language=language_of(texts))
    write_text(path, f"{text}\n<!-- deepen wrote this card, sha256 {_sum(text)} -->\n")


def _texts(path: Path) -> Iterator[str]:
    """What the first rows of a file of predictions read."""
    for line in islice(read_jsonl(path), _FEW_ROWS) if path.is_file() else ():
        inputs = line.get("inputs")
        yield from (value for value in (inputs.values() if isinstance(inputs, dict) else ()) if isinstance(value, str))


def _is_ours(path: Path) -> bool:
    """Whether a card is as it was written."""
    text = path.read_text(encoding="utf-8", errors="replace")
    mark = _MARK.search(text)
    return mark is not None and mark[1] == _sum(text[: mark.start()])


def _sum(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _without_homes(value: Any) -> Any:
    """Settings whose paths name nobody's home: a card is handed on with the model."""
    if isinstance(value, dict):
        return {key: _without_homes(item) for key, item in value.items()}
    return without_home(value) if isinstance(value, str) else value
