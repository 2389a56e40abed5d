"""A finished run opened again as a case: what every question of the diagnosis is handed.

Shape legend: N examples, M units, C outputs of a unit, F features, E epochs.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np

from deepen.core.errors import DataError
from deepen.core.files import read_jsonl
from deepen.core.run import FOLDS, Run, open_run
from deepen.core.seed import derive
from deepen.core.types import Interval, Outputs, Score, Targets
from deepen.data.batches import flat_positions
from deepen.data.table import Part
from deepen.evaluation.statistics import bootstrap, wilson
from deepen.finetuning.hidden_cache import frozen_pass, passing_features
from deepen.inference.model import Model, load_model
from deepen.preparation.prepare import Prepared
from deepen.preparation.recipe import Recipe
from deepen.preparation.reopen import recipe_of, reopened
from deepen.problem.climbed import Dynamics
from deepen.problem.task import Predictor, Task

MAX_ROWS = 2000


@dataclass(frozen=True)
class Case:
    """A model on trial, with the rows it is tried on and what it learned from. Questions change nothing.

    `rows` are labelled and the model has not learned from them; `where` is what they are called (`test`, `validation`
    or a file). `predictors` are the rungs from shallow to deep, read when first asked for. `train` is None if the rows
    can't be had, and `missing` says why. `features` gives the untouched encoder's features of a part's units,
    features_MF, from a cache on disk, `encode` those of altered rows at once; None without an encoder. `dynamics` are
    margins and losses of `train` in every epoch, by rung. A remedy adds its words to `retrain` and may write into
    `folder`. `hidden` are words that the run took out of its texts.
    """

    task: Task
    labels: tuple[str, ...]
    rows: Part
    where: str
    rung: str
    predictors: Mapping[str, Callable[[], Predictor]]
    train: Part | None = None
    missing: str = ""
    features: Callable[[Part], np.ndarray] | None = None
    encode: Callable[[Part], np.ndarray] | None = None
    dynamics: Mapping[str, Dynamics] = field(default_factory=dict)
    retrain: str = "deepen train"
    hidden: tuple[str, ...] = ()
    folder: Path | None = None
    seed: int = 0
    say: Callable[[str], None] = lambda line: None

    @property
    def named(self) -> str:
        """The run in a command."""
        return shlex.quote(str(self.folder)) if self.folder is not None else "RUN"

    @cached_property
    def model(self) -> Predictor:
        """The model on trial."""
        return self.predictors[self.rung]()

    @cached_property
    def outputs(self) -> Outputs:
        """What the model says of `rows`."""
        return self.model.predict(self.rows)

    @cached_property
    def targets(self) -> Targets:
        """What is right for `rows`."""
        return self.task.targets(self.rows, self.labels)

    @property
    def learned(self) -> Part:
        """The training rows, for a question that has made sure that there are some."""
        if self.train is None:
            raise DataError(self.missing or "there are no training rows")
        return self.train

    @cached_property
    def train_targets(self) -> Targets:
        """What is said to be right for the training rows."""
        return self.task.targets(self.learned, self.labels)

    @cached_property
    def ladder(self) -> dict[str, Outputs]:
        """What every rung says of `rows`, from shallow to deep."""
        return {
            name: self.outputs if name == self.rung else make().predict(self.rows)
            for name, make in self.predictors.items()
        }

    @cached_property
    def ids_N(self) -> np.ndarray:
        """The names of `rows`."""
        return np.array(list(self.rows.values("id")))

    def score(self, stats_NK: np.ndarray, *, seed: int) -> Score:
        """The deciding score from the statistics of some examples, with its interval."""
        return as_score(self.task.score_name, bootstrap(stats_NK, self.task.value_of, seed=seed), len(stats_NK))

    def seed_of(self, *names: Any) -> int:
        """A seed of its own for each purpose."""
        return int(self.rng(*names).integers(2**31))

    def rng(self, *names: Any) -> np.random.Generator:
        """A generator of its own for each purpose, so that one question's draws don't move another's."""
        return np.random.default_rng(derive(self.seed, "diagnosis", *names))


def rounded(found: Interval, digits: int) -> Interval:
    """An interval in so many decimals."""
    return Interval(*(round(float(end), digits) for end in (found.value, found.low, found.high)))


def as_score(name: str, found: Interval, num: int, *, higher_is_better: bool = True) -> Score:
    """A value with its interval as a score of so many examples."""
    short = rounded(found, 6)
    return Score(name, short.value, num, short.low, short.high, higher_is_better=higher_is_better)


def ends(found: Interval) -> dict[str, float]:
    """A value with its interval as evidence."""
    return asdict(rounded(found, 4))


def share_of(part: float, whole: int) -> dict[str, float]:
    """A share with its interval as evidence; 0 of nothing."""
    found = rounded(Interval(part / whole if whole else 0.0, *wilson(part, whole)), 4)
    return {"share": found.value, "low": found.low, "high": found.high}


def owners(targets: Targets) -> np.ndarray:
    """The example that each unit is of, owner_M."""
    return np.repeat(np.arange(len(targets)), np.diff(targets.offsets_N1))


def drawn(part: Part, most: int, rng: np.random.Generator) -> Part:
    """At most so many rows of a part, at random and in their order."""
    if len(part) <= most:
        return part
    return part.take(np.sort(rng.choice(len(part), most, replace=False)))


