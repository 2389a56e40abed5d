"""From a recipe to the work that rungs do: rows read, columns found, splits made, labels and model checked."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from deepen.core.errors import SettingError
from deepen.core.files import fingerprint
from deepen.core.seed import derive
from deepen.data.check.problem import Splits
from deepen.data.columns import Columns, plain_name
from deepen.data.label_names import LabelNames, read_label_names
from deepen.data.load import load_table, look, marked_splits
from deepen.data.marks import Rows, Split
from deepen.data.masked_rows import kept_kinds
from deepen.data.masking import Kind
from deepen.data.source import clip
from deepen.data.split import hold_out
from deepen.data.table import Part, Table
from deepen.models.find import DEFAULT_MODEL
from deepen.models.load import load_pretrained
from deepen.preparation.catalog import load_task, shelf, tasks, tunings
from deepen.preparation.check import check_added, check_first
from deepen.preparation.recipe import DataSection, Recipe
from deepen.preparation.scorable import scorable
from deepen.preparation.told import Told
from deepen.preparation.training_rows import amend, extend, label_rows, read_added
from deepen.preparation.unlabelled import check_task, read_unlabelled
from deepen.problem.task import Task
from deepen.problem.weights import balanced
from deepen.problem.work import Tuning, Work


@dataclass(frozen=True)
class Sources:
    """The rows as Python objects, where they are not named in the recipe."""

    train: Any = None
    validation: Any = None
    test: Any = None


@dataclass(frozen=True)
class Prepared:
    """The work, the test rows, and what there is to say about how they came about.

    `warnings` are about what probably makes the result wrong, `notes` about what was decided harmlessly. `amended`
    marks what lists of ids changed; `tables` are those that were read, `unmasked` kinds that the task must find.
    """

    work: Work
    test: Part | None
    columns: Columns
    notes: tuple[str, ...]
    label_names: LabelNames | None = None
    amended: str = ""
    unlabelled: Part | None = None
    warnings: tuple[str, ...] = ()
    tables: tuple[Table, ...] = ()
    unmasked: tuple[Kind, ...] = ()

    @property
    def mark(self) -> str:
        """Equal for equal rows and labels in every part: a run goes on with the data it began with."""
        parts = (self.work.train, self.work.validation, self.test, *([self.unlabelled] if self.unlabelled else []))
        prints = [part.table.fingerprint if part else None for part in parts]
        return fingerprint(prints, list(self.work.labels), *([self.amended] if self.amended else []))

    def resolved(self, recipe: Recipe) -> Recipe:
        """The recipe with what `auto` came to: it leaves the same rows out of the same files, or none."""
        came_to: dict[str, Any] = {"unmasked": self.unmasked}
        if recipe.data.bad_rows == "auto":
            came_to["bad_rows"] = "drop" if any(table.num_bad for table in self.tables) else "error"
        return _with(recipe, came_to)


def _with(recipe: Recipe, data: dict[str, Any]) -> Recipe:
    return recipe.model_copy(update={"data": recipe.data.model_copy(update=data)})


def infer_task(recipe: Recipe, sources: Sources) -> tuple[str, str]:
    """The task that the training rows look like, by what the tasks say of them.

    Args:
        recipe: Where the rows are, and how to read them.
        sources: Rows from Python; None takes the recipe's path.

    Returns:
        The task's name and why.

    Raises:
        DataError: If the rows can't be opened.
    """
    source = look(sources.train if sources.train is not None else recipe.data.path, recipe.data)
    claims = [(claim, name) for name, task in tasks().items() if (claim := task.recognise(source)) is not None]
    claim, name = max(claims, key=lambda found: found[0].strength)
    return name, claim.reason


def prepare(recipe: Recipe, sources: Sources, folder: Path, *, say: Callable[[str], None]) -> Prepared:
    """Does everything that can fail because of what a person gave, before anything expensive.

    Args:
        sources: Rows from Python; None takes the recipe's paths.

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
    name, why = (recipe.task, "") if recipe.task else infer_task(recipe, sources)
    task = load_task(name, getattr(recipe.tasks, name, None))
    if task.pooling == "units" and recipe.model.pooling is not None:
        raise SettingError(f"model.pooling={recipe.model.pooling}: {name} reads each token's own vector; leave it out")
    names = read_label_names(Path(data.labels)) if data.labels else None
    model = load_pretrained(recipe.model.name)
    table, columns, recipe = _train_table(recipe, source, task, names)
    data = recipe.data
    say(f"{table.name}: {len(table):,} rows, {task.name}" + (f": {why}" if why else ""))
    for need in (need for need in task.needs if need.name in columns.reasons):
        say(f"  {need.name}: {columns.reasons[need.name]}")
    told = Told(warnings=_unread(task, source, data, columns) if task.unread else [])
    whole = told.of(table).all_rows()
    labels = task.labels(whole, data.max_labels)
    task = task.for_labels(labels).decided_by(recipe.ladder.decide_by)
    others = _others(sources, data, source, marked_splits(source, data, columns))
    read = partial(_other, task=task, labels=labels, data=data, columns=columns, names=names, told=told)
    held, test = (read(other) if other is not None else None for other in others)
    given = {name: part for name, part in (("validation", held), ("test", test)) if part is not None}
    scores = task.targets(whole.take(np.zeros(1, np.int64)), labels).are_scores
    splits = Splits({"train": whole, **given}, near=data.near, max_labels=data.max_labels, scores=scores)
    if data.check:
        check_first(splits, told.warnings)
    train, validation = (whole, held) if held is not None else _held_out(task, splits, labels, data, recipe.seed)
    amended = amend(train, validation, labels, drop=data.drop, fix=data.fix)
    train, validation, mark = amended.train, amended.validation, amended.mark
    told.notes += amended.notes
    if data.add is not None:
        added = told.of(read_added(data.add, task.needs, data, columns, names))
        task.check(added.all_rows(), labels)
        before = train
        train, validation = extend(train, validation, added)
        if data.check:
            scored = {"validation": validation} if test is None else {"validation": validation, "test": test}
            check_added(added.all_rows(), train, scored, before, data.near, told.warnings)
        mark = fingerprint(mark, added.fingerprint)
        told.notes.append(f"{added.name}: {len(added):,} rows added to the training rows")
    unlabelled = _unlabelled(recipe, task, columns, [part for part in (train, validation, test) if part], labels, told)
    tuning = Tuning(recipe.tuning, getattr(recipe.tunings, recipe.tuning), tunings()[recipe.tuning].attach)
    about: dict[str, Any] = {"tuning": tuning, "descriptions": dict(names.descriptions) if names is not None else {}}
    work = Work(task, labels, train, validation, model, recipe.model, folder, recipe.seed, say, **about)
    if data.label_rows and _learns(recipe) and (named := label_rows(work, data)) is not None:
        train, validation = extend(train, validation, named)
        work = replace(work, train=train, validation=validation)
        told.notes.append(f"few rows a label: {len(named):,} training rows more, what their labels are called or mean")
    work = balanced(work) if recipe.ladder.class_weights == "balanced" else work
    _warn_of_language(work, told.notes)
    told.notes += [note for part in (train, validation, test) if part is not None for note in _truncation(work, part)]
    told.aloud(say)
    say(f"  train {len(train):,}, validation {len(validation):,}" + (f", test {len(test):,}" if test else ""))
    if unlabelled:
        say(f"  unlabelled {len(unlabelled):,}")
    said = (tuple(told.warnings), tuple(told.tables), data.unmasked)
    return Prepared(work, test, columns, tuple(told.notes), names, mark, unlabelled, *said)


