"""What an update forgets and gains: the model before and after on the same rows, and the gate that follows from it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from deepen.core.types import Interval
from deepen.data.table import Part
from deepen.inference.compare import Pair, ScorePair, SlicePair, difference_of, laid, right_rows, slice_pairs
from deepen.inference.model import Model
from deepen.inference.slices import by_label, by_length

_SURE = 0.05


@dataclass(frozen=True)
class Beside:
    """The deciding score before (`a`) and after (`b`) on rows that neither has learned from, and on slices of them."""

    score: ScorePair
    slices: list[SlicePair]

    @property
    def worse(self) -> list[SlicePair]:
        """Slices of 200 rows and more that are significantly worse, p-values raised for their number (Holm)."""
        tested = [one for one in self.slices if one.p_value is not None]
        return [one for one in tested if (one.p_value or 0.0) < _SURE and one.difference.value < 0]


@dataclass(frozen=True)
class Gate:
    """Whether an update may be promoted, and why."""

    passed: bool
    why: str


def beside(before: Model, after: Model, part: Part) -> Beside:
    """Sets both models on the same rows; what one of them does not know, it never says.

    Args:
        part: At least one labelled row.
    """
    task = after.task
    labels = tuple(dict.fromkeys((*before.labels, *after.labels))) if task.fixed else after.labels
    outputs = [laid(model, part, labels) for model in (before, after)]
    targets = task.targets(part, labels)
    stats = (task.statistics(outputs[0], targets), task.statistics(outputs[1], targets))
    pair: Pair = (task.score_name, stats, task.value_of)
    score = ScorePair(task.score_name, *difference_of(*stats, task.value_of), n=len(part))
    right = [right_rows(task, one, targets) for one in outputs]
    return Beside(score, slice_pairs([*by_label(part), *by_length(part)], pair, right))


def forgetting(old: Beside) -> dict[str, float]:
    """What was lost on old rows, with its interval; above 0 is forgotten."""
    lost = old.score.difference
    return {"value": 0.0 - lost.value, "low": 0.0 - lost.high, "high": 0.0 - lost.low}


def gate(old: Beside, new: Beside | None, *, asked: bool, max_drop: float) -> Gate:
    """Whether the update may be promoted.

    Args:
        new: None where no new row is held out.
        asked: Whether there were new rows to gain on.
        max_drop: Points that all old rows together may lose.
    """
    why = [f"slice {one.by}: {one.value} ({one.n:,} rows) is worse by {_points(one.difference)}" for one in old.worse]
    if 100 * old.score.difference.value < -max_drop:
        why.append(f"all {old.score.n:,} old rows lose more than {max_drop:g} points: {_points(old.score.difference)}")
    if asked and new is None:
        why.append("no new row is held out, so no gain can be shown: give more new rows")
    elif new is not None and not _useful(new, old):
        why.append(f"the {new.score.n:,} new rows gain nothing: {_points(new.score.difference)}")
    if why:
        return Gate(False, "; ".join(why))
    said = f"{old.score.n:,} old rows: {_points(old.score.difference)}"
    more = f", {new.score.n:,} new rows: {_points(new.score.difference)}" if new is not None else ""
    tested = sum(one.p_value is not None for one in old.slices)
    return Gate(True, f"{said}, no slice of {tested} tested is significantly worse{more}")


def _useful(new: Beside, old: Beside) -> bool:
    """Whether the new rows gain; where they are too few to tell it from a loss, the old ones must gain."""
    gained = new.score.difference
    return gained.value > 0 or (gained.high > 0 and old.score.difference.value > 0)


def _points(one: Interval) -> str:
    value, low, high = (100 * np.array([one.value, one.low, one.high])).tolist()
    return f"{value:+.1f} points [{low:+.1f}, {high:+.1f}]"


def as_record(found: Beside) -> list[dict[str, Any]]:
    """The score, then slices, as `--json` has them."""
    score = {"name": found.score.name, "by": None, "value": None, **_numbers(found.score)}
    return [score, *({"name": one.name, "by": one.by, "value": one.value, **_numbers(one)} for one in found.slices)]


def _numbers(one: ScorePair | SlicePair) -> dict[str, Any]:
    ends = {"value": one.difference.value, "low": one.difference.low, "high": one.difference.high}
    return {"before": one.a, "after": one.b, "difference": ends, "p_value": one.p_value, "n": one.n}
