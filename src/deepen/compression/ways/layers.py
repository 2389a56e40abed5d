"""Half of the layers, which learn from the whole network what it says: on training and unlabelled rows."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from deepen.compression.student import Rows, imitating, learn, spread, with_layers
from deepen.compression.way import Given, Way, network_of, save_model
from deepen.core.errors import ModelError


def make(given: Given, folder: Path) -> None:
    """Drops layers and lets the others learn what they did; labels are not looked at."""
    predictor = network_of(given.model)
    teacher = predictor.network.eval()
    whole = teacher.encoder.num_layers
    if whole < 2:
        raise ModelError(f"{given.model.folder}: the network has one layer, and half of it is none")
    left = whole // 2
    student = with_layers(teacher, spread(whole, left))
    rows = Rows.of(predictor, given.learning)
    given.say(f"  layers: {left} of {whole} learn from the whole network on {len(rows):,} rows")
    learn(student, rows, imitating(student, teacher), seed=given.seed, title=f"{left} layers")
    save_model(given.model, replace(predictor, network=student), folder)


WAY = Way(order=20, price=3, title="half of the layers, taught by the whole network", make=make)
