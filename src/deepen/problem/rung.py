"""What a rung of the ladder is: a value with the functions that climb it and read it again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deepen.core.settings import Settings
from deepen.problem.task import Predictor, Task
from deepen.problem.work import Climbed, Work


@dataclass(frozen=True)
class Rung:
    """A rung of the ladder.

    Attributes:
        order: Its place, from shallow to deep.
        settings: The class of its settings.
        suits: Whether a climb takes it where `--rungs` names none.
        climb: Trains it, from the model folder of the rung below if there is one.
        forecast: Seconds that it will take; None where that can't be told, or is too little to ask for.
        load: Its model, out of a model folder, for a task with these labels.
        always: Whether it is cheap enough to run without asking.
        warm_starts: Whether a rung above may start from its model.
        self_trainable: Whether it learns from rows that another rung has labelled.
        few_shot: Whether it is made for few labels.
        deep_form: Whether it reads rows in the deeper form that a task may have, as two texts together.
    """

    order: int
    settings: type[Settings]
    suits: Callable[[Work], bool]
    climb: Callable[[Work, Any, Path | None], Climbed]
    forecast: Callable[[Work, Any], float | None]
    load: Callable[[Path, Task, tuple[str, ...]], Predictor]
    always: bool = False
    warm_starts: bool = False
    self_trainable: bool = False
    few_shot: bool = False
    deep_form: bool = False
