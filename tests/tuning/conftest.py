"""Work of the tiny world with a tuning, and what climbs it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.worlds import WORLDS

from deepen.finetuning.finetune import climb_trained
from deepen.finetuning.predictor import EncoderPredictor
from deepen.finetuning.settings import TrainedSettings
from deepen.preparation.prepare import prepare
from deepen.preparation.read import Sources
from deepen.preparation.recipe import make_recipe
from deepen.problem.climbed import Climbed
from deepen.problem.work import Work

STEPS = {"num_epochs": 2, "batch_tokens": 200, "evaluations_per_epoch": 1}
MakeWork = Callable[..., Work]


@pytest.fixture
def make_work(tiny_model: Path, tmp_path: Path) -> MakeWork:
    def make(
        method: str, *, task: str = "classification", seed: int = 0, model: Path = tiny_model, **settings: Any
    ) -> Work:
        values = {
            "seed": seed,
            "task": task,
            "tuning": method,
            "tunings": {method: settings},
            "data": {"validation_at_least": 40},
            "model": {"name": str(model)},
        }
        rows = WORLDS[task](120)
        return prepare(make_recipe(values), Sources(rows), tmp_path / "run", say=lambda line: None).work

    return make


def climb(work: Work, depth: int = 1, name: str = "full", below: Path | None = None, **given: Any) -> Climbed:
    return climb_trained(work, name=name, depth=depth, settings=TrainedSettings(**{**STEPS, **given}), below=below)


def predictor_of(climbed: Climbed) -> EncoderPredictor:
    assert isinstance(climbed.predictor, EncoderPredictor)
    return climbed.predictor
