"""The floor: says what is most frequent, whatever the input. A model that is not above it has learned nothing."""

from __future__ import annotations

from pathlib import Path

from deepen.core.settings import Settings
from deepen.problem.rung import Rung
from deepen.problem.task import Predictor, Task
from deepen.problem.work import Climbed, Work


class RungSettings(Settings):
    """Nothing can be chosen."""


def suits(work: Work) -> bool:
    """Whether a climb takes it by itself: always."""
    return True


def climb(work: Work, settings: RungSettings, below: Path | None) -> Climbed:
    """Counts what the task counts."""
    predictor = work.task.baseline.fit(work.train, work.train_targets, work.num_outputs, settings, work.seed)
    return Climbed(predictor, predictor.predict(work.validation), predictor.num_parameters)


def forecast(work: Work, settings: RungSettings) -> float | None:
    """Too short to matter."""
    return None


def load(folder: Path, task: Task, labels: tuple[str, ...]) -> Predictor:
    """Reads the saved rung."""
    return task.baseline.load(folder)


RUNG = Rung(
    order=0,
    always=True,
    warm_starts=True,
    settings=RungSettings,
    suits=suits,
    climb=climb,
    forecast=forecast,
    load=load,
)
