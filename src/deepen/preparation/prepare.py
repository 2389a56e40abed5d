"""From a recipe to the work that rungs do: rows are read, checked, split, amended and described."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from deepen.core.errors import SettingError
from deepen.data.check.problem import Splits
from deepen.data.label_names import read_label_names
from deepen.data.table import Part
from deepen.finetuning.precision import quickest
from deepen.generation.writer import asking_of
from deepen.models.generator import load_generator, load_reader
from deepen.models.load import load_pretrained
from deepen.models.precision import Precision
from deepen.models.scratch import is_scratch, write_scratch
from deepen.preparation.amend import amend
from deepen.preparation.catalog import load_task, shelf, tunings
from deepen.preparation.check import check_first
from deepen.preparation.describe import describe
from deepen.preparation.none_of_these import check_refusing
from deepen.preparation.read import Sources, infer_task, read
from deepen.preparation.recipe import Recipe
from deepen.preparation.rows import Rows
from deepen.preparation.split import split
from deepen.problem.base import Base, ModelSettings, Tuning
from deepen.problem.context import Context
from deepen.problem.task import Task
from deepen.problem.text_answers import SOURCE, answers
from deepen.problem.weights import balanced
from deepen.problem.work import Work


@dataclass(frozen=True)
class Prepared:
    """The work, and the rows as they came about: those for testing too, and what there is to say."""

    work: Work
    rows: Rows

    @property
    def mark(self) -> str:
        """Equal for equal rows and labels in every part: a run goes on with the data it began with."""
        return self.rows.mark

    def without_fold(self, fold: int) -> Prepared:
        """The same without a fold to learn from, which alone decides."""
        assert self.rows.fold_N is not None  # noqa: S101 - there are folds
        problem = self.work.problem
        held = problem.validation.take(np.flatnonzero(self.rows.fold_N[problem.validation.rows_N] == fold))
        return replace(self, work=self.work.on(self.rows.without_fold(fold, problem.train), held))

    def resolved(self, recipe: Recipe) -> Recipe:
        """The recipe with what `auto` came to: it leaves the same rows out of the same files, or none."""
        came_to: dict[str, Any] = {"unmasked": self.rows.unmasked}
        if recipe.data.bad_rows == "auto":
            came_to["bad_rows"] = "drop" if any(table.num_bad for table in self.rows.told.tables) else "error"
        return _with(recipe.model_copy(update={"precision": self.work.base.precision}), came_to)


def _model(recipe: Recipe, task: Task) -> Any:
    """The pretrained model: one that writes where the answer is text; None where that begins with random weights.

    Raises:
        SettingError: If a rung or a head is asked for that such a task does not have.
    """
    if task.writes is None:
        return load_pretrained(recipe.model.name)
    for name in recipe.ladder.rungs or ():
        if not shelf()[name].writes:
            there = ", ".join(name for name, rung in shelf().items() if rung.writes)
            raise SettingError(f"--rungs {name}: the answer of {task.name} is text; its rungs are {there}")
    if recipe.precision not in ("float32", "bfloat16"):
        raise SettingError(f"precision={recipe.precision}: a network that writes learns in float32 or bfloat16")
    usual = ModelSettings()
    for name in ("pooling", "head"):
        if getattr(recipe.model, name) != getattr(usual, name):
            raise SettingError(f"model.{name}: the answer of {task.name} is text, and no head is put on; leave it out")
    if recipe.tuning != Tuning().name and tunings()[recipe.tuning].peft is None:
        there = ", ".join([Tuning().name, *(name for name, way in tunings().items() if way.peft is not None)])
        raise SettingError(f"--tuning {recipe.tuning}: a network that writes can have {there}")
    if not is_scratch(recipe.model.name):
        return load_generator(recipe.model.name)
    known = [name for name, rung in shelf().items() if rung.writes and rung.scratch]
    for name in recipe.ladder.rungs or ():
        if name not in known:
            raise SettingError(
                f"--rungs {name}: {recipe.model.name} begins with random weights; its rungs are {', '.join(known)}"
            )
    if recipe.tuning != Tuning().name:
        raise SettingError(
            f"--tuning {recipe.tuning}: {recipe.model.name} begins with random weights, which all learn; leave it out"
        )
    return None


def _from_scratch(recipe: Recipe, train: Part, say: Callable[[str], None]) -> Any:
    """A network of random weights, whose tokenizer is made of the training rows."""
    chosen, texts = recipe.model, [*train.values(SOURCE), *answers(train)]
    folder = write_scratch(chosen.name, texts, vocabulary=chosen.vocabulary, seed=recipe.seed)
    model = load_generator(chosen.name, folder)
    say(
        f"  {chosen.name}: random weights, and a vocabulary of {model.config['vocab_size']:,} tokens made of the "
        "training rows"
    )
    return model


def _with(recipe: Recipe, data: dict[str, Any]) -> Recipe:
    return recipe.model_copy(update={"data": recipe.data.model_copy(update=data)})


def _in_precision(work: Work, asked: Precision | Literal["auto"]) -> Work:
    precision = quickest(work) if asked == "auto" else asked
    if asked == "auto" or precision != "float32":
        work.context.say(f"  precision: {precision}")
    return replace(work, base=replace(work.base, precision=precision))


def prepare(recipe: Recipe, sources: Sources, folder: Path, *, say: Callable[[str], None]) -> Prepared:
    """Does everything that can fail because of what a person gave, before anything expensive.

    Args:
        sources: Rows from Python; None takes the recipe's paths.

    Raises:
        DataError: If a file, a row or a label is wrong.
        SettingError: If there is no data at all.
        ModelError: If the model can't be had.
    """
    data = recipe.data
    sources.training(recipe)
    name, why = (recipe.task, "") if recipe.task else infer_task(recipe, sources)
    task = load_task(name, getattr(recipe.tasks, name, None))
    if task.form.head.is_units and recipe.model.pooling is not None:
        raise SettingError(f"model.pooling={recipe.model.pooling}: {name} reads each token's own vector; leave it out")
    names = read_label_names(Path(data.labels)) if data.labels else None
    model = _model(recipe, task)
    rows = read(recipe, sources, task, names, why=why, say=say)
    recipe = _with(recipe, {"unmasked": rows.unmasked})
    splits = Splits(
        rows.given,
        near=data.near,
        max_labels=data.max_labels,
        scores=rows.task.target.is_number,
        texts=task.writes is not None,
    )
    rows = rows.warning(*check_first(splits)) if data.check else rows
    rows = split(rows, splits, recipe)
    if recipe.none_of_these.refuse:
        learned = recipe.ladder.refit or rows.fold_N is not None
        check_refusing(task, recipe.none_of_these, rows=len(rows.problem.validation), learned=learned)
    rows = amend(rows, recipe, decodes=model is not None and model.decodes)
    model = model or _from_scratch(recipe, rows.train, say)
    method = tunings()[recipe.tuning]
    tuning = Tuning(recipe.tuning, getattr(recipe.tunings, recipe.tuning), method.attach, method.peft)
    problem = balanced(rows.problem) if recipe.ladder.class_weights == "balanced" else rows.problem
    context = Context(folder, recipe.seed, say, start=sources.start, finished=sources.finished)
    work = Work(problem, Base(model, recipe.model, tuning), context)
    if task.writes is not None:
        asking_of(work, load_reader(work.base.model.folder))
    work = _in_precision(work, recipe.precision)
    rows = describe(rows, work)
    rows = replace(rows, told=rows.told.aloud(say))
    shown = {part: some for part, some in rows.given.items() if part != "validation" or rows.fold_N is None}
    say("  " + ", ".join(f"{part} {len(some):,}" for part, some in shown.items()))
    if rows.fold_N is not None:
        say(
            f"  fewer than {data.cross_validate_below:,} rows: {data.folds}-fold cross-validation decides, scores are "
            "of out-of-fold rows, the chosen rung learns from all (--set data.cross_validate_below=0 holds rows out)"
        )
    if rows.unlabelled:
        say(f"  unlabelled {len(rows.unlabelled):,}")
    return Prepared(work, rows)