def _train_table(recipe: Recipe, source: Any, task: Task, names: LabelNames | None) -> tuple[Table, Columns, Recipe]:
    """The training rows, and the recipe without masking what the task itself must find in them."""
    how: dict[str, Any] = {"columns": recipe.data.columns, "label_names": names}
    table, columns = load_table(Rows(source, "train"), task.needs, recipe.data, **how)
    kept = kept_kinds(table.changed)
    if not kept:
        return table, columns, recipe
    recipe = _with(recipe, {"unmasked": (*recipe.data.unmasked, *kept)})
    table, columns = load_table(Rows(source, "train"), task.needs, recipe.data, **how)
    note = f"{table.name}: {', '.join(kept)} stay unmasked: the task itself must find some of them"
    return replace(table, notes=(*table.notes, note)), columns, recipe


def _unread(task: Task, source: Any, data: DataSection, columns: Columns) -> list[str]:
    """Columns that a person may think are learned from, and are not."""
    found = look(source, data)
    used = {part for parts in columns.inputs.values() for part in parts}
    passed = [name for name in found.names or () if plain_name(name) in task.unread and name not in used]
    said = "is not read: the answers of other rows are the wrong ones, and so is a row's answer with the label 0"
    return [f"{found.name}: column '{clip(name)}' {said}" for name in passed]


