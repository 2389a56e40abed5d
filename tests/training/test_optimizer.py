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


def _steps(made: torch.optim.Optimizer, parameter: torch.nn.Parameter) -> list[torch.Tensor]:
    chance, found = torch.Generator().manual_seed(1), []
    for _ in range(5):
        parameter.grad = torch.randn(parameter.shape, generator=chance)
        made.step()
        found.append(parameter.detach().clone())
    return found


def _start() -> torch.nn.Parameter:
    return torch.nn.Parameter(torch.randn(4, 3, generator=torch.Generator().manual_seed(0)))


def _adamw(p: torch.Tensor, gradients: list[torch.Tensor], rate: float, decay: float) -> list[torch.Tensor]:
    """Loshchilov and Hutter 2019, algorithm 2, with the betas of ours."""
    m, v, found = torch.zeros_like(p), torch.zeros_like(p), []
    for t, g in enumerate(gradients, 1):
        m, v = 0.9 * m + 0.1 * g, 0.98 * v + 0.02 * g**2
        p = p - rate * decay * p - rate * (m / (1 - 0.9**t)) / ((v / (1 - 0.98**t)).sqrt() + 1e-8)
        found.append(p)
    return found


def _sgd(p: torch.Tensor, gradients: list[torch.Tensor], rate: float, decay: float) -> list[torch.Tensor]:
    """Momentum 0.9; decay is a part of the gradient."""
    m, found = torch.zeros_like(p), []
    for g in gradients:
        m = 0.9 * m + g + decay * p
        p = p - rate * m
        found.append(p)
    return found


def _adafactor(p: torch.Tensor, gradients: list[torch.Tensor], rate: float, decay: float) -> list[torch.Tensor]:
    """Shazeer and Stern 2018, algorithm 4 with relative steps, decay as AdamW has it."""
    rows, columns, found = torch.zeros(p.shape[0], 1), torch.zeros(1, p.shape[1]), []
    for t, g in enumerate(gradients, 1):
        beta = 1 - t**-0.8
        rows = beta * rows + (1 - beta) * (g**2).mean(1, keepdim=True)
        columns = beta * columns + (1 - beta) * (g**2).mean(0, keepdim=True)
        update = g / (rows * columns / rows.mean()).sqrt()
        update = update / max(1.0, float(update.square().mean().sqrt()))
        step = min(rate, t**-0.5) * max(1e-3, float(p.square().mean().sqrt()))
        p = p - rate * decay * p - step * update
        found.append(p)
    return found


@pytest.mark.parametrize(("name", "reference"), [("adamw", _adamw), ("sgd", _sgd), ("adafactor", _adafactor)])
def test_an_optimizer_is_its_reference_step_by_step(name: Any, reference: Any) -> None:
    chance = torch.Generator().manual_seed(1)
    gradients = [torch.randn(4, 3, generator=chance) for _ in range(5)]
    parameter = _start()
    groups = [{"params": [parameter], "lr": 0.05, "weight_decay": 0.1}]
    found = _steps(make_optimizer(groups, OptimizerSettings(optimizer=name)), parameter)
    for step, wanted in zip(found, reference(_start().detach(), gradients, 0.05, 0.1), strict=True):
        torch.testing.assert_close(step, wanted, rtol=1e-5, atol=1e-6)
