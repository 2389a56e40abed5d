"""What a climb knows as it goes, and how a rung is judged: calibrated, scored on the validation rows, written down."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from deepen.core.curve import METRICS
from deepen.core.files import open_to_others, replacing, write_jsonl
from deepen.core.ladder import Data, Ladder, LadderRow, RowState, UnderWay
from deepen.core.run import FOLDS, Run, keep_strangers
from deepen.core.seed import derive
from deepen.core.shared import share
from deepen.core.types import Outputs, Score
from deepen.ladder import record
from deepen.ladder.decide import Standing, best_of, chosen_of, gain_over
from deepen.models.plain import opens_with
from deepen.models.save import can_start, has_network, read_by_others
from deepen.preparation.catalog import shelf
from deepen.preparation.manifest import write_about
from deepen.preparation.prepare import Prepared
from deepen.preparation.recipe import Recipe
from deepen.problem.climbed import Climbed
from deepen.problem.task import Predictor
from deepen.problem.work import Work

OUTPUTS = "outputs.npz"
"""A rung's validation outputs, kept until the climb is complete, or as long as the run where no model gives them."""
_SHALLOW, _ENOUGH_ROWS = "lexical", 20
_READING = {"encoding", "normalise", "label_cuts", "label_names", "hide", "mask", "unmasked"}


@dataclass(frozen=True)
class Events:
    """What the caller wants to hear of: every finished row of the table, and every change of the best model.

    `closing` is called before the climb is complete, and gives scores of the test rows that are added to its own.
    """

    row: Callable[[LadderRow], None]
    published: Callable[[Run], None]
    closing: Callable[[], Sequence[Score]] = tuple


@dataclass
class Climbing:
    """The state of a climb; `ladder` is what ladder.json says, `rung_began` when the rung under way was begun.

    `of_folds` are the models of the rung under way that have learned without each fold, where it is cross-validated.
    """

    recipe: Recipe
    work: Work
    prepared: Prepared
    run: Run
    events: Events
    ladder: Ladder
    standings: list[Standing]
    began: float
    rung_began: float | None = None
    of_folds: tuple[Predictor, ...] = ()

    @property
    def cross_validated(self) -> bool:
        """Whether the validation rows are training rows too, answered fold by fold."""
        return self.prepared.rows.fold_N is not None

    def note(self, changes: Mapping[str, Any]) -> None:
        """Changes fields of the ladder."""
        self.ladder = self.ladder.but(changes)

    def put(self, row: LadderRow) -> None:
        """Puts a row into the ladder, in the place of its rung's or on top."""
        self.ladder = self.ladder.with_row(row)

    def write(self, changes: Mapping[str, Any] | None = None) -> None:
        """Writes ladder.json, with fields changed."""
        self.note(changes or {})
        self.run.write_ladder(self.ladder)


@dataclass(frozen=True)
class Measured:
    """A rung on the validation rows: its calibrated outputs and scores, and how it was calibrated."""

    outputs: Outputs
    scores: list[Score]
    temperature: float
    shift_C: np.ndarray | float


def standing_of(state: Climbing, name: str, outputs: Outputs) -> Standing:
    """How a rung with these calibrated outputs stands."""
    work, task, targets = state.work, state.work.problem.task, state.work.problem.validation_targets
    encoder = has_network(state.run.rung(name) / "model")
    unsure = len(work.problem.validation) < state.recipe.data.validation_at_least
    favoured = unsure and shelf()[name].few_shot and shelf()[name].suits(work)
    return Standing(name, task.statistics(outputs, targets), task.score(outputs, targets), encoder, favoured)


def chosen(state: Climbing) -> str:
    """The rung whose model is the run's, as far as the climb has come."""
    seed = derive(state.recipe.seed, "gain")
    return chosen_of(state.standings, state.work.problem.task.value_of, seed=seed).name


def start_of(state: Climbing, name: str) -> Standing | None:
    """The rung whose model a rung starts from: the deepest below it that has an encoder and lends it.

    Returns:
        How it stands; None where there is none.
    """
    lower = [s for s in state.standings if s.encoder and shelf()[s.name].order < shelf()[name].order]
    lends = (s for s in reversed(lower) if shelf()[s.name].warm_starts and can_start(state.run.rung(s.name) / "model"))
    return next(lends, None)


def fold_folder(state: Climbing, fold: int) -> Path:
    """The folder, like a run's, of what was learned without a fold."""
    return state.run.folder / FOLDS / str(fold + 1)


def begin_stage(state: Climbing, stage: UnderWay, name: str) -> None:
    """Notes that a rung learns once more; if that was interrupted, it goes on from its checkpoint instead."""
    if state.ladder.under_way != stage:
        shutil.rmtree(state.run.rung(name) / "checkpoint", ignore_errors=True)
        state.write({"under_way": stage})


