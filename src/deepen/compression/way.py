"""What a way to make a model smaller is: a model in, the folder of another one out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch

from deepen.compression import ways as room
from deepen.core.errors import ModelError
from deepen.core.files import open_to_others, read_object, sha256_file, write_json
from deepen.core.shelf import values
from deepen.data.table import Part
from deepen.finetuning.predictor import EncoderPredictor
from deepen.inference.model import Model
from deepen.models.save import can_start


@dataclass(frozen=True)
class Given:
    """What a way is handed: the model as the ways before left it, and rows.

    `learning` are the training rows, and after them unlabelled ones if there are any; `held` none has learned from, and
    a way only looks at what it reads there. `backing` neither run nor way has learned from, and nothing is judged on:
    on it rests what a way promises, which is `agreement` with the model as it gets it.
    """

    model: Model
    learning: tuple[Part, ...]
    held: Part
    seed: int
    say: Callable[[str], None]
    backing: tuple[Part, ...] = ()
    agreement: float = 0.99

    def some(self, most: int, chance: np.random.Generator) -> list[Part]:
        """Learning rows, at most so many, of each part as many."""
        each = most // len(self.learning)
        return [part.take(np.sort(chance.permutation(len(part))[:each])) for part in self.learning]


@dataclass(frozen=True)
class Way:
    """A way to make a model smaller or faster.

    Attributes:
        order: Where it stands among those that are put together: what writes no network for torch comes last.
        price: How much it may cost, in accuracy and time: of a target, the cheapest ways are tried first.
        title: What it does, in a few words.
        make: Writes the folder of the smaller model, which is not there yet.
        learns: Whether it reads the rows that the run learned from.
        promises: Whether it makes a promise of its own, which takes rows to back it.
        asked: Whether it is tried only where it is named.
    """

    order: int
    price: int
    title: str
    make: Callable[[Given, Path], None]
    learns: bool = True
    promises: bool = False
    asked: bool = False


@cache
def shelf() -> dict[str, Way]:
    """Every way there is, by name, in the order in which they are put together."""
    return dict(sorted(values(room, Way).items(), key=lambda item: item[1].order))


def network_of(model: Model) -> EncoderPredictor:
    """The network of a model, whose weights may be changed.

    Raises:
        ModelError: If it has none, or none that is all there is.
    """
    predictor = model.predictor
    if not isinstance(predictor, EncoderPredictor) or not can_start(model.folder):
        raise ModelError(f"{model.folder}: the rung '{model.rung}' has no network that can be made smaller")
    if predictor.exits:
        raise ModelError(f"{model.folder}: rows leave its network early: make the run smaller that it is from")
    if predictor.adapter is not None and predictor.adapter.kept:
        raise ModelError(f"{model.folder}: its tuning keeps vectors beside the network: only --ways int8 is for it")
    return predictor


def labeller(model: Model, way: str) -> EncoderPredictor:
    """The same, of a model that gives a row one label and reads it as one text.

    Raises:
        ModelError: If it does not.
    """
    predictor, task = network_of(model), model.task
    if not task.one_label or not predictor.network.kind.is_row:
        said = f"--ways {way} is for rows with one label that a network reads as one text, and {task.name} is otherwise"
        raise ModelError(f"{model.folder}: {said}")
    return predictor


def save_model(model: Model, predictor: EncoderPredictor, folder: Path) -> None:
    """Writes a network in place of a model's own, with all else that its folder says of it.

    Word vectors are written in 16 bits, and are 32 again once they are read: that moves answers by less than anything
    else here, and in the same file there is room for twice as many.
    """
    predictor.adapter, predictor.kept = None, {}
    words = predictor.network.encoder.network.get_input_embeddings()  # type: ignore[operator]
    if words.weight.abs().max() < torch.finfo(torch.float16).max:
        words.half()
    predictor.save(folder)
    seal(model, folder)


def seal(model: Model, folder: Path, changed: Mapping[str, Any] | None = None) -> None:
    """Writes what the folder of a model says of it into that of another made of it, which has its own files.

    Args:
        changed: What is otherwise of that one.
    """
    about = read_object(model.folder / "deepen.json") | dict(changed or {})
    names = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    write_json(folder / "deepen.json", about | {"files": {name: sha256_file(folder / name) for name in names}})
    open_to_others(folder)
