"""From what a person named to rows: the task, the columns, the label table, and which rows are for what."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from deepen.core.errors import SettingError
from deepen.data.columns import Columns, plain_name
from deepen.data.label_names import LabelNames
from deepen.data.load import load_table, look
from deepen.data.marks import ForSplit
from deepen.data.masked_rows import kept_kinds
from deepen.data.source import Split, clip
from deepen.data.table import Table
from deepen.preparation.catalog import tasks
from deepen.preparation.data_section import DataSection
from deepen.preparation.none_of_these import without_outside
from deepen.preparation.recipe import Recipe
from deepen.preparation.rows import Rows
from deepen.preparation.scorable import scorable
from deepen.preparation.told import Told
from deepen.problem.task import Task
from deepen.problem.threshold import cut_for, wish_of


@dataclass(frozen=True)
class Sources:
    """The rows as Python objects, where they are not named in the recipe, and a model that rungs start from, or are."""

    train: Any = None
    validation: Any = None
    test: Any = None
    start: Path | None = None
    finished: Path | None = None

    def training(self, recipe: Recipe) -> Any:
        """The training rows; raises SettingError if neither has any."""
        source = self.train if self.train is not None else recipe.data.path
        if source is None:
            raise SettingError("no data: name a file, a folder or a hub data set")
        return source


def infer_task(recipe: Recipe, sources: Sources) -> tuple[str, str]:
    """The task that the training rows look like, by what the tasks say of them.

    Args:
        sources: Rows from Python; None takes the recipe's path.

    Raises:
        DataError: If the rows can't be opened.
    """
    source = look(sources.training(recipe), recipe.data)
    claims = [(claim, name) for name, task in tasks().items() if (claim := task.recognise(source)) is not None]
    claim, name = max(claims, key=lambda found: found[0].strength)
    return name, claim.reason


def read(
    recipe: Recipe, sources: Sources, task: Task, names: LabelNames | None, *, why: str, say: Callable[[str], None]
) -> Rows:
    """Reads all rows that have labels.

    Args:
        sources: Rows from Python; None takes the recipe's paths.
        why: Why it is this task; empty where a person said so.

    Returns:
        The rows; those of validation and test are None where there are none.

    Raises:
        DataError: If a file, a row or a label is wrong.
    """
    data, source = recipe.data, sources.training(recipe)
    read_with = partial(load_table, ForSplit(source, "train"), task.needs, columns=data.columns, label_names=names)
    table, columns = read_with(data)
    kept = kept_kinds(table.changed)
    if kept:
        data = data.model_copy(update={"unmasked": (*data.unmasked, *kept)})
        table, columns = read_with(data)
    say(f"{table.name}: {len(table):,} rows, {task.name}" + (f": {why}" if why else ""))
    for need in task.needs:
        if need.name in columns.reasons:
            say(f"  {need.name}: {columns.reasons[need.name]}")
    outside = recipe.none_of_these.label if recipe.none_of_these.refuse else None
    whole = without_outside(table, outside)
    labels = task.labels(whole, data.max_labels)
    ladder = recipe.ladder
    task = task.for_labels(labels).decided_by(ladder.decide_by)
    wish = wish_of(task, labels, recall=ladder.recall, precision=ladder.precision, label=ladder.positive)
    task = cut_for(task, labels, wish)
    told = Told().and_warnings(*_unread(task, table, columns)).of(table)
    if kept:
        told = told.and_notes(f"{table.name}: {', '.join(kept)} stay unmasked: the task itself must find some of them")
    others = _others(sources, data, source, table.marked)
    scored = others.get("test") or others.get("validation") or ForSplit(source, "train")
    rows = Rows(
        task, labels, columns, names, whole, None, None, wish, scored, data.unmasked, told=told, outside=outside
    )
    for split, other in others.items():
        rows = _with(rows, split, other, data)
    return rows


def _unread(task: Task, table: Table, columns: Columns) -> list[str]:
    """Columns that a person may think are learned from, and are not."""
    used = {part for parts in columns.inputs.values() for part in parts}
    passed = [name for name in table.names if plain_name(name) in task.unread and name not in used]
    said = "is not read: the answers of other rows are the wrong ones, and so is a row's answer with the label 0"
    return [f"{table.name}: column '{clip(name)}' {said}" for name in passed]


def _others(sources: Sources, data: DataSection, train: Any, marked: Mapping[Split, int]) -> dict[Split, ForSplit]:
    """Where the validation and the test rows are: as named, else those that the training data itself marks so."""
    given: tuple[tuple[Split, Any, Any], ...] = (
        ("validation", sources.validation, data.validation),
        ("test", sources.test, data.test),
    )
    found: dict[Split, ForSplit] = {}
    for split, rows, path in given:
        source = rows if rows is not None else path
        if source is None and "train" in marked and split in marked:
            source = train
        if source is not None:
            found[split] = ForSplit(source, split)
    return found


def _with(rows: Rows, split: Split, source: ForSplit, data: DataSection) -> Rows:
    """The rows with those for another split."""
    columns = rows.columns
    if columns.values:  # the first rows of a sorted file show few of the labels
        columns = replace(columns, values=tuple(dict.fromkeys((*columns.values, *rows.labels))))
    table, found = load_table(source, rows.task.needs, data, columns=columns, label_names=rows.names)
    part = scorable(table, rows.task, rows.labels, data.bad_rows, outside=rows.outside)
    other = [reason for reason in found.reasons.values() if not reason.endswith("as in the training data")]
    told = rows.told.of(part.table).and_notes(*(f"{table.name}: {reason}" for reason in other))
    rows = replace(rows, told=told)
    return replace(rows, validation=part) if split == "validation" else replace(rows, test=part)