def widened(found: Interval, num: int) -> Interval:
    """Where nothing varies, resampling sees no doubt at all; but so many rows without a change leave room for a few."""
    room = wilson(0, num)[1]
    return Interval(found.value, min(found.low, found.value - room), max(found.high, found.value + room))


def open_case(
    run: Path,
    data: Any = None,
    *,
    columns: Mapping[str, str] | None = None,
    max_rows: int = MAX_ROWS,
    say: Callable[[str], None] = lambda line: None,
) -> Case:
    """Opens a run for diagnosis on `data`, else its test or validation rows; of more than `max_rows` some are drawn."""
    opened = open_run(run)
    if not opened.complete:
        raise DataError(f"{run} is not finished: `deepen train --out {shlex.quote(str(run))} --resume` goes on with it")
    model = load_model(run, say=say)
    recipe = recipe_of(opened)
    prepared, missing = reopened(opened, recipe)
    if missing:
        say(f"  note: {missing}")
    reader = partial(_reader, opened)
    if prepared is not None and data is None and prepared.rows.test is None and prepared.rows.fold_N is not None:
        prepared, reader = prepared.without_fold(0), partial(_reader, Run(opened.folder / FOLDS / "1"))
        say("  note: the run has learned from all its rows, so its models of the first fold are asked about that fold")
        model = replace(model, predictor=reader(model.rung)())
    rows, where = _rows(opened, model, prepared, data, columns)
    seed = derive(recipe.seed, "diagnosis")
    if len(rows) > max_rows:
        say(f"  {where}: {max_rows:,} of {len(rows):,} rows, drawn at random (--set max_rows={len(rows)} takes all)")
        rows = drawn(rows, max_rows, np.random.default_rng(seed))
    names = [row.rung for row in opened.ladder.rungs if row.climbed]
    there = [name for name in names if (opened.rung(name) / "model" / "deepen.json").is_file()]
    predictors: dict[str, Callable[[], Predictor]] = {name: reader(name) for name in there}
    predictors[model.rung] = lambda: model.predictor
    return Case(
        task=model.task,
        labels=model.labels,
        rows=rows,
        where=where,
        rung=model.rung,
        predictors=predictors,
        train=prepared.work.problem.train if prepared else None,
        missing=missing,
        features=_features(prepared, recipe) if prepared else None,
        encode=partial(passing_features, prepared.work) if prepared else None,
        dynamics=_dynamics(opened, names, prepared.work.problem.train) if prepared else {},
        retrain=_retrain(run, recipe),
        hidden=recipe.data.hide,
        folder=run,
        seed=seed,
        say=say,
    )


def _retrain(run: Path, recipe: Recipe) -> str:
    """Trains again, into a new folder, whose name a climb finds by itself however often this is followed."""
    rows = "" if recipe.data.path else " DATA"  # rows from Python are in no recipe
    return f"deepen train{rows} --recipe {shlex.quote(str(run / 'recipe.yaml'))}"


def _rows(
    run: Run, model: Model, prepared: Prepared | None, data: Any, columns: Mapping[str, str] | None
) -> tuple[Part, str]:
    if data is not None:
        part = model.read(data, columns=columns, need_target=True)
        return part, str(data) if isinstance(data, str | Path) else "rows"
    if prepared is not None:
        return (
            (prepared.rows.test, "test")
            if prepared.rows.test is not None
            else (prepared.work.problem.validation, "validation")
        )
    raise DataError(
        f"{run.folder}: no rows to try the model on; name some: deepen diagnose {shlex.quote(str(run.folder))} DATA"
    )


def _reader(run: Run, name: str) -> Callable[[], Predictor]:
    return lambda: load_model(run.rung(name) / "model").predictor


def _features(prepared: Prepared, recipe: Recipe) -> Callable[[Part], np.ndarray]:
    """The untouched encoder's features; those of the rows of the run are in the cache already."""
    work = prepared.work
    cut = work.base.first_top_layer if recipe.rungs.frozen.keep_layers else None

    def features(part: Part) -> np.ndarray:
        frozen = frozen_pass(work, part.table, cut=cut)
        return np.asarray(frozen.features_MF[flat_positions(frozen.unit_offsets(), part.rows_N)])

    return features


def _dynamics(run: Run, names: list[str], train: Part) -> dict[str, Dynamics]:
    """training.jsonl of each trained rung, laid out in the order of the training rows; NaN where there is no record."""
    found = {}
    place: dict[str, list[int]] = {}
    for at, name in enumerate(train.values("id")):
        place.setdefault(name, []).append(at)  # equal rows have equal ids, and stand in the same order in the file
    for name in names:
        path = run.rung(name) / "training.jsonl"
        if not path.is_file():
            continue
        records = list(read_jsonl(path))
        num_epochs = 1 + max((record["epoch"] for record in records), default=-1)
        margins, losses = (np.full((num_epochs, len(train)), np.nan, np.float32) for _ in range(2))
        seen: dict[tuple[int, str], int] = {}
        for record in records:
            epoch, key = record["epoch"], (record["epoch"], record["id"])
            nth = seen[key] = seen.get(key, -1) + 1
            if nth < len(place.get(record["id"], ())):
                at = place[record["id"]][nth]
                margins[epoch, at], losses[epoch, at] = record["margin"], record["loss"]
        found[name] = Dynamics(margins, losses)
    return found
