"""Whether an export says what the model says, and how fast, measured on this machine on rows that none learned from.

Shape legend: N rows.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from deepen.core.errors import ModelError
from deepen.core.types import Outputs
from deepen.data.table import Part
from deepen.problem.task import Predictor, Task

_TIMED_ROWS, _TURNS = 200, 3
_MOST_GAP = 1e-3


@dataclass(frozen=True)
class Answers:
    """What a model says to some rows, and how many rows it reads in a second."""

    outputs: Outputs
    decoded: tuple[object, ...]
    rows_per_second: float


@dataclass(frozen=True)
class Step:
    """One step from the trained model to what is shipped: `exported` or `int8`.

    `largest_gap` is the largest difference of a logit from the trained model's; `flipped` counts rows whose answer is
    another one (of scores, those off by a tenth of their deviation). Rows a second are in batches, as of a file.
    """

    name: str
    largest_gap: float
    flipped: int
    rows_per_second: float


@dataclass(frozen=True)
class Parity:
    """How the file that is shipped compares with its model on `rows` of the run's validation rows, as in `Step`.

    `integer_matmuls` counts products with weights that run in integers; `speedup` is how many times the trained model's
    rows it reads in a second.
    """

    rows: int
    largest_gap: float
    flipped: int
    integer_matmuls: int
    speedup: float


def answers(predictor: Predictor, task: Task, labels: tuple[str, ...], part: Part) -> Answers:
    """What a model says of at least one row, and how fast; the fastest of some turns counts."""
    outputs = predictor.predict(part)
    decoded = tuple(one["output"] for one in task.decode(outputs, part, labels))
    some = part.take(np.arange(min(_TIMED_ROWS, len(part))))
    seconds = []
    for _ in range(_TURNS):
        began = time.perf_counter()
        predictor.predict(some)
        seconds.append(time.perf_counter() - began)
    return Answers(outputs, decoded, len(some) / max(min(seconds), 1e-9))


def compare(name: str, found: Answers, trained: Answers) -> Step:
    """Sets the answers of a step beside those of the trained model; ModelError if its values are no numbers."""
    if not found.outputs.is_finite:
        raise ModelError(f"the {name} model gives values that are no numbers; nothing was written")
    gap = np.abs(found.outputs.values_MC - trained.outputs.values_MC).max(initial=0.0)
    return Step(name, float(gap), _flipped(found.decoded, trained.decoded), found.rows_per_second)


def _flipped(found: Sequence[object], trained: Sequence[object]) -> int:
    """How many answers are others; a score is one where it is off by a tenth of the scores' standard deviation."""
    if trained and all(isinstance(one, float) for one in trained):
        scores_N, own_N = np.array(found, float), np.array(trained, float)
        return int((np.abs(scores_N - own_N) > max(0.1 * float(own_N.std()), 1e-4)).sum())
    return sum(one != other for one, other in zip(found, trained, strict=True))


def check_equal(step: Step, trained: Answers) -> None:
    """ModelError unless a graph in floats says the same as its model, but for rounding."""
    scale = max(1.0, float(np.abs(trained.outputs.values_MC).max(initial=0.0)))
    if step.largest_gap > _MOST_GAP * scale:
        said = f"the exported graph does not say what the model says: logits differ by up to {step.largest_gap:.2g}"
        raise ModelError(f"{said}, {step.flipped} of {len(trained.decoded)} answers are others; nothing was written")


def parity(steps: Sequence[Step], trained: Answers, integer_matmuls: int) -> Parity:
    """The record of what is shipped, which is the last step; integers as `check_integers` counts them."""
    last = steps[-1]
    speedup = round(last.rows_per_second / trained.rows_per_second, 3)
    return Parity(len(trained.decoded), last.largest_gap, last.flipped, integer_matmuls, speedup)
