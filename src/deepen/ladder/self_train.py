"""Self-training: the best rung labels the rows that have no label, and rungs learn again from those it is sure of.

A rung's second model stands only if it is better on the validation rows (docs/decisions/0022).

Shape legend: N unlabelled rows.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
import torch

from deepen.core.errors import DataError
from deepen.core.files import replacing
from deepen.core.ladder import LadderRow, SelfTrained, SelfTraining, Stage, UnderWay
from deepen.core.run import keep_strangers
from deepen.core.seed import derive
from deepen.core.settings import Settings
from deepen.data.table import Part
from deepen.evaluation.calibration import softmax
from deepen.ladder import record
from deepen.ladder.decide import best_of, fits, gain_over
from deepen.ladder.judge import Climbing, Measured, begin_stage, chosen, measure, publish, start_of, write_rung
from deepen.ladder.refit import joined, refit
from deepen.preparation.catalog import shelf
from deepen.preparation.training_rows import extend
from deepen.problem.climbed import Climbed, Dynamics
from deepen.problem.task import Predictor
from deepen.problem.work import Work

LABELS = "self_training.npz"
"""What the teacher said of the unlabelled rows, kept until the climb is complete."""
_BESIDE = "self_trained"  # a rung's second model, until ladder.json says that it stands


@dataclass(frozen=True)
class Lesson:
    """A climb's training rows with all unlabelled rows after them, which have the teacher's labels.

    `sure_N` is the probability that the teacher gives the label of each.
    """

    work: Work
    num_labelled: int
    labels_N: np.ndarray
    sure_N: np.ndarray

    def usable(self, threshold: float) -> bool:
        """Whether the sure rows have two labels at least; one label for all would only tilt a model."""
        return len(np.unique(self.labels_N[self.sure_N >= threshold])) > 1

    def count(self, threshold: float) -> int:
        """How many rows are sure enough."""
        return int((self.sure_N >= threshold).sum())

    def at(self, threshold: float) -> Work:
        """The climb with the labelled and the sure rows to learn from."""
        sure = self.num_labelled + np.flatnonzero(self.sure_N >= threshold)
        places = np.concatenate([np.arange(self.num_labelled), sure])
        return self.work.on(self.work.problem.train.take(places))


@dataclass(frozen=True)
class _Tried:
    """A rung that has learned again, and its loss on the validation rows."""

    threshold: float
    climbed: Climbed
    found: Measured
    loss: float


def self_train(state: Climbing) -> None:
    """Lets rungs learn again, from shallow to deep, where there are unlabelled rows; nothing is done twice.

    Args:
        state: A climb whose rungs are climbed; its rows say what came of it.

    Raises:
        DataError: If what the teacher said is gone from an interrupted run.
    """
    unlabelled, ladder = state.prepared.rows.unlabelled, state.ladder
    if unlabelled is None or (ladder.self_training and ladder.self_training.done):
        return
    allowed = state.recipe.self_training.rungs
    names = [name for name, rung in shelf().items() if rung.self_trainable and (allowed is None or name in allowed)]
    rows = [row for row in ladder.rungs if row.climbed and row.rung in names]
    if not rows or (ladder.self_training is None and not _teach(state, unlabelled)):
        return
    lesson = _lesson(state, unlabelled)
    for row in rows:
        if row.self_trained is None:
            began = time.monotonic()
            new, about, told = _learn(state, lesson, row)
            took = round(time.monotonic() - began, 3)
            changed = {"self_trained": about.but({"seconds": took}), "seconds": round((row.seconds or 0.0) + took, 3)}
            state.put(new.because(told).but({**changed, "peak_memory_bytes": record.peak_memory_bytes()}))
            state.write({"under_way": None})
            adopt(state)
            state.work.context.say(f"  {row.rung}: {told}")
    _conclude(state)


def adopt(state: Climbing) -> None:
    """Puts second models that stand in the place of the first, and removes what an interruption left of others."""
    for row in state.ladder.rungs:
        folder = state.run.rung(row.rung)
        beside = folder / _BESIDE
        if beside.is_dir() and row.kept:
            for item in sorted(beside.iterdir()):
                if (folder / item.name).is_dir():
                    keep_strangers(folder / item.name, item)
                    shutil.rmtree(folder / item.name)
                os.replace(item, folder / item.name)
        shutil.rmtree(beside, ignore_errors=True)


def taught_again(state: Climbing, row: LadderRow) -> Work:
    """What the chosen rung learns from with `--refit`: the teacher learns from the validation rows first.

    Returns:
        The climb, with the rows that the teacher is sure of now among the training rows, if the rung learned from such.
    """
    unlabelled, told, about = state.prepared.rows.unlabelled, state.ladder.self_training, row.self_trained
    if unlabelled is None or told is None or about is None or not about.kept:
        return state.work
    if state.ladder.under_way != UnderWay(Stage.REFIT):
        name = told.teacher
        begin_stage(state, UnderWay(Stage.TEACHER), name)
        state.work.context.say(f"  {name}: once more, to label the rows without a label")
        below = start_of(state, name)
        folder = state.run.rung(below.name) / "model" if below else None
        work, settings = state.work, getattr(state.recipe.rungs, name)
        whole = joined(work.problem.train, work.problem.validation)
        teacher = refit(work, whole, shelf()[name], settings, told.won or {}, below=folder).predictor
        teacher.calibrate(told.temperature or 1.0)
        _label(state, unlabelled, teacher)
    return _lesson(state, unlabelled).at(about.threshold or 0.0)


def _teach(state: Climbing, unlabelled: Part) -> bool:
    """The best rung labels the rows, if there is time for it; whether it did."""
    best = chosen(state)
    row = state.ladder.row(best)
    about = SelfTraining(teacher=best, rows=len(unlabelled), threshold=None)
    if short := _short(state, len(unlabelled) * (row.seconds_per_1000_predictions or 0.0) / 1000):
        state.note({"self_training": about.but({"done": True, "reason": short})})
        state.work.context.say(f"  {best}: labels no rows, {short}")
        return False
    state.work.context.say(f"  {best}: labels {len(unlabelled):,} rows")
    _label(
        state,
        unlabelled,
        shelf()[best].load(state.run.rung(best) / "model", state.work.problem.task, state.work.problem.labels),
    )
    state.write({"self_training": about.but({"temperature": state.ladder.temperature, "won": row.won})})
    return True


def _short(state: Climbing, forecast: float) -> str:
    """Why there is no time for something that takes so many seconds; nothing if there is."""
    left = None if state.work.context.deadline is None else state.work.context.deadline - time.monotonic()
    if fits(forecast, seconds_left=left):
        return ""
    return f"not self-trained: forecast {forecast:.0f} s, but {max(left or 0, 0):.0f} s of the budget are left"


def _label(state: Climbing, unlabelled: Part, teacher: Predictor) -> None:
    probs_NC = softmax(teacher.predict(unlabelled).values_MC)
    with replacing(state.run.folder / LABELS) as beside, beside.open("wb") as file:
        np.savez(file, labels=probs_NC.argmax(1), sure=probs_NC.max(1))


def _lesson(state: Climbing, unlabelled: Part) -> Lesson:
    path, work = state.run.folder / LABELS, state.work
    try:
        with np.load(path) as kept:
            labels_N, sure_N = kept["labels"], kept["sure"]
        if len(labels_N) != len(unlabelled) or len(sure_N) != len(unlabelled):
            raise ValueError("it is of other rows")
    except Exception as error:  # numpy and zipfile have many kinds of them
        said = " ".join(str(error).split())
        raise DataError(f"{path} is damaged: {said}; use --overwrite to start anew") from None
    targets = np.full(len(unlabelled.table), None, object)
    targets[unlabelled.rows_N] = np.array(work.problem.labels, object)[labels_N]
    arrow = unlabelled.table.arrow.append_column("target", pa.array(targets, pa.string()))
    train, validation = extend(work.problem.train, work.problem.validation, replace(unlabelled.table, arrow=arrow))
    num = len(work.problem.train)
    train = train.take(np.concatenate([np.arange(num), num + unlabelled.rows_N]))
    return Lesson(work.on(train, validation), num, labels_N, sure_N)


def _learn(state: Climbing, lesson: Lesson, row: LadderRow) -> tuple[LadderRow, SelfTrained, str]:
    """Trains a rung on more rows: its row, what came of it, in a sentence too; what is better lies beside the model."""
    name, told = row.rung, _told(state)
    given = state.recipe.self_training.thresholds
    middle = given[len(given) // 2]  # where no cheap rung has chosen
    asked = given if shelf()[name].always else [told.threshold if told.threshold is not None else middle]
    thresholds = [threshold for threshold in asked if lesson.usable(threshold)]
    if not thresholds:
        why = f"not self-trained: {told.teacher} is sure of too few rows, or gives them all one label"
        return row, SelfTrained(kept=False), why
    if short := _short(state, _forecast(row, lesson.at(thresholds[0]), _settings(state, name))):
        return row, SelfTrained(kept=False), short
    try:
        best = min(_tries(state, lesson, name, thresholds), key=lambda tried: tried.loss)
    except (MemoryError, RuntimeError, ArithmeticError) as error:
        said = " ".join(str(error).split())[:200]
        why = f"not self-trained: {type(error).__name__}{': ' if said else ''}{said}"
        return row, SelfTrained(kept=False), why
    if shelf()[name].always:
        state.note({"self_training": told.but({"threshold": best.threshold})})
    return _decide(state, lesson, row, best)


def _told(state: Climbing) -> SelfTraining:
    """What the ladder says of the teacher."""
    return state.ladder.self_training or SelfTraining(teacher=chosen(state))


def _tries(state: Climbing, lesson: Lesson, name: str, thresholds: list[float]) -> Iterator[_Tried]:
    """The rung with the rows that are as sure as each threshold."""
    rung, settings = shelf()[name], _settings(state, name)
    start = start_of(state, name)
    below = state.run.rung(start.name) / "model" if start else None
    for threshold in thresholds:
        work = lesson.at(threshold)
        begin_stage(state, UnderWay(Stage.AGAIN, name), name)
        climbed = rung.climb(work.above(start.score if start else None), settings, below)
        if not climbed.validation.is_finite:
            raise FloatingPointError("the training diverged: its outputs are no numbers")
        found = measure(state, climbed)
        logits_MC, labels_M = map(torch.from_numpy, (found.outputs.values_MC, work.problem.validation_targets.labels_M))
        yield _Tried(threshold, climbed, found, float(work.problem.task.losses(logits_MC, labels_M).mean()))


def _settings(state: Climbing, name: str) -> Settings:
    """A rung's settings, but for the steps after which its first training ends."""
    settings: Settings = getattr(state.recipe.rungs, name)
    if "max_steps" not in type(settings).model_fields:
        return settings
    return settings.model_copy(update={"max_steps": state.recipe.self_training.steps.get(name)})


