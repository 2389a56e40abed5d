"""Of two labels, one may have to be found, or to be right, more often than the other: where the decision is cut.

Shape legend: M units, C = 2 outputs, K places where a decision may be cut.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Literal

import numpy as np

from deepen.core.errors import SettingError, nearest
from deepen.core.ladder import ScoreRecord
from deepen.core.types import Outputs, Targets
from deepen.problem.task import Task


@dataclass(frozen=True)
class Wish:
    """What is wanted of one of two labels: a share of its rows that are found, or of its answers that are right."""

    name: Literal["recall", "precision"]
    value: float
    label: str


def wish_of(
    task: Task, labels: Sequence[str], *, recall: float | None, precision: float | None, label: str | None
) -> Wish | None:
    """Checks what was asked for.

    Returns:
        The wish; None where none was made.

    Raises:
        SettingError: If rows do not have one of two labels, both shares are wanted, or the label is unknown.
    """
    wanted = {"recall": recall, "precision": precision}
    made = {name: value for name, value in wanted.items() if value is not None}
    if not made and label is None:
        return None
    if len(made) != 1:
        raise SettingError("ladder.positive goes with one of ladder.recall and ladder.precision: the other one follows")
    [(name, value)] = made.items()
    if not task.one_label or len(labels) != 2:
        raise SettingError(f"ladder.{name}={value:g}: a decision between two labels is cut so, and this is none")
    if label is None:
        raise SettingError(f"ladder.{name}={value:g}: of which label? Say ladder.positive={labels[0]} or {labels[1]}")
    if label not in labels:
        raise SettingError(f"ladder.positive={label} is no label; {nearest(label, labels)}")
    return Wish("recall" if name == "recall" else "precision", value, label)


def cut_for(task: Task, labels: Sequence[str], wish: Wish | None) -> Task:
    """The task with decisions cut where the validation rows fulfil a wish."""
    return task if wish is None else replace(task, shift=partial(_shift, list(labels).index(wish.label), wish))


def _shift(at: int, wish: Wish, outputs: Outputs, targets: Targets) -> np.ndarray:
    """What is added to the logits: with it, a positive logit difference is the label.

    Of all cuts that fulfil the wish that with the best other share is taken; if none does, the nearest.
    """
    leads_M = outputs.values_MC[:, at].astype(np.float64) - outputs.values_MC[:, 1 - at]
    order = np.argsort(-leads_M, kind="stable")
    leads_M, right_M = leads_M[order], targets.labels_M[order] == at
    ends_K = np.flatnonzero(np.append(np.diff(leads_M) < 0, True))  # equal leads are answered alike
    found_K = np.cumsum(right_M)[ends_K]
    shares = {"recall": found_K / max(1, right_M.sum()), "precision": found_K / (ends_K + 1)}
    reached_K = shares[wish.name]
    other_K = shares["precision" if wish.name == "recall" else "recall"]
    good_K = reached_K >= min(wish.value, reached_K.max()) - 1e-12
    best = int(np.flatnonzero(good_K)[np.argmax(other_K[good_K])])
    last = int(ends_K[best])
    below = leads_M[last + 1] if last + 1 < len(leads_M) else leads_M[last] - 1.0
    shift_C = np.zeros(2)
    shift_C[at] = -(leads_M[last] + below) / 2
    return shift_C


def told(wish: Wish, scores: Sequence[ScoreRecord]) -> str:
    """What came of a wish on the validation rows, and whether it was fulfilled."""
    found = {str(score["name"]): score for score in scores if score.get("label") == wish.label}
    words = [f"{name} {found[name]['value']:.3f}{_interval(found[name])}" for name in ("recall", "precision")]
    said = f"the decision for '{wish.label}' is cut at {' and '.join(words)} on the validation rows"
    if found[wish.name]["value"] < wish.value - 1e-9:
        said += f": no cut of this model has {wish.name} {wish.value:g}"
    return said


def _interval(score: ScoreRecord) -> str:
    low, high = score.get("low"), score.get("high")
    return f" [{low:.3f}, {high:.3f}]" if low is not None and high is not None else ""
