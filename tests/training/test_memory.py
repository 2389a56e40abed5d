"""Where memory runs out, micro-batches are halved and the same gradients come about."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from accelerate import Accelerator
from torch import nn

from deepen.core.types import LossSum
from deepen.training.loop import Plan, Progress, fit
from deepen.training.optimizer import OptimizerSettings, parameter_groups


def trained(most: int, *, scaled: bool = False, said: list[str] | None = None) -> tuple[nn.Linear, Progress]:
    """A small regression where a micro-batch of more than `most` rows has no room."""
    torch.manual_seed(0)
    network, x_NF = nn.Linear(3, 1), torch.randn(12, 3)

    def step(rows: list[int], backward: Any) -> dict[str, LossSum]:
        total = network(x_NF[rows]).square().sum()
        if len(rows) > most:
            (total / 2).backward()  # what a backward pass had added up when it failed
            torch.empty(1 << 60)
        backward(total)
        return {"loss": LossSum(total.detach(), len(rows))}

    plan = Plan(
        batches=lambda epoch: [[[0, 1, 2, 3, 4, 5, 6]], [[7, 8, 9, 10, 11]]],
        count=len,
        step=step,
        num_epochs=3,
        num_steps=6,
        halves=lambda rows: [half for half in (rows[: len(rows) // 2], rows[len(rows) // 2 :]) if half],
        scaled=scaled,
        say=(said if said is not None else []).append,
    )
    settings = OptimizerSettings()
    groups = parameter_groups(network, {}, settings, network, 1e-2)
    return network, fit(network, groups, plan, settings, Accelerator(device_placement=False))


def test_the_same_comes_about_in_smaller_micro_batches() -> None:
    said: list[str] = []
    whole, _ = trained(99)
    cut, progress = trained(2, said=said)
    assert progress.halvings == 2
    assert [line.strip() for line in said] == [f"out of memory: {n} micro-batches a step from now on" for n in (2, 4)]
    torch.testing.assert_close(cut.weight, whole.weight, rtol=1e-5, atol=1e-7)
    assert progress.loss == pytest.approx(trained(99)[1].loss, rel=1e-5)


def test_a_row_without_room_is_an_error() -> None:
    with pytest.raises(RuntimeError, match="allocate"):
        trained(0)


def test_scaled_losses_give_the_same_steps() -> None:
    plain, _ = trained(99)
    scaled, progress = trained(99, scaled=True)
    assert progress.scaler["scale"] >= 1024
    torch.testing.assert_close(scaled.weight, plain.weight, rtol=1e-4, atol=1e-6)
