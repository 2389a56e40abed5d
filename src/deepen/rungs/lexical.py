"""Surface words: what can be had without a pretrained model, in seconds. Deep rungs are judged by their gain on it."""

from __future__ import annotations

from pathlib import Path

from deepen.problem.rung import Rung
from deepen.problem.task import Predictor, Task
from deepen.problem.work import Climbed, Work
from deepen.shallow.tfidf import LexicalSettings


def suits(work: Work) -> bool:
    """Whether a climb takes it by itself: always."""
    return True


def climb(work: Work, settings: LexicalSettings, below: Path | None) -> Climbed:
    """Fits the task's surface model."""
    predictor = work.task.lexical.fit(work.train, work.train_targets, work.num_outputs, settings, work.seed)
    return Climbed(predictor, predictor.predict(work.validation), predictor.num_parameters)


def forecast(work: Work, settings: LexicalSettings) -> float | None:
    """Too short to matter."""
    return None


def load(folder: Path, task: Task, labels: tuple[str, ...]) -> Predictor:
    """Reads the saved rung."""
    return task.lexical.load(folder)


RUNG = Rung(
    order=10,
    always=True,
    warm_starts=True,
    self_trainable=True,
    settings=LexicalSettings,
    suits=suits,
    climb=climb,
    forecast=forecast,
    load=load,
)
