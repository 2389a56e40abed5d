"""Each setting does what its paper says, against the sum written out, and nothing where it is off."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tests.finetuning.conftest import MakeWork
from torch import nn

from deepen.core.errors import SettingError
from deepen.finetuning import finetune
from deepen.finetuning.adversary import entered, moved
from deepen.finetuning.anchor import Anchor
from deepen.finetuning.average import Average
from deepen.finetuning.finetune import climb_trained
from deepen.finetuning.memory import forecast_bytes, tell_of_memory
from deepen.finetuning.objective import Objective, divergence
from deepen.finetuning.settings import TrainedSettings
from deepen.models.head import Inputs
from deepen.models.heads import mean
from deepen.models.load import load_pretrained
from deepen.models.network import Network, fresh_network
from deepen.training.loop import Progress

STEPS = {"num_epochs": 1, "learning_rate": 1e-3, "batch_rows": 30}


def network_of(folder: Path) -> tuple[Network, Inputs]:
    torch.manual_seed(0)
    network = fresh_network(load_pretrained(str(folder)).encoder(), mean.HEAD, 3)
    nn.init.normal_(network.head.weight)
    network.encoder.dropout = 0.0
    return network, Inputs(torch.tensor([4, 7]), ids_T=torch.randint(5, 20, (11,)))


def test_focal_loss_and_smoothing(make_work: MakeWork) -> None:
    task = make_work().problem.task
    logits, labels = torch.tensor([[2.0, 0.0], [0.0, 1.0], [5.0, 5.0]]), torch.tensor([0, 0, -100])
    plain = -logits.log_softmax(-1)[:, 0] * (labels >= 0)
    right = logits.softmax(-1)[:, 0]
    given = lambda **chosen: Objective(task, TrainedSettings(**chosen)).losses(logits, labels)  # noqa: E731
    assert torch.equal(given(), task.losses(logits, labels))
    torch.testing.assert_close(given(focal=2.0), (1 - right) ** 2 * plain)
    spread = -logits.log_softmax(-1).mean(-1) * (labels >= 0)
    torch.testing.assert_close(given(label_smoothing=0.2), 0.8 * plain + 0.2 * spread)


def test_divergence_is_the_mean_of_both() -> None:
    one, two = torch.randn(4, 3), torch.randn(4, 3)
    p, q = one.log_softmax(-1), two.log_softmax(-1)
    kl = nn.functional.kl_div
    both = kl(p, q, log_target=True, reduction="none").sum(-1) + kl(q, p, log_target=True, reduction="none").sum(-1)
    found = divergence(one, two, torch.tensor([0, 1, 2, -100]))
    torch.testing.assert_close(found[:3], both[:3] / 2)
    assert found[3] == 0
    assert not divergence(one, one, torch.zeros(4)).any()


def test_rows_are_moved_to_where_their_loss_grows(tiny_model: Path) -> None:
    network, inputs = network_of(tiny_model)
    labels = torch.tensor([0, 2])
    loss = lambda read: nn.functional.cross_entropy(network(read), labels, reduction="none")  # noqa: E731
    read = entered(network, inputs)
    torch.testing.assert_close(network(read), network(inputs))
    before = loss(read)
    before.sum().backward()
    after = moved(read, 0.01)
    assert (loss(after) > before).all()
    assert read.hidden_TD is not None
    assert after.hidden_TD is not None
    for tokens in (slice(0, 4), slice(4, 11)):
        way = (after.hidden_TD - read.hidden_TD)[tokens].norm() / read.hidden_TD[tokens].norm()
        assert float(way.detach()) == pytest.approx(0.01, rel=1e-3)


def test_the_pull_is_the_gradient_of_the_squared_way() -> None:
    layer = nn.Linear(3, 2)
    anchor = Anchor(layer.parameters(), 0.3)
    starts = [p.detach().clone() for p in layer.parameters()]
    with torch.no_grad():
        for p in layer.parameters():
            p.add_(torch.randn_like(p))
    x = torch.randn(4, 3)
    way = sum(((p - start) ** 2).sum() for p, start in zip(layer.parameters(), starts, strict=True))
    wanted = torch.autograd.grad(layer(x).sum() + 0.15 * way, list(layer.parameters()))
    layer(x).sum().backward()
    anchor.pull()
    for p, gradient in zip(layer.parameters(), wanted, strict=True):
        torch.testing.assert_close(p.grad, gradient)


def test_the_mean_of_the_last_steps_of_each_round() -> None:
    p = nn.Parameter(torch.zeros(2))
    average = Average({"p": p}, [4, 8], 0.5)
    for step in range(1, 9):
        with torch.no_grad():
            p.fill_(float(step))
        average.after_step(Progress(step=step))
        assert p[0] == {4: 3.5, 8: 7.5}.get(step, step)


@pytest.mark.parametrize(
    "chosen",
    [{"fgm": 0.1}, {"r_drop": 1.0, "dropout": 0.1}, {"l2_to_start": 0.1}, {"average_last": 0.5}, {"focal": 2.0}],
)
def test_a_climb_with_each(chosen: dict[str, Any], make_work: MakeWork) -> None:
    plain, bent = (
        climb_trained(make_work(), name="full", depth=1, settings=TrainedSettings(**STEPS, **more), below=None)
        for more in ({"dropout": chosen.get("dropout", 0.0)}, chosen)
    )
    assert bent.validation.is_finite
    assert np.abs(bent.validation.values_MC - plain.validation.values_MC).max() > 1e-6


def test_two_passes_want_dropout(make_work: MakeWork) -> None:
    with pytest.raises(SettingError, match="dropout"):
        climb_trained(make_work(), name="full", depth=1, settings=TrainedSettings(r_drop=1.0), below=None)


def test_checkpointed_activations_give_the_same_gradients(tiny_model: Path) -> None:
    network, inputs = network_of(tiny_model)
    found = []
    for network.checkpointing in (False, True):
        network.zero_grad()
        network.train()(inputs).square().sum().backward()
        found.append({name: p.grad.clone() for name, p in network.named_parameters() if p.grad is not None})
    assert found[0].keys() == found[1].keys()
    assert all(torch.equal(found[0][name], found[1][name]) for name in found[0])


def test_memory_is_forecast_and_told_where_it_is_short(make_work: MakeWork, monkeypatch: pytest.MonkeyPatch) -> None:
    needs: list[int] = []
    free = iter([1, 1 << 60, 1 << 60, 1 << 60])
    monkeypatch.setattr("deepen.finetuning.memory.free_bytes", lambda device: next(free))

    def told(network: Network, feed: Any, *, name: str, say: Any) -> None:
        needs.append(forecast_bytes(network, feed))
        tell_of_memory(network, feed, name=name, say=said.append)

    said: list[str] = []
    monkeypatch.setattr(finetune, "tell_of_memory", told)
    for chosen in ({}, {"activation_checkpointing": True}, {"micro_batch_tokens": 16}, {"optimizer": "adafactor"}):
        settings = TrainedSettings(**{**STEPS, "batch_rows": 60, **chosen})
        climb_trained(make_work(), name="full", depth=2, settings=settings, below=None)
    assert needs[0] > max(needs[1:])
    assert "rungs.full.micro_batch_tokens=" in said[0]
    assert len(said) == 1
