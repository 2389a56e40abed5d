"""Precision is measured, resolved, and changes what a training step computes and nothing else."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tests.finetuning.conftest import MakeWork

from deepen.finetuning import precision
from deepen.finetuning.finetune import climb_trained
from deepen.finetuning.settings import TrainedSettings
from deepen.problem.work import Work

STEPS = {"num_epochs": 2, "learning_rate": 1e-3, "batch_rows": 16, "evaluations_per_epoch": 1}


def at(work: Work, chosen: Any, folder: Path) -> Work:
    return replace(
        work, base=replace(work.base, precision=chosen), context=replace(work.context, folder=folder / chosen)
    )


@pytest.mark.parametrize(("seconds", "chosen"), [((1.0, 0.5), "bfloat16"), ((1.0, 0.95), "float32")])
def test_a_lower_precision_must_be_quicker(
    seconds: tuple[float, float], chosen: str, make_work: MakeWork, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = iter(seconds * 100)
    monkeypatch.setattr(precision, "_step", lambda network, inputs: next(clock))
    assert precision.quickest(make_work()) == chosen


def test_a_measurement_is_one_of_the_two(make_work: MakeWork) -> None:
    assert precision.quickest(make_work()) in ("float32", "bfloat16")


@pytest.mark.parametrize("lower", ["bfloat16", "float16"])
def test_training_in_a_lower_precision_ends_near(lower: str, make_work: MakeWork, tmp_path: Path) -> None:
    work = make_work()
    climbed = [
        climb_trained(at(work, one, tmp_path), name="full", depth=2, settings=TrainedSettings(**STEPS), below=None)
        for one in ("float32", lower)
    ]
    states = [one.predictor.network.state_dict() for one in climbed]  # type: ignore[attr-defined]
    assert all(value.dtype == torch.float32 for value in states[1].values() if value.is_floating_point())
    exact, once = (one.validation.values_MC for one in climbed)
    assert 0 < np.abs(once - exact).max() < 0.05 * np.abs(exact).max()
    told = climbed[1].predictor.predict(work.problem.validation).values_MC
    np.testing.assert_allclose(told, once, atol=1e-5)
