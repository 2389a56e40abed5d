"""All layers, trained from where the rung below ended: the deepest and dearest rung."""

from __future__ import annotations

from pathlib import Path

from deepen.training.forecast import forecast_trained
from deepen.training.predictor import EncoderPredictor, load_predictor
from deepen.training.task import Task
from deepen.training.trained import TrainedSettings, climb_trained
from deepen.training.work import Climbed, Work

ORDER = 40
ALWAYS = False


class RungSettings(TrainedSettings):
    """How all layers are trained."""


def climb(work: Work, settings: RungSettings, below: Path | None) -> Climbed:
    """Trains every layer from the rung below."""
    return climb_trained(work, name="full", depth=work.model.num_layers, settings=settings, below=below)


def forecast(work: Work, settings: RungSettings) -> float | None:
    """Seconds, from the measured speed of the frozen pass."""
    return forecast_trained(work, depth=work.model.num_layers, settings=settings)


def load(folder: Path, task: Task, labels: tuple[str, ...]) -> EncoderPredictor:
    """Reads the saved rung."""
    return load_predictor(folder, task, labels)
