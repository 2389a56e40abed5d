"""A task whose rows have a score in place of a label: one output, learned by its squared error.

Shape legend: N examples, M units (here M = N), C outputs (here 1).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from safetensors.numpy import save_file

from deepen.core.types import Outputs, Score, Targets
from deepen.data.table import Part
from deepen.data.targets.scores import looks_like_scores, read_scores
from deepen.evaluation.regression import pearson, pearson_statistics, regression_scores
from deepen.models.arrays import read_arrays
from deepen.models.linear import Solved, ridge_path
from deepen.problem.losses import nearness, squared_error
from deepen.problem.scale import scale_of
from deepen.problem.target import Target
from deepen.problem.task import Shallow, Task

if TYPE_CHECKING:
    from torch import Tensor

LABELS = ("score",)
"""The label table of such a task."""


@dataclass
class Mean:
    """Says the mean of the training scores, whatever the row."""

    mean: float
    num_parameters: int = 1

    def predict(self, part: Part) -> Outputs:
        """The same score for every row."""
        return Outputs(np.full((len(part), 1), self.mean, np.float32), np.arange(len(part) + 1))

    def calibrate(self, temperature: float, shift_C: np.ndarray | float = 0.0) -> None:
        """A score has no temperature."""

    def save(self, folder: Path) -> None:
        """Writes the mean as safetensors."""
        folder.mkdir(parents=True, exist_ok=True)
        save_file({"mean": np.array([self.mean], np.float32)}, folder / "model.safetensors")


def _fit_mean(part: Part, targets: Targets, num_outputs: int, settings: Any, seed: int) -> Mean:
    return Mean(float(targets.labels_M.mean()))


def _load_mean(folder: Path) -> Mean:
    return Mean(float(read_arrays(folder / "model.safetensors", {"mean": 1})["mean"][0]))


def _targets(part: Part, labels: tuple[str, ...]) -> Targets:
    return Targets(read_scores(part), np.arange(len(part) + 1))


def _check(part: Part, labels: tuple[str, ...]) -> None:
    read_scores(part)


def _scores(outputs: Outputs, targets: Targets, labels: Sequence[str], seed: int) -> list[Score]:
    return regression_scores(outputs.values_MC[:, 0], targets.labels_M, seed=seed)


def _solve(features_MF: Tensor, scores_M: Tensor, num_outputs: int, **settings: Any) -> Iterator[Solved]:
    return ridge_path(features_MF, scores_M, strengths=settings["strengths"])


SCORE = Target(
    "scores",
    is_number=True,
    solve=_solve,
    scale=scale_of,
    temperature=lambda outputs, targets: 1.0,
    problem="regression",
)


def by_target(task: Task, target: Literal["auto", "label", "score"]) -> Task:
    """The task that learns a class or a score, as its rows or a setting say.

    Args:
        target: `auto` takes a score where targets are many numbers, some not whole.

    Returns:
        The task; for the label table `LABELS` it learns a score.
    """

    def labels(part: Part, max_labels: Any) -> tuple[str, ...]:
        scores = looks_like_scores(part) if target == "auto" else target == "score"
        return LABELS if scores else task.labels(part, max_labels)

    return replace(task, labels=labels, adapted=lambda labels: with_scores(task) if labels == LABELS else task)


def with_scores(task: Task) -> Task:
    """The same task, learning a score: Pearson's correlation decides.

    Args:
        task: A task with one unit a row, whose lexical model fits scores when there is one output.
    """
    return replace(
        task,
        labels=lambda part, max_labels: LABELS,
        check=_check,
        targets=_targets,
        losses=squared_error,
        margins=nearness,
        score_name="pearson",
        deciders={},
        statistics=lambda outputs, targets: pearson_statistics(outputs.values_MC[:, 0], targets.labels_M),
        value_of=pearson,
        scores=_scores,
        decode=lambda outputs, part, labels: [{"output": round(float(v), 6)} for v in outputs.values_MC[:, 0]],
        baseline=Shallow(_fit_mean, _load_mean),
        explain=None,
        target=SCORE,
        prompts=None,
    )
