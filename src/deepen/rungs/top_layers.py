"""The top third of the layers, trained on the cached output of the layers below, which are never run again."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from pydantic import Field

from deepen.finetuning.finetune import climb_trained
from deepen.finetuning.forecast import forecast_trained
from deepen.finetuning.predictor import load_predictor, reader_or_writer
from deepen.finetuning.settings import TrainedSettings
from deepen.finetuning.writing import climb_written
from deepen.problem.base import Base
from deepen.problem.climbed import Climbed
from deepen.problem.rung import Rung
from deepen.problem.work import Work


class RungSettings(TrainedSettings):
    """How the top layers are trained."""

    usual_rate: ClassVar[float] = 2e-4  # a few top layers bear more than the whole encoder does

    learning_rate: float | None = Field(default=None, gt=0)
    """The highest rate, per step; None is 2e-4, and less for an encoder of more than six layers (decision 0005)."""
    head_learning_rate: float | None = 3e-3
    """The head's own rate: it starts flat and must grow back quickly, above all with many classes (LOG.md)."""
    num_layers: int | None = None
    """How many layers from the top; None is a third of them."""


def _depth(base: Base, settings: RungSettings) -> int:
    return settings.num_layers or base.model.num_layers - base.first_top_layer


def climb(work: Work, settings: RungSettings, below: Path | None) -> Climbed:
    """Trains the top layers from frozen's head; of a network that writes those of its decoder."""
    if work.problem.task.writes is not None:
        depth = _depth(work.base, settings)
        return climb_written(work, name="top_layers", depth=depth, settings=settings, below=below)
    return climb_trained(work, name="top_layers", depth=_depth(work.base, settings), settings=settings, below=below)


def forecast(work: Work, settings: RungSettings) -> float | None:
    """Seconds, from the measured speed of the frozen pass."""
    if work.problem.task.writes is not None:
        return None
    return forecast_trained(work, depth=_depth(work.base, settings), settings=settings)


RUNG = Rung(
    about=__doc__,
    order=30,
    warm_starts=True,
    self_trainable=True,
    settings=RungSettings,
    climb=climb,
    forecast=forecast,
    load=reader_or_writer(load_predictor),
    writes=True,
)