def measure(state: Climbing, climbed: Climbed) -> Measured:
    """Calibrates a rung and scores it.

    Args:
        climbed: The rung; its predictor is calibrated in place.
    """
    work, task = state.work, state.work.problem.task
    targets = work.problem.validation_targets
    outputs, temperature, shift_C = task.calibrated(climbed.validation, targets)
    if temperature != 1.0 or task.shift is not None:
        for predictor in {id(one): one for one in (climbed.predictor, *state.of_folds)}.values():
            predictor.calibrate(temperature, shift_C)
    scores = task.scores(outputs, targets, work.problem.labels, derive(state.recipe.seed, "bootstrap"))
    return Measured(outputs, scores, temperature, shift_C)


def judge(state: Climbing, name: str, climbed: Climbed) -> LadderRow:
    """Calibrates, scores, saves and, if it is the one to ship so far, publishes a rung.

    Args:
        state: The climb; the rung's standing joins the others.
    """
    work, task = state.work, state.work.problem.task
    found = measure(state, climbed)
    row = write_rung(state, name, climbed, found, state.run.rung(name))
    earlier = best_of(state.standings) if state.standings else None
    standing = standing_of(state, name, found.outputs)
    state.standings.append(standing)
    gain = None
    if earlier is not None:
        gain = gain_over(standing, earlier, task.value_of, seed=derive(state.recipe.seed, "gain")).interval
    if climbed.before is not None:
        before = task.scores(
            climbed.before, work.problem.validation_targets, work.problem.labels, derive(state.recipe.seed, "bootstrap")
        )
        state.note({"before": record.score_of(before, task.score_name)})
    for sentence in task.doubts(found.outputs):
        warn(state, f"{name}: {sentence}")
    if chosen(state) == name:
        publish(state, name, found.temperature, found.shift_C)
    if name == _SHALLOW and standing.score >= 1 and len(work.problem.validation) >= _ENOUGH_ROWS:
        warn(state, f"{name} is right in every validation row: does a text say its label, or is the data made up?")
    status, why = RowState.STOPPED if climbed.stopped else RowState.DONE, climbed.reason
    holds_network = any((state.run.rung(name) / "model").rglob("config.json"))
    network = ("trained" if shelf()[name].self_trainable else "untouched") if holds_network else None
    row |= {"network": network, "gain": record.interval_record(gain), "ran": climbed.ran}
    return LadderRow(rung=name, status=status, reason=why, **row)


def warn(state: Climbing, sentence: str) -> None:
    """Says what makes a result doubtful, and keeps it with what was said of the data."""
    state.work.context.say(f"  warning: {sentence}")
    data = state.ladder.data or Data()
    state.note({"data": data.but({"warnings": (*(data.warnings or ()), sentence)})})


def publish(state: Climbing, name: str, temperature: float, shift_C: Any) -> None:
    """Makes a rung's model that of the run."""
    state.run.publish(name)
    state.note({"chosen": name, "temperature": temperature})
    if state.work.problem.task.shift is not None:
        state.note({"shift": np.asarray(shift_C).tolist()})


def write_model(state: Climbing, name: str, predictor: Predictor, folder: Path) -> None:
    """Writes a rung's model.

    Args:
        folder: Gets the folder `model`.
    """
    data = state.recipe.data.model_dump(include=_READING, mode="json")
    with replacing(folder / "model") as beside:
        predictor.save(beside)
        files = write_about(beside, work=state.work, prepared=state.prepared, rung=name, data=data)
        open_to_others(beside)
        share({beside / file: digest for file, digest in files.items()})
        keep_strangers(folder / "model", beside)


def write_rung(state: Climbing, name: str, climbed: Climbed, found: Measured, folder: Path) -> dict[str, Any]:
    """Writes what a rung leaves: model, outputs and predictions of the validation rows, curve."""
    work, outputs = state.work, found.outputs
    for fold, predictor in enumerate(state.of_folds):
        write_model(state, name, predictor, fold_folder(state, fold) / "rungs" / name)
    per_row = record.seconds_per_row(climbed.predictor, work.problem.validation)
    write_model(state, name, climbed.predictor, folder)
    with replacing(folder / OUTPUTS) as beside, beside.open("wb") as file:
        arrays: dict[str, Any] = outputs.arrays()
        np.savez(file, **arrays)
    rows = record.predictions(
        work.problem.task,
        work.problem.validation,
        outputs,
        labels=work.problem.labels,
        rung=name,
        seconds=per_row,
        predictor=climbed.predictor,
    )
    write_jsonl(folder / "predictions-validation.jsonl", rows)
    if climbed.dynamics is not None:
        record.write_dynamics(folder / "training.jsonl", work.problem.train, climbed.dynamics)
    record.append_metrics(state.run.folder / METRICS, name, climbed.curve)
    return {
        "score": record.score_of(found.scores, work.problem.task.score_name),
        "num_trained_parameters": climbed.num_trained_parameters,
        "seconds_per_1000_predictions": round(1000 * per_row, 4),
        "temperature": round(found.temperature, 4),
        "validation": tuple(map(record.as_record, found.scores)),
        "read_by_others": read_by_others(folder / "model"),
        "opens_with": opens_with(folder / "model"),
        "won": climbed.won,
    }