def _forecast(row: LadderRow, work: Work, settings: Settings) -> float:
    """Seconds: a pass over all rows at the speed of the rung's first model, or what the rung says."""
    one_pass = len(work.problem.train) * (row.seconds_per_1000_predictions or 0.0) / 1000
    return max(one_pass, shelf()[row.rung].forecast(work, settings) or 0.0)


def _decide(state: Climbing, lesson: Lesson, row: LadderRow, best: _Tried) -> tuple[LadderRow, SelfTrained, str]:
    """Whether the second model stands: if it is better on the validation rows."""
    name, work = row.rung, state.work
    place = next(at for at, standing in enumerate(state.standings) if standing.name == name)
    old, outputs, targets = state.standings[place], best.found.outputs, work.problem.validation_targets
    new = replace(
        old, stats_NK=work.problem.task.statistics(outputs, targets), score=work.problem.task.score(outputs, targets)
    )
    gain = gain_over(new, old, work.problem.task.value_of, seed=derive(state.recipe.seed, "gain")).interval
    kept, rows, teacher = new.score > old.score, lesson.count(best.threshold), _told(state).teacher
    about = SelfTrained(threshold=best.threshold, rows=rows, kept=kept)
    about = about.but({"gain": record.interval_record(gain), "ran": best.climbed.ran})
    said = f"again with {rows:,} rows that {teacher} is {best.threshold:g} sure of: {100 * gain.value:+.1f} points"
    said += f" [{100 * gain.low:+.1f}, {100 * gain.high:+.1f}], {'kept' if kept else 'not kept'}"
    if not kept:
        return row, about, said
    climbed, num = best.climbed, lesson.num_labelled
    if climbed.dynamics is not None:  # the diagnosis asks about labelled rows
        seen = climbed.dynamics
        climbed = replace(climbed, dynamics=Dynamics(seen.margins_EN[:, :num], seen.losses_EN[:, :num]))
    folder = state.run.rung(name) / _BESIDE
    shutil.rmtree(folder, ignore_errors=True)
    row = row.but(write_rung(state, name, climbed, best.found, folder))
    state.standings[place] = new
    return row, about.but({"temperature": best.found.temperature}), said


def _conclude(state: Climbing) -> None:
    """The best model is published, and gains are told anew where a rung below has become better."""
    task, seed = state.work.problem.task, derive(state.recipe.seed, "gain")
    for place, standing in enumerate(state.standings[1:], 1):
        gain = gain_over(standing, best_of(state.standings[:place]), task.value_of, seed=seed).interval
        state.put(state.ladder.row(standing.name).but({"gain": record.interval_record(gain)}))
    best = state.ladder.row(chosen(state))
    if best.kept or best.rung != state.ladder.chosen:
        exact = best.self_trained.temperature if best.self_trained else None
        publish(state, best.rung, (best.temperature or 1.0) if exact is None else exact, 0.0)
    state.write({"self_training": _told(state).but({"done": True})})
    state.events.published(state.run)
