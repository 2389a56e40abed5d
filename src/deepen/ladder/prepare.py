"""From a recipe to the work that rungs do: rows read, columns found, splits made, labels and model checked."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from deepen.core.errors import DataError, SettingError
from deepen.core.seed import derive
from deepen.data.columns import Columns
from deepen.data.labels import LabelNames, read_label_names
from deepen.data.load import load_table
from deepen.data.split import hold_out
from deepen.data.table import Part, Table
from deepen.ladder.recipe import DataSection, Recipe
from deepen.models.load import Pretrained, load_pretrained
from deepen.models.offline import DEFAULT_MODEL
from deepen.training.task import Task
from deepen.training.work import Work

_CHINESE_SHARE = 0.3


@dataclass(frozen=True)
class Sources:
    """The rows as Python objects, where they are not named in the recipe."""

    train: Any = None
    validation: Any = None
    test: Any = None


@dataclass(frozen=True)
class Prepared:
    """The work, the test rows, and what there is to say about how they came about."""

    work: Work
    test: Part | None
    columns: Columns
    notes: tuple[str, ...]


def load_task(name: str) -> Task:
    """The task of that name: the value `TASK` of its file."""
    task: Task = importlib.import_module(f"deepen.tasks.{name}").TASK
    return task


def prepare(recipe: Recipe, sources: Sources, folder: Path, *, say: Callable[[str], None]) -> Prepared:
    """Does everything that can fail because of what a person gave, before anything expensive.

    Args:
        recipe: What to do.
        sources: Rows from Python; None takes the recipe's paths.
        folder: The run folder.
        say: Prints a line for the user.

    Returns:
        The work and the test rows.

    Raises:
        DataError: If a file, a row or a label is wrong.
        SettingError: If there is no data at all.
        ModelError: If the model can't be had.
    """
    data = recipe.data
    source = sources.train if sources.train is not None else data.path
    if source is None:
        raise SettingError("no data: name a file, a folder or a hub data set")
    task = load_task(recipe.task or "classification")
    names = read_label_names(Path(data.labels)) if data.labels else None
    model = load_pretrained(recipe.model.name)
    table, columns = load_table(source, task.needs, data, columns=data.columns, label_names=names)
    say(f"{table.name}: {len(table):,} rows, {task.name}" + ("" if recipe.task else " (the columns say so)"))
    for need in task.needs:
        say(f"  {need.name}: {columns.reasons.get(need.name, '')}")
    notes = list(table.notes)
    whole = table.all_rows()
    labels = task.labels(whole, data.max_labels)
    held_source = sources.validation if sources.validation is not None else data.validation
    if held_source is not None:
        train, validation = whole, _other(held_source, task, data, columns, names, notes).all_rows()
        task.check(validation, labels)
    else:
        train, validation = _held_out(task, whole, labels, data, recipe.seed)
    test_source = sources.test if sources.test is not None else data.test
    test = _other(test_source, task, data, columns, names, notes).all_rows() if test_source is not None else None
    if test is not None:
        task.check(test, labels)
    _warn_of_language(whole, model, notes)
    notes = list(dict.fromkeys(notes))
    for note in notes:
        say(f"  note: {note}")
    say(f"  train {len(train):,}, validation {len(validation):,}" + (f", test {len(test):,}" if test else ""))
    work = Work(task, labels, train, validation, model, recipe.model, folder, recipe.seed, say)
    return Prepared(work, test, columns, tuple(notes))


def _other(
    source: Any, task: Task, data: DataSection, columns: Columns, names: LabelNames | None, notes: list[str]
) -> Table:
    table, _ = load_table(source, task.needs, data, columns=columns, label_names=names)
    notes += table.notes
    return table


def _held_out(task: Task, whole: Part, labels: tuple[str, ...], data: DataSection, seed: int) -> tuple[Part, Part]:
    targets = task.targets(whole, labels)
    one_each = len(targets.labels_M) == len(whole)
    train, validation = hold_out(
        whole,
        targets.labels_M if one_each else None,
        share=data.validation_share,
        at_least=data.validation_at_least,
        seed=derive(seed, "validation"),
    )
    if not len(validation) or not len(train):
        raise DataError(f"{whole.table.name}: {len(whole)} rows are too few to hold any out; pass --validation")
    return train, validation


def _warn_of_language(part: Part, model: Pretrained, notes: list[str]) -> None:
    if model.name != DEFAULT_MODEL:
        return
    name = part.table.inputs[0]
    texts = [str(text) for text in part.take(np.arange(min(200, len(part)))).values(name)]
    letters = [char for text in texts for char in text if char.isalpha()]
    chinese = sum("\u3400" <= char <= "\u9fff" for char in letters)
    if letters and chinese / len(letters) > _CHINESE_SHARE:
        notes.append(
            f"most of the text is Chinese and {DEFAULT_MODEL} reads English: pass a multilingual or Chinese encoder, "
            "e.g. --model intfloat/multilingual-e5-small"
        )
