"""What a rung of the ladder is: a value with the functions that climb it and read it again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from deepen.core.settings import Settings
from deepen.problem.climbed import Climbed
from deepen.problem.task import Predictor, Task

if TYPE_CHECKING:
    from deepen.problem.work import Work


@dataclass(frozen=True)
class Rung:
    """A rung of the ladder.

    Attributes:
        about: What it is; the first line says it to a stranger.
        order: Its place, from shallow to deep.
        settings: The class of its settings.
        climb: Trains it, from the model folder of the rung below if there is one.
        load: Its model, out of a model folder, for a task with these labels.
        suits: Whether a climb takes it where `--rungs` names none.
        forecast: Seconds that it will take; None where that can't be told, or is too little to ask for.
        always: Whether it is cheap enough to run without asking.
        warm_starts: Whether a rung above may start from its model.
        self_trainable: Whether it learns from rows that another rung has labelled.
        few_shot: Whether it is made for few labels.
        deep_form: Whether it reads rows in the deeper form that a task may have, as two texts together.
        writes: Whether there is such a rung of tasks whose answer is text.
        scratch: Whether it says something where the model begins with random weights.
    """

    about: str
    order: int
    settings: type[Settings]
    climb: Callable[[Work, Any, Path | None], Climbed]
    load: Callable[[Path, Task, tuple[str, ...]], Predictor]
    suits: Callable[[Work], bool] = lambda work: True
    forecast: Callable[[Work, Any], float | None] = lambda work, settings: None
    always: bool = False
    warm_starts: bool = False
    self_trainable: bool = False
    few_shot: bool = False
    deep_form: bool = False
    writes: bool = False
    scratch: bool = False

    def climbed(self, work: Work, settings: Any, below: Path | None) -> Climbed:
        """What it is climbed to; a finished model that the climb was handed is taken as it is."""
        if (finished := work.context.finished) is None:
            return self.climb(work, settings, work.context.start or below)
        predictor = self.load(finished, work.problem.task, work.problem.labels)
        return Climbed(predictor, predictor.predict(work.problem.validation), num_trained_parameters=0)
