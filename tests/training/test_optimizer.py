from __future__ import annotations

from typing import Any

import pytest
import torch

from deepen.training.optimizer import OptimizerSettings, clip, make_optimizer, parameter_groups, rate_factor


@pytest.mark.parametrize("schedule", ["linear", "cosine", "constant", "plateau"])
@pytest.mark.parametrize("warmup", [0.0, 0.1, 0.5, 1.0])
@pytest.mark.parametrize("num_steps", [1, 2, 7, 100])
def test_rates(schedule: Any, warmup: float, num_steps: int) -> None:
    settings = OptimizerSettings(schedule=schedule, warmup_share=warmup)
    rates = [rate_factor(step, num_steps, settings) for step in range(num_steps)]
    assert all(0 < rate <= 1 for rate in rates)
    top = rates.index(max(rates))
    assert rates[: top + 1] == sorted(rates[: top + 1])
    assert rates[top:] == sorted(rates[top:], reverse=True)
    if schedule in ("constant", "plateau") or num_steps == 1:
        assert rates[-1] == 1


def test_known_values() -> None:
    def at(schedule: Any, step: int) -> float:
        return rate_factor(step, 110, OptimizerSettings(schedule=schedule, warmup_share=10 / 110))

    assert [at("linear", step) for step in (0, 4, 9, 10, 60, 109)] == pytest.approx([0.1, 0.5, 1, 1, 0.5, 0.01])
    assert [at("cosine", step) for step in (10, 35, 60, 85)] == pytest.approx([1, 0.853553, 0.5, 0.146447], abs=1e-5)
    assert at("constant", 109) == 1


def test_groups() -> None:
    body, head = torch.nn.Sequential(torch.nn.Linear(3, 3), torch.nn.LayerNorm(3)), torch.nn.Linear(3, 2)
    module = torch.nn.ModuleDict({"body": body, "head": head})
    body[0].bias.requires_grad_(False)
    depths = {id(p): 2 for p in body.parameters()}
    settings = OptimizerSettings(layer_decay=0.5, head_learning_rate=7.0, weight_decay=0.1)
    groups = parameter_groups(module, depths, settings, head, 1.0)
    found = {id(p): (g["peak"], g["weight_decay"]) for g in groups for p in g["params"]}  # type: ignore[attr-defined]
    assert found == {
        id(body[0].weight): (0.25, 0.1),
        id(body[1].weight): (0.25, 0.0),
        id(body[1].bias): (0.25, 0.0),
        id(head.weight): (7.0, 0.1),
        id(head.bias): (7.0, 0.0),
    }
    make_optimizer(groups, settings)


def test_clip() -> None:
    one, two = (torch.nn.Parameter(torch.zeros(2)) for _ in range(2))
    one.grad, two.grad = torch.tensor([3.0, 0.0]), torch.tensor([0.0, 4.0])
    clip([one, two], 0)
    assert one.grad[0] == 3
    clip([one, two], 1.0)
    assert torch.cat([one.grad, two.grad]).norm() == pytest.approx(1.0, abs=1e-5)
