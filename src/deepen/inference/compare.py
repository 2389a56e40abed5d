"""Two models on the same labelled rows: paired differences of their scores, where they differ, and which rows changed.

Shape legend: N rows, M units, C labels, K sums of a score.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from deepen.core.arguments import as_path
from deepen.core.errors import DataError, SettingError
from deepen.core.run import Run
from deepen.core.seed import derive
from deepen.core.types import Interval, Outputs, Targets
from deepen.data.check.problem import rows
from deepen.data.source import listed
from deepen.data.table import Part
from deepen.evaluation.calibration import losses
from deepen.evaluation.statistics import Statistic, holm, paired_bootstrap, paired_permutation
from deepen.inference.given import as_rows
from deepen.inference.model import Model, load_model
from deepen.inference.slices import Slice, by_columns, by_label, by_length, places, targets_of
from deepen.models.device import on
from deepen.preparation.data_section import asked_columns
from deepen.problem.task import Task

TESTED_ROWS = 200
"""A slice of fewer rows is shown and not tested."""
_MOST_SWAPPED = 5000  # rows that differ; of more the bootstrap says the same


@dataclass(frozen=True)
class ScorePair:
    """A score of both models on `n` rows; `difference` is `b` less `a`, and `p_value` that of a paired test."""

    name: str
    a: float
    b: float
    difference: Interval
    p_value: float
    n: int
    higher_is_better: bool = True


@dataclass(frozen=True)
class SlicePair:
    """A score of both on some rows; `p_value` is raised for all slices (Holm), None where they are under 200 rows."""

    by: str
    value: str
    name: str
    a: float
    b: float
    difference: Interval
    p_value: float | None
    n: int


@dataclass(frozen=True)
class Change:
    """A row that one of the models has right and the other wrong, and what they say."""

    id: str
    file: str
    line: int
    inputs: dict[str, Any]
    target: Any
    a: Any
    b: Any
    change: str


@dataclass(frozen=True)
class Comparison:
    """Two models on the same rows; `a` is the first everywhere.

    `labels` are those of the rows that were compared, where the two know different ones; else None. `changes` are None
    where answers are near or far and not right or wrong.
    """

    runs: tuple[str, str]
    rungs: tuple[str, str]
    data: str
    n: int
    labels: tuple[str, ...] | None
    scores: list[ScorePair]
    slices: list[SlicePair]
    changes: list[Change] | None

    def __repr__(self) -> str:
        """The deciding score of both, and how sure the difference is."""
        first = self.scores[0]
        ends = f"[{first.difference.low:+.3f}, {first.difference.high:+.3f}]"
        said = f"{first.name} {first.a:.3f} and {first.b:.3f}, {first.difference.value:+.3f} {ends}"
        return f"Comparison({said}, p = {first.p_value:.3g}, n = {self.n})"


def compare(
    run1: str | Path | Run,
    run2: str | Path | Run,
    data: Any,
    *,
    columns: Mapping[str, str] | None = None,
    settings: Sequence[str] = (),
    device: str | None = None,
    say: Callable[[str], None] = lambda line: None,
) -> Comparison:
    """Sets two models beside each other on labelled rows that neither has learned from.

    Both are scored on the same rows, so a difference is seen far sooner than between two intervals.

    Args:
        run1: A run, or the folder of a model, such as that of a rung.
        run2: Another one of the same task.
        data: Labelled rows, in any form that `Model.evaluate` takes.
        columns: Which columns are what, if not as in the training data.
        settings: Words such as `data.bad_rows=drop`, laid over how the training data of each was read.
        device: Where networks run; None is `auto`.
        say: Called with lines for the user.

    Raises:
        DataError: If the data can't be read by both, or there is no such run.
        SettingError: If they are for different tasks, or know no label in common.

    Example:
        >>> deepen.compare("runs/first", "runs/second", "test.csv").scores[0].p_value  # doctest: +SKIP
        0.0315
    """
    folders = [run.folder if isinstance(run, Run) else as_path("run", run) for run in (run1, run2)]
    with on(device, say):
        a, b = (load_model(folder, settings=settings, say=say) for folder in folders)
        return _compare(a, b, folders, as_rows(data), columns, say)


def _compare(
    a: Model,
    b: Model,
    folders: Sequence[Path],
    data: Any,
    columns: Mapping[str, str] | None,
    say: Callable[[str], None],
) -> Comparison:
    labels = _labels(a, b, folders)
    parts = _same_rows(_read(a, data, columns, labels), _read(replace(b, say=_nobody), data, columns, labels), say)
    shared = None
    if labels is not None and set(a.labels) != set(b.labels):
        shared = tuple(label for label in a.labels if label in b.labels)
        parts = _of_labels(parts, shared, folders, say)
    outputs = [laid(model, part, labels or model.labels) for model, part in zip((a, b), parts, strict=True)]
    order = labels or a.labels
    targets = a.task.targets(parts[0], order)
    pairs = paired(a.task, outputs, targets)
    right_N = [right_rows(a.task, one, targets) for one in outputs]
    said = [[one["output"] for one in a.task.decode(one, parts[0], order)] for one in outputs]
    slices = [*by_label(parts[0]), *by_length(parts[0])]
    asked = dict(asked_columns(columns) or {}) if columns is not None else {}
    slices += by_columns(parts[0], a.source(data, columns=columns), (a.columns, b.columns), asked)
    names = (str(folders[0]), str(folders[1]))
    return Comparison(
        runs=names,
        rungs=(a.rung, b.rung),
        data=str(data) if isinstance(data, str | Path) else "rows",
        n=len(parts[0]),
        labels=shared,
        scores=[
            ScorePair(name, *values, n=len(parts[0]), higher_is_better=name != "log_loss")
            for name, values in ((name, difference_of(*stats, value_of)) for name, stats, value_of in pairs)
        ],
        slices=slice_pairs(slices, pairs[0], right_N),
        changes=None
        if right_N[0] is None or right_N[1] is None
        else _changes(parts[0], (right_N[0], right_N[1]), said),
    )


def _nobody(line: str) -> None:
    """Says nothing: the first model has said how the rows are read."""


def _labels(a: Model, b: Model, folders: Sequence[Path]) -> tuple[str, ...] | None:
    """The labels of both in one order, the first model's first; None where a task ranks what the rows bring.

    Raises:
        SettingError: If the two can't be compared.
    """
    first, second = folders
    if (a.task.name, a.task.score_name) != (b.task.name, b.task.score_name):
        kinds = [f"{model.task.name} (decided by {model.task.score_name})" for model in (a, b)]
        raise SettingError(f"{first} is for {kinds[0]} and {second} for {kinds[1]}: name two runs of one task")
    if not a.task.fixed:
        return None
    if set(a.labels) == set(b.labels):
        return a.labels
    if not set(a.labels) & set(b.labels):
        ends = f"{first} answers {listed(a.labels, 5)}, and {second} {listed(b.labels, 5)}"
        raise SettingError(f"the two have no label in common: {ends}")
    if not a.task.deciders:
        lacking = sorted(set(a.labels) ^ set(b.labels))
        raise SettingError(f"only one of {first} and {second} knows {listed(lacking, 5)}: their answers are no pairs")
    return tuple(dict.fromkeys((*a.labels, *b.labels)))


def _read(model: Model, data: Any, columns: Mapping[str, str] | None, labels: tuple[str, ...] | None) -> Part:
    """Labelled rows as a model reads them; those of labels that only the other one knows are there too."""
    reader = model if labels is None else replace(model, labels=labels)
    return reader.read(data, columns=columns, need_target=True)


def _same_rows(one: Part, two: Part, say: Callable[[str], None]) -> list[Part]:
    """The rows that both have read, in one order, with the same targets."""
    here, there = places(one), places(two)
    if here != there:
        if len(set(here)) < len(here) or len(set(there)) < len(there):
            raise DataError(f"{one.table.name}: the two read different rows, and several stand in one line: part them")
        at = {place: row for row, place in enumerate(there)}
        kept = np.array([row for row, place in enumerate(here) if place in at], np.int64)
        if not len(kept):
            raise DataError(f"{one.table.name}: no row is read by both")
        other = np.array([at[here[row]] for row in kept], np.int64)
        say(f"  note: {rows(len(here) + len(there) - 2 * len(kept))} left out, which only one of the two reads")
        one, two = one.take(kept), two.take(other)
    for place, target, its in zip(places(one), targets_of(one), targets_of(two), strict=True):
        if target != its:
            said = f"line {place[1]}: one run reads '{target}' as the right answer, and the other '{its}'"
            raise DataError(f"{one.table.name} {said}; name the columns for both with --columns")
    return [one, two]


def _of_labels(
    parts: list[Part], shared: tuple[str, ...], folders: Sequence[Path], say: Callable[[str], None]
) -> list[Part]:
    """The rows whose labels both models know."""
    kept = np.flatnonzero(np.isin(targets_of(parts[0]), shared))
    if not len(kept):
        raise DataError(f"{parts[0].table.name}: no row has one of the labels that both know: {listed(shared, 5)}")
    left = f", and {rows(len(parts[0]) - len(kept))} of other labels left out" if len(kept) < len(parts[0]) else ""
    names = f"{folders[0]} and {folders[1]}"
    say(f"  note: {names} know different labels: compared on {rows(len(kept))} of {len(shared)} shared ones{left}")
    return [part.take(kept) for part in parts]


def laid(model: Model, part: Part, labels: tuple[str, ...]) -> Outputs:
    """What a model says of rows, its labels in the order of these; what it does not know it never says."""
    outputs = model.predictor.predict(part)
    if not model.task.fixed or model.labels == labels or not set(labels) >= set(model.labels):
        return outputs
    values_MC = np.full((len(outputs.values_MC), len(labels)), -np.inf, np.float32)
    values_MC[:, [labels.index(label) for label in model.labels]] = outputs.values_MC
    return Outputs(values_MC, outputs.offsets_N1)


Pair = tuple[str, tuple[np.ndarray, np.ndarray], Statistic]


def paired(task: Task, outputs: Sequence[Outputs], targets: Targets) -> list[Pair]:
    """The scores that follow from sums over rows: of each its name, the sums of both models and the value of sums."""

    def both(statistics: Callable[[Outputs, Targets], np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        return statistics(outputs[0], targets), statistics(outputs[1], targets)

    found = [(task.score_name, both(task.statistics), task.value_of)]
    found += [(name, both(one.statistics), one.value_of) for name, one in task.deciders.items()]
    if task.deciders and task.one_label:  # of which each has a probability
        found.append(("log_loss", both(_log_losses), lambda sums_BK: sums_BK[:, 0] / sums_BK[:, 1]))
    return found


def _log_losses(outputs: Outputs, targets: Targets) -> np.ndarray:
    losses_N = losses(outputs.values_MC, targets.labels_M)
    return np.stack([losses_N, np.ones(len(losses_N))], axis=1)


def difference_of(a_NK: np.ndarray, b_NK: np.ndarray, value_of: Statistic) -> tuple[float, float, Interval, float]:
    """Both values, the difference with its interval, and the p-value."""
    found = paired_bootstrap(b_NK, a_NK, value_of, seed=derive(0, "compare"))
    p_value = found.p_value
    if (a_NK != b_NK).any(axis=1).sum() <= _MOST_SWAPPED:
        p_value = paired_permutation(b_NK, a_NK, value_of, seed=derive(0, "compare"))
    a, b = (float(value_of(stats_NK.sum(0, keepdims=True))[0]) for stats_NK in (a_NK, b_NK))
    return a, b, found.interval, p_value


def right_rows(task: Task, outputs: Outputs, targets: Targets) -> np.ndarray | None:
    """Whether all of each row's answer is right; None where answers are near or far."""
    if task.answered_in is not None:  # answers in words
        return np.asarray(task.value_of(task.statistics(outputs, targets)) >= 1)
    return task.target.right(outputs, targets) if task.target.right is not None else None


