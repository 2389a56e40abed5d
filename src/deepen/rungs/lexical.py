"""Surface words: what can be had without a pretrained model, in seconds. Deep rungs are judged by their gain on it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from deepen.problem.climbed import Climbed
from deepen.problem.rung import Rung
from deepen.shallow.tfidf import LexicalSettings

if TYPE_CHECKING:
    from deepen.problem.work import Work


def climb(work: Work, settings: LexicalSettings, below: Path | None) -> Climbed:
    """Fits the task's surface model."""
    from deepen.problem.weights import weighed

    problem = work.problem
    predictor = problem.task.lexical.fit(
        problem.train, weighed(problem), problem.num_outputs, settings, work.context.seed
    )
    return Climbed(predictor, predictor.predict(problem.validation), predictor.num_parameters)


RUNG = Rung(
    about=__doc__,
    order=10,
    always=True,
    writes=True,
    scratch=True,
    warm_starts=True,
    self_trainable=True,
    settings=LexicalSettings,
    climb=climb,
    load=lambda folder, task, labels: task.lexical.load(folder),
)