def _others(
    sources: Sources, data: DataSection, train: Any, marked: Mapping[Split, int]
) -> tuple[Rows | None, Rows | None]:
    """Where the validation and the test rows are: as named, else those that the training data itself marks so."""
    found: list[Rows | None] = []
    given: tuple[tuple[Split, Any, Any], ...] = (
        ("validation", sources.validation, data.validation),
        ("test", sources.test, data.test),
    )
    for split, rows, path in given:
        source = rows if rows is not None else path
        if source is None and "train" in marked and split in marked:
            source = train
        found.append(Rows(source, split) if source is not None else None)
    return found[0], found[1]


def _learns(recipe: Recipe) -> bool:
    """Whether a rung that may be climbed learns from rows."""
    return any(shelf()[name].self_trainable for name in recipe.ladder.rungs or shelf())


def _unlabelled(
    recipe: Recipe, task: Task, columns: Columns, labelled: list[Part], labels: tuple[str, ...], told: Told
) -> Part | None:
    if recipe.data.unlabelled is None:
        return None
    if not _learns(recipe):
        raise SettingError(
            f"--unlabelled: {', '.join(recipe.ladder.rungs or ())} can't learn from rows; name another rung, as frozen"
        )
    check_task(task, labelled[0], task.targets(labelled[0], labels))
    part, notes = read_unlabelled(recipe.data.unlabelled, task, recipe.data, columns, labelled)
    told.of(part.table)
    told.notes += notes
    return part


def _other(
    source: Any,
    task: Task,
    labels: tuple[str, ...],
    data: DataSection,
    columns: Columns,
    names: LabelNames | None,
    told: Told,
) -> Part:
    if columns.values:  # the first rows of a sorted file show few of the labels
        columns = replace(columns, values=tuple(dict.fromkeys((*columns.values, *labels))))
    table, found = load_table(source, task.needs, data, columns=columns, label_names=names)
    part = scorable(table, task, labels, data.bad_rows)
    told.of(part.table)
    other = [reason for reason in found.reasons.values() if not reason.endswith("as in the training data")]
    told.notes += [f"{table.name}: {reason}" for reason in other]
    return part


def _held_out(task: Task, splits: Splits, labels: tuple[str, ...], data: DataSection, seed: int) -> tuple[Part, Part]:
    whole = splits.train
    targets = task.targets(whole, labels)
    one_each = len(targets.labels_M) == len(whole) and not (targets.are_scores or targets.are_many or task.documents)
    return hold_out(
        whole,
        targets.labels_M if one_each else None,
        share=data.validation_share,
        at_least=data.validation_at_least,
        seed=derive(seed, "validation"),
        groups_N=splits.groups.near_N[: len(whole)],
    )


def _how(task: Task) -> str:
    return " in the middle" if getattr(task.settings, "long", "head") == "ends" else " at the end"


def _truncation(work: Work, part: Part) -> list[str]:
    cut = int(np.asarray(work.tokens(part.table).truncated_N).sum())
    if not cut:
        return []
    name, num, limit = part.table.name, len(part.table), work.max_tokens
    share = f"{cut:,} of {num:,} texts ({100 * cut / num:.1f} %)"
    return [f"{name}: {share} are longer than {limit} tokens and cut{_how(work.task)} ({_to_read_more(work)})"]


def _to_read_more(work: Work) -> str:
    most = replace(work, model_settings=work.model_settings.model_copy(update={"max_tokens": None})).max_tokens
    if most > work.max_tokens:
        return f"--set model.max_tokens={most} reads more"
    if work.task.name == "classification":
        return "--set tasks.classification.long=windows reads all of a text"
    return "--model with one that reads more, or shorten the texts"


def _warn_of_language(work: Work, notes: list[str]) -> None:
    if work.model.name == DEFAULT_MODEL and work.language == "zh":
        notes.append(
            f"most of the text is Chinese and {DEFAULT_MODEL} reads English: pass a multilingual or Chinese encoder, "
            "e.g. --model intfloat/multilingual-e5-small"
        )
