"""Looks at data before a climb: the whole of `deepen check`, and the quick part that `deepen train` runs first."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from deepen.core.cells import printable
from deepen.core.errors import DataError
from deepen.core.types import to_json
from deepen.data.check import duplicates
from deepen.data.check.doctor import QUICK
from deepen.data.check.doctor import examine as run_checks
from deepen.data.check.problem import Problem, Splits, TokenLengths
from deepen.data.check.reading import unreadable
from deepen.data.columns import Columns
from deepen.data.label_names import LabelNames, read_label_names
from deepen.data.load import load_table
from deepen.data.marks import ForSplit
from deepen.data.near import NearSettings, row_texts
from deepen.data.source import Split
from deepen.data.table import Part, Table
from deepen.models.find import find, packaged
from deepen.models.tokenizer import Tokenizer, load_tokenizer
from deepen.preparation.data_section import DataSection
from deepen.preparation.recipe import Recipe
from deepen.problem.task import Task

_PIECE = 1024
_SHOWN_WARNINGS = 8
# what decides what is learned; the remedies of the others are what `deepen check` is for
_WITH_REMEDY = (
    "labels_are_scores",
    "labels_in_order",
    "labels_count",
    "several_labels",
    "listed_label",
    "header_as_label",
)
_SPLITS: tuple[Split, ...] = ("train", "validation", "test")


def examine(
    recipe: Recipe, given: Mapping[str, Any], task: Task, *, model: str | None, say: Callable[[str], None]
) -> dict[str, Any]:
    """Everything the data doctor finds.

    Args:
        recipe: How to read, and what counts as near.
        given: `train`, and `validation` and `test` where there are any: what `load_table` takes.
        model: A model whose tokens are counted; None takes the recipe's, if it is on this machine.

    Returns:
        The record that `deepen check --json` prints.

    Raises:
        DataError: If a file does not exist.
        SettingError: If a label file or a setting is wrong.
        ModelError: If a model is named and can't be had.
    """
    data = recipe.data
    names = read_label_names(Path(data.labels)) if data.labels else None
    problems: list[Problem] = []
    parts: dict[str, Part] = {}
    stopping: set[str] = set()
    columns: Columns | None = None
    wanted = dict(given)
    for name in _SPLITS:
        if name not in wanted:
            continue
        source = wanted[name]
        say(f"reading {source if isinstance(source, str | Path) else name}")
        try:
            table, found, whole = _read(ForSplit(source, name), task, data, columns, names)
        except DataError as error:
            if isinstance(source, str | Path) and not os.path.exists(os.path.expanduser(source)):
                raise
            file = printable(str(source)) if isinstance(source, str | Path) else name
            problems.append(unreadable(error, file))
            if name == "train":
                break
            continue
        columns = columns or found
        parts[name] = table.all_rows()
        stopping |= set() if whole else {name}
        if name == "train":
            wanted = {split: source for split in table.marked if "train" in table.marked} | wanted
    if "train" in parts:
        tokens = _tokens(parts, recipe, model)
        say(f"checking {sum(map(len, parts.values())):,} rows")
        problems += run_checks(
            Splits(parts, data.near, tokens, data.max_labels, frozenset(stopping), texts=task.writes is not None)
        )
    order = ("error", "warning", "note")
    problems.sort(key=lambda problem: order.index(problem.severity))
    return {
        "rows": len(parts["train"]) if parts else 0,
        "columns": _columns_record(columns),
        "task": task.name,
        "findings": [to_json(problem) for problem in problems],
    }


def _read(
    source: ForSplit, task: Task, data: DataSection, columns: Columns | None, names: LabelNames | None
) -> tuple[Table, Columns, bool]:
    """The rows that can be read, and whether training would read them. If so, it finds them in the cache."""
    asked = columns if columns is not None else data.columns
    try:
        return *load_table(source, task.needs, data, columns=asked, label_names=names), True
    except DataError as error:
        lenient = data.model_copy(update={"bad_rows": "drop"})
        try:
            return *load_table(source, task.needs, lenient, columns=asked, label_names=names), False
        except DataError:
            raise error from None  # no row can be read, and the first says why


def _columns_record(columns: Columns | None) -> dict[str, Any]:
    if columns is None:
        return {}
    chosen = {**columns.inputs, **({"label": columns.target} if columns.target is not None else {})}
    return {name: {"columns": list(parts), "reason": columns.reasons.get(name, "")} for name, parts in chosen.items()}


def _tokens(parts: Mapping[str, Part], recipe: Recipe, model: str | None) -> dict[str, TokenLengths]:
    """Lengths by the model that would be trained; nothing is downloaded unless the model was named."""
    name = model or recipe.model.name
    if model is None and packaged(name) is None and not Path(name).expanduser().is_dir():
        return {}
    tokenizer = load_tokenizer(find(name)[1])
    return {split: _token_lengths(part, tokenizer, recipe, name) for split, part in parts.items()}


def _token_lengths(part: Part, tokenizer: Tokenizer, recipe: Recipe, name: str) -> TokenLengths:
    tokenizer.backend.no_truncation()
    lengths_N = np.empty(len(part), dtype=np.int64)
    start = 0
    for texts in _pieces(part):
        encoded = tokenizer.backend.encode_batch_fast(texts)
        lengths_N[start : start + len(texts)] = [len(item) for item in encoded]
        start += len(texts)
    limit = min(recipe.model.max_tokens or 512, tokenizer.max_tokens)
    return TokenLengths(lengths_N, limit, name)


def _pieces(part: Part) -> Iterator[list[str]]:
    texts: list[str] = []
    for text in row_texts(part):
        texts.append(text)
        if len(texts) == _PIECE:
            yield texts
            texts = []
    if texts:
        yield texts


def check_added(added: Part, joined: Part, others: Mapping[str, Part], before: Part, near: NearSettings) -> list[str]:
    """Warnings of what added training rows spoil: a validation or a test row among them, labels that conflict."""
    name = added.table.name
    said = [
        f"{name}: where train is what is added, {problem.message}"
        for problem in duplicates.find(Splits({"train": added, **others}, near))
        if problem.code in ("leakage", "near_leakage")
    ]
    exact = near.model_copy(update={"max_rows": 0})  # near-copies with other labels are a note, and dear to find
    was, now = (
        next((one for one in duplicates.find(Splits({"train": part}, exact)) if one.code == "conflicting_labels"), None)
        for part in (before, joined)
    )
    if now is not None and (was is None or now.count > was.count):
        said.append(f"{name}: with what is added, {now.message}")
    return said


def check_first(splits: Splits) -> list[str]:
    """The quick checks before a climb.

    Raises:
        DataError: For the first error that was found.
    """
    problems = run_checks(splits, QUICK)
    for problem in problems:
        if problem.severity == "error":
            where = f"{problem.file} line {problem.line}" if problem.line is not None else problem.file
            remedy = f"; {problem.remedy}" if problem.remedy else ""
            raise DataError(f"{where}: {problem.message}{remedy} (--set data.check=false trains on it all the same)")
    warnings = [problem for problem in problems if problem.severity == "warning"]
    said = [
        f"{problem.file}: {problem.message}" + (f" ({problem.remedy})" if problem.code in _WITH_REMEDY else "")
        for problem in warnings[:_SHOWN_WARNINGS]
    ]
    if len(warnings) > _SHOWN_WARNINGS:
        more = len(warnings) - _SHOWN_WARNINGS
        said.append(f"{more} more warning{'' if more == 1 else 's'}: deepen check shows all")
    return said
