"""The floor: says what is most frequent, whatever the input. A model that is not above it has learned nothing."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from deepen.core.settings import Settings
from deepen.problem.climbed import Climbed
from deepen.problem.rung import Rung

if TYPE_CHECKING:
    from deepen.problem.work import Work


class RungSettings(Settings):
    """Nothing can be chosen."""


def climb(work: Work, settings: RungSettings, below: Path | None) -> Climbed:
    """Counts what the task counts."""
    problem = work.problem
    predictor = problem.task.baseline.fit(
        problem.train, problem.train_targets, problem.num_outputs, settings, work.context.seed
    )
    return Climbed(predictor, predictor.predict(problem.validation), predictor.num_parameters)


RUNG = Rung(
    about=__doc__,
    order=0,
    always=True,
    writes=True,
    scratch=True,
    warm_starts=True,
    settings=RungSettings,
    climb=climb,
    load=lambda folder, task, labels: task.baseline.load(folder),
)
