"""What a way to learn new rows is: which runs it suits, which old rows it needs, and what the climb starts from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from deepen.continual import methods as room
from deepen.continual.rows import Updated
from deepen.core.errors import SettingError, nearest
from deepen.core.run import Run
from deepen.core.shelf import values
from deepen.finetuning.predictor import EncoderPredictor
from deepen.inference.model import Model
from deepen.models.exits import EXITS
from deepen.preparation.prepare import Prepared

SOLVED = ("majority", "lexical", "frozen")
"""Rungs whose heads are solved."""
TRAINED = ("top_layers", "full")
"""Rungs whose weights another training can go on from."""


@dataclass(frozen=True)
class Given:
    """What a method is handed to make a model of.

    Attributes:
        model: The run's, as it is.
        source: The run.
        prepared: Its rows.
        made: The rows of the run to come.
        labels: What the model to come tells apart.
        place: The folder of the run to come, whose rows are there.
    """

    model: Model
    source: Run
    prepared: Prepared
    made: Updated
    labels: tuple[str, ...]
    place: Path


@dataclass(frozen=True)
class UpdateMethod:
    """A way to learn new rows.

    Attributes:
        refusal: Why a run of a rung can't be updated so; None if it can.
        order: Where it stands among those that are taken by themselves; None is only by name.
        all_rows: Whether it learns from all old rows again; others keep some of each label, and can forget no row.
        start: Writes the model folder that the climb starts from; None starts as a training does.
        finished: Whether what `start` writes is the model to come, with nothing left to train.
        whole_climb: Whether every rung of the run is made anew, or the chosen one alone.
        settings: What changes in the ladder's settings.
    """

    refusal: Callable[[str], str | None] = lambda rung: None
    order: int | None = None
    all_rows: bool = True
    start: Callable[[Given, Path], None] | None = None
    finished: bool = False
    whole_climb: bool = False
    settings: dict[str, Any] | None = None


@cache
def shelf() -> dict[str, UpdateMethod]:
    """The methods by name."""
    return values(room, UpdateMethod)


def method_for(asked: str | None, source: Run) -> str:
    """The name of the method: the one asked for, or the first that suits.

    Raises:
        SettingError: If it is unknown, or does not suit the run.
    """
    if asked is not None and asked not in shelf():
        raise SettingError(f"unknown method '{asked}'; {nearest(asked, shelf())}")
    if (source.folder / "model" / EXITS).is_dir():
        raise SettingError(f"{source.folder}: rows leave its network early: update the run that it is from")
    if asked is None:
        ordered = sorted((one.order, name) for name, one in shelf().items() if one.order is not None)
        return next(name for _, name in ordered if shelf()[name].refusal(source.chosen) is None)
    if (why := shelf()[asked].refusal(source.chosen)) is not None:
        raise SettingError(why)
    return asked


def only_trained(rung: str, method: str) -> str | None:
    """Why a method that goes on from a trained network does not suit a rung; None if it does."""
    trained = " and ".join(TRAINED)
    return None if rung in TRAINED else f"{rung} has no trained network: --method {method} is for {trained}"


def start_reader(model: Model, method: str) -> EncoderPredictor:
    """The network that training goes on from.

    Raises:
        SettingError: If the model does not give one label to rows read in the task's first form.
    """
    reader = model.predictor
    plain = isinstance(reader, EncoderPredictor) and reader.reads_plainly and reader.form.head.is_row
    if plain and model.task.target.is_class:
        assert isinstance(reader, EncoderPredictor)  # noqa: S101 - `plain` says so
        return reader
    said = f"{model.rung} of {model.task.name} can't go on from its weights"
    raise SettingError(f"{said}: --method {method} is for {' and '.join(TRAINED)} with one label a row")
