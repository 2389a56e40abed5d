"""What a smaller model costs and what it is worth, beside the model it was made of, on the same rows and machine.

Shape legend: N rows.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from deepen.core.seed import derive
from deepen.core.types import Interval, Outputs, Score
from deepen.data.table import Part
from deepen.evaluation.bounds import upper_bound
from deepen.evaluation.statistics import wilson
from deepen.inference.compare import paired, right_rows, slice_pairs
from deepen.inference.model import Model
from deepen.inference.slices import Slice, by_label, by_length

Verdict = Literal["kept", "harmful", "not shown"]
_TIMED, _WARM, _SURE = 60, 5, 0.05
_TWO_SIDED = 0.975


@dataclass(frozen=True)
class Speed:
    """Milliseconds that a row takes by itself, its tokens made already: the middle one, and one in twenty is slower."""

    ms_p50: float
    ms_p95: float


@dataclass(frozen=True)
class Cost:
    """What a model takes: bytes of its folder, and time for a row of any length, a short one and a long one."""

    bytes: int
    ms_p50: float
    ms_p95: float
    short: Speed
    long: Speed


@dataclass(frozen=True)
class Row:
    """A line of the table: one or more ways together (`int8+layers`), beside the model as it was.

    `change` is that of the deciding score, `flipped` how many answers are others, `rows_needed` how many rows would
    show that it may be kept, where that is not shown; None if no number would, or it is not asked. `agreed_rows` are
    unlabelled ones whose answers were compared too.
    """

    way: str
    verdict: Verdict
    reason: str
    bytes: int
    ms_p50: float
    ms_p95: float
    score: Score
    change: Interval
    flipped: int
    ece_before: float | None
    ece_after: float | None
    short: Speed
    long: Speed
    smaller: float
    faster: float
    rows_needed: int | None
    agreed_rows: int


@dataclass(frozen=True)
class Said:
    """What a model answers to some rows."""

    outputs: Outputs
    decoded: tuple[Any, ...]

    @classmethod
    def of(cls, model: Model, part: Part) -> Said:
        """Asks a model."""
        outputs = model.predictor.predict(part)
        return cls(outputs, tuple(one["output"] for one in model.task.decode(outputs, part, model.labels)))

    def flipped(self, other: Said) -> int:
        """How many answers are others."""
        return sum(a != b for a, b in zip(self.decoded, other.decoded, strict=True))


class Judge:
    """The model as it was, on the rows that smaller ones are compared with it on.

    `more` are unlabelled rows that none learned from: they say how often answers change. `max_drop` is in points.
    """

    def __init__(self, model: Model, rows: Part, more: Part | None, *, max_drop: float) -> None:
        self.model, self.rows, self.more, self.max_drop = model, rows, more, max_drop / 100
        self.targets = model.task.targets(rows, model.labels)
        self.said = Said.of(model, rows)
        self.said_more = None if more is None else Said.of(model, more)
        self.before = cost(model, model, rows)[0]

    def __call__(self, way: str, model: Model) -> Row:
        """Sets a smaller model beside the model as it was."""
        said = Said.of(model, self.rows)
        change, worse = self._change(said)
        flipped, agreed = self.said.flipped(said), 0
        upper = 1.0
        if self.more is not None and self.said_more is not None:
            agreed = len(self.more)
            differ = flipped + self.said_more.flipped(Said.of(model, self.more))
            upper = upper_bound(differ, len(self.rows) + agreed, confidence=_TWO_SIDED)
        verdict, reason, needed = self._verdict(change, worse, upper)
        now, was = cost(model, self.model, self.rows)
        return Row(
            way=way,
            verdict=verdict,
            reason=reason,
            bytes=now.bytes,
            ms_p50=now.ms_p50,
            ms_p95=now.ms_p95,
            score=self._scores(said)[0],
            change=change,
            flipped=flipped,
            ece_before=_ece(self._scores(self.said)),
            ece_after=_ece(self._scores(said)),
            short=now.short,
            long=now.long,
            smaller=round(was.bytes / now.bytes, 2),
            faster=round(was.ms_p50 / now.ms_p50, 2),
            rows_needed=needed,
            agreed_rows=agreed,
        )

    def _scores(self, said: Said) -> list[Score]:
        """Every score, the deciding one first."""
        model = self.model
        found = model.task.scores(said.outputs, self.targets, model.labels, derive(0, "compress"))
        return sorted(found, key=lambda one: one.name != model.task.score_name or one.label is not None)

    def _change(self, said: Said) -> tuple[Interval, list[str]]:
        """How the deciding score changes, and the larger slices that are surely worse (Holm)."""
        task, both = self.model.task, (self.said.outputs, said.outputs)
        deciding = paired(task, both, self.targets)[0]
        slices = [*by_label(self.rows), *by_length(self.rows)]
        right = [right_rows(task, one, self.targets) for one in both]
        [of_all] = slice_pairs([Slice("", "", np.ones(len(self.rows), bool))], deciding, right)
        room = wilson(0, len(self.rows))[1]  # where nothing changes, resamples see no doubt; so many rows leave this
        value, found = of_all.difference.value, of_all.difference
        change = Interval(value, min(found.low, value - room), max(found.high, value + room))
        tested = slice_pairs(slices, deciding, right)
        worse = [
            f"{one.by} {one.value} by {-100 * one.difference.value:.1f} points"
            for one in tested
            if one.p_value is not None and one.p_value < _SURE and one.difference.value < -self.max_drop
        ]
        return change, worse

    def _verdict(self, change: Interval, worse: Sequence[str], upper: float) -> tuple[Verdict, str, int | None]:
        allowed, points = 100 * self.max_drop, f"{100 * change.low:+.1f} to {100 * change.high:+.1f} points"
        if change.high < -self.max_drop:
            return "harmful", f"{points}, all below -{allowed:g}", None
        if worse:
            return "harmful", f"surely worse for {'; '.join(worse)}", None
        if change.low > -self.max_drop:
            return "kept", f"{points}, all above -{allowed:g}", None
        if upper <= self.max_drop and self.model.task.score_name == "accuracy":
            return "kept", f"at most {upper:.2%} of the answers are others, by labelled and unlabelled rows", None
        needed = _rows_needed(change, len(self.rows), self.max_drop)
        takes = f"it takes some {needed:,} rows" if needed else "no number of rows would, if they say the same"
        return "not shown", f"{points}; to show that it is above -{allowed:g}, {takes}", needed


def _rows_needed(change: Interval, rows: int, max_drop: float) -> int | None:
    """The rows that it would take if more of them said the same: an interval narrows with the root of their number."""
    lead = change.value + max_drop
    return None if lead <= 0 else math.ceil(rows * ((change.value - change.low) / lead) ** 2)


def _ece(scores: Sequence[Score]) -> float | None:
    return next((one.value for one in scores if one.name == "ece" and one.label is None), None)


def cost(model: Model, beside: Model, rows: Part) -> tuple[Cost, Cost]:
    """What two models take, in turns on each row, so that a busy machine is busy for both."""
    lengths_N = np.zeros(len(rows))
    for name in rows.table.texts:
        lengths_N += [len(text or "") for text in rows.values(name)]
    order = np.argsort(lengths_N, kind="stable")
    third = max(1, len(order) // 3)
    short, long = (_some(part) for part in (order[:third], order[-third:]))
    everywhere = _some(order)
    found: list[dict[int, float]] = [{}, {}]
    models = (model, beside)
    for at in [*everywhere[:_WARM], *sorted({*short, *long, *everywhere})]:
        one = rows.take(np.array([at]))
        for seconds, each in zip(found, models, strict=True):
            seconds[at] = _seconds(lambda each=each, one=one: each.predictor.predict(one))  # type: ignore[misc]

    def speed(seconds: dict[int, float], chosen: Sequence[int]) -> Speed:
        middle, slow = np.quantile([1000 * seconds[at] for at in chosen], [0.5, 0.95])
        return Speed(round(float(middle), 3), round(float(slow), 3))

    made = []
    for each, seconds in zip(models, found, strict=True):
        size = sum(path.stat().st_size for path in each.folder.rglob("*") if path.is_file())
        whole = speed(seconds, everywhere)
        made.append(Cost(size, whole.ms_p50, whole.ms_p95, speed(seconds, short), speed(seconds, long)))
    return made[0], made[1]


def _some(order: np.ndarray) -> list[int]:
    """At most so many of them, evenly."""
    return [int(at) for at in order[np.unique(np.linspace(0, len(order) - 1, min(_TIMED, len(order))).astype(int))]]


def _seconds(call: Callable[[], Any]) -> float:
    began = time.perf_counter()
    call()
    return time.perf_counter() - began
