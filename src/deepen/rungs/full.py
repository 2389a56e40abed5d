"""All layers, starting where `top_layers` ended: the deepest and most expensive rung.

A task with a deeper form of its rows, as two texts read together, takes it here and starts from the pretrained encoder.
"""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar, Literal

from pydantic import Field

from deepen.finetuning.finetune import climb_trained
from deepen.finetuning.forecast import forecast_trained
from deepen.finetuning.predictor import load_reader, reader_or_writer
from deepen.finetuning.settings import ScratchSettings, TrainedSettings, rate_for
from deepen.finetuning.writing import climb_written
from deepen.problem.climbed import Climbed
from deepen.problem.rung import Rung
from deepen.problem.work import Work

_FEWEST_VISITS, _MOST_EPOCHS, _FRESH_ROWS = 3, 10, 20_000
_FRESH_RATE = 1e-4


class RungSettings(TrainedSettings):
    """How all layers are trained."""

    usual_rate: ClassVar[float] = 1.6e-4

    learning_rate: float | None = Field(default=None, gt=0)
    """The highest rate, per step; None is 1.6e-4, and less for an encoder of more than six layers
    (docs/decisions/0005)."""
    head_learning_rate: float | None = 1e-3
    """The head's own rate: it may start flat and must grow back quickly (LOG.md)."""
    rounds: int = Field(default=3, ge=1)
    """Once more, and a third time, as long as each gains `round_worth` points: where the layers below know little, one
    epoch is not the end (docs/decisions/0005)."""
    fresh_learning_rate: float | None = Field(default=None, gt=0)
    """The highest rate where the rung starts from nothing: a task whose deepest form is another, as two texts read
    together. None is 1e-4, or less as above: it takes more epochs, which bear less (LOG.md)."""
    fresh_dropout: float | None = None
    """Dropout there; None takes the network's own. What is seen six times is otherwise known by heart (LOG.md)."""
    start: Literal["below", "frozen"] = "below"
    """The model to start from: that of the rung just below, or frozen's (docs/decisions/0005)."""
    scratch: ScratchSettings = ScratchSettings()
    """What is otherwise where a network that writes begins with random weights."""


def climb(work: Work, settings: RungSettings, below: Path | None) -> Climbed:
    """Trains every layer."""
    if work.problem.task.writes is not None:
        chosen = _from_scratch(settings) if work.base.scratch else settings
        return climb_written(work, name="full", depth=None, settings=chosen, below=below)
    depth, frozen = work.base.model.num_layers, work.context.rung_folder("frozen") / "model"
    if work.problem.task.deep is not None:
        fresh = _from_nothing(work, settings)
        return climb_trained(work, name="full", depth=depth, settings=fresh, below=None, form=work.deep_form)
    if settings.start == "frozen" and frozen.is_dir():
        below = frozen
    return climb_trained(work, name="full", depth=depth, settings=settings, below=below)


def _from_scratch(settings: RungSettings) -> RungSettings:
    """Random weights take more epochs, larger steps, and more against learning by heart."""
    scratch = settings.scratch
    chosen = {name: getattr(settings, name) or getattr(scratch, name) for name in ("learning_rate", "num_epochs")}
    chosen |= {"batch_tokens": settings.batch_tokens or (None if settings.batch_rows else scratch.batch_tokens)}
    chosen |= {"dropout": scratch.dropout, "label_smoothing": scratch.label_smoothing, "embeddings": True}
    chosen |= {"optimizer": scratch.optimizer}
    return settings.model_copy(update=chosen)


def _from_nothing(work: Work, settings: RungSettings) -> RungSettings:
    """A task whose deepest form is another starts from the pretrained encoder, which takes some epochs more."""
    epochs = min(max(_FEWEST_VISITS, round(_FRESH_ROWS / len(work.problem.train))), _MOST_EPOCHS)
    fresh = {
        "num_epochs": settings.num_epochs or max(epochs, settings.epochs(len(work.problem.train))),
        "learning_rate": settings.fresh_learning_rate or rate_for(_FRESH_RATE, work.base.model.num_layers),
        "dropout": settings.fresh_dropout,
    }
    return settings.model_copy(update=fresh)


def forecast(work: Work, settings: RungSettings) -> float | None:
    """Seconds, from the measured speed of the frozen pass."""
    if work.problem.task.writes is not None:
        return None
    chosen = _from_nothing(work, settings) if work.problem.task.deep is not None else settings
    return forecast_trained(work, depth=work.base.model.num_layers, settings=chosen, form=work.deep_form)


RUNG = Rung(
    about=__doc__,
    order=40,
    warm_starts=True,
    self_trainable=True,
    deep_form=True,
    settings=RungSettings,
    climb=climb,
    forecast=forecast,
    load=reader_or_writer(lambda folder, task, labels: load_reader(folder, task, labels, task.deep or task.form)),
    writes=True,
    scratch=True,
)
