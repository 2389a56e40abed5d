"""One suite over every rung on the shelf, with every task: its shape, and that a saved rung says what it said."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.worlds import WORLDS

from deepen.core.settings import Settings
from deepen.finetuning.settings import TrainedSettings
from deepen.preparation.catalog import shelf
from deepen.preparation.prepare import prepare
from deepen.preparation.read import Sources
from deepen.preparation.recipe import make_recipe
from deepen.problem.climbed import Climbed
from deepen.problem.rung import Rung
from deepen.problem.work import Work

ONLY = dict.fromkeys(("zero_shot", "contrastive", "cloze"), ("classification",)) | {"few_shot": ()}
PAIRS = [(rung, task) for task in sorted(WORLDS) for rung in shelf() if task in ONLY.get(rung, WORLDS)]


@pytest.fixture(scope="session")
def climbed(
    tiny_model: Path, tiny_masked: Path, tmp_path_factory: pytest.TempPathFactory, private_cache: Path
) -> Callable[[str, str], tuple[Work, Climbed]]:
    """`climbed(rung, task)`: the work and what the rung made of it, once."""

    @cache
    def work_of(task: str, model: Path) -> Work:
        values = {"task": task, "data": {"validation_at_least": 30}, "model": {"name": str(model)}}
        recipe = make_recipe(values)
        folder = tmp_path_factory.mktemp(task)
        return prepare(recipe, Sources(WORLDS[task](90)), folder, say=lambda line: None).work

    @cache
    def climb(rung: str, task: str) -> tuple[Work, Climbed]:
        work, module = work_of(task, tiny_masked if rung == "cloze" else tiny_model), shelf()[rung]
        quick = {"num_epochs": 1} if issubclass(module.settings, TrainedSettings) else {}
        return work, module.climb(work, module.settings(**quick), None)

    return climb


@pytest.mark.parametrize("rung", shelf())
def test_it_has_the_shape_of_a_rung(rung: str) -> None:
    found = shelf()[rung]
    assert isinstance(found, Rung)
    assert issubclass(found.settings, Settings)
    found.settings()
    assert found.about
    arguments = {
        name: list(inspect.signature(getattr(found, name)).parameters)
        for name in ("suits", "climb", "forecast", "load")
    }
    assert arguments == {
        "suits": ["work"],
        "climb": ["work", "settings", "below"],
        "forecast": ["work", "settings"],
        "load": ["folder", "task", "labels"],
    }


@pytest.mark.parametrize("rung", shelf())
def test_every_setting_says_why(rung: str) -> None:
    for name, field in shelf()[rung].settings.model_fields.items():
        assert field.description, f"{rung}.{name} has no docstring"


def test_no_two_rungs_stand_at_one_height() -> None:
    orders = [rung.order for rung in shelf().values()]
    assert orders == sorted(set(orders))


@pytest.mark.parametrize(("rung", "task"), PAIRS)
def test_it_climbs(climbed: Any, rung: str, task: str) -> None:
    work, found = climbed(rung, task)
    assert len(found.validation) == len(work.problem.validation)
    assert found.validation.values_MC.shape == (len(work.problem.validation_targets.labels_M), work.problem.num_outputs)
    assert np.isfinite(found.validation.values_MC).all()
    np.testing.assert_array_equal(found.validation.offsets_N1, work.problem.validation_targets.offsets_N1)
    assert found.num_trained_parameters >= 0
    assert found.predictor.num_parameters >= 0
    again = found.predictor.predict(work.problem.validation)
    np.testing.assert_allclose(again.values_MC, found.validation.values_MC, atol=1e-4)


@pytest.mark.parametrize(("rung", "task"), PAIRS)
def test_a_saved_rung_says_what_it_said(climbed: Any, rung: str, task: str, tmp_path: Path) -> None:
    work, found = climbed(rung, task)
    right = found.predictor.predict(work.problem.validation)
    found.predictor.save(tmp_path / "model")
    again = shelf()[rung].load(tmp_path / "model", work.problem.task, work.problem.labels)
    np.testing.assert_allclose(again.predict(work.problem.validation).values_MC, right.values_MC, atol=1e-6)
    kinds = {path.suffix for path in (tmp_path / "model").rglob("*") if path.is_file()}
    assert kinds <= {".json", ".safetensors", ".txt"}, "safetensors and JSON, and the tokenizer's own text"

    again.calibrate(2.0)
    np.testing.assert_allclose(again.predict(work.problem.validation).values_MC, right.values_MC / 2, atol=1e-5)
    again.save(tmp_path / "calibrated")
    folded = shelf()[rung].load(tmp_path / "calibrated", work.problem.task, work.problem.labels)
    np.testing.assert_allclose(folded.predict(work.problem.validation).values_MC, right.values_MC / 2, atol=1e-5)


@pytest.mark.parametrize(("rung", "task"), PAIRS)
def test_it_tells_the_time(climbed: Any, rung: str, task: str) -> None:
    work, _ = climbed(rung, task)
    module = shelf()[rung]
    seconds = module.forecast(work, module.settings())
    assert seconds is None if module.always else seconds > 0