def slice_pairs(slices: Sequence[Slice], deciding: Pair, right_N: Sequence[np.ndarray | None]) -> list[SlicePair]:
    """Each slice by the deciding score; that of a label by its recall, since its rows have but one label."""
    made = []
    for by, value, rows_N in slices:
        name, (a_NK, b_NK), value_of = deciding
        if by == "label" and right_N[0] is not None and right_N[1] is not None:
            name, value_of = "recall", lambda sums_BK: sums_BK[:, 0] / sums_BK[:, 1]
            a_NK, b_NK = (np.stack([one, np.ones(len(one))], axis=1) for one in right_N if one is not None)
        a, b, difference, p_value = difference_of(a_NK[rows_N], b_NK[rows_N], value_of)
        made.append(SlicePair(by, value, name, a, b, difference, p_value, int(rows_N.sum())))
    raised = iter(holm([one.p_value or 0.0 for one in made if one.n >= TESTED_ROWS]))
    return [replace(one, p_value=next(raised) if one.n >= TESTED_ROWS else None) for one in made]


def _changes(part: Part, right_N: tuple[np.ndarray, np.ndarray], said: Sequence[Sequence[Any]]) -> list[Change]:
    changed = np.flatnonzero(right_N[0] != right_N[1]).tolist()
    some = part.take(np.array(changed, np.int64))
    found = []
    for at, (file, line), row in zip(changed, places(some), some.examples(), strict=True):
        change = "right->wrong" if right_N[0][at] else "wrong->right"
        found.append(Change(row.id, file, line, row.inputs, row.target, said[0][at], said[1][at], change))
    return found
