"""Runs that were tuned from one encoder: each over it, and all of them added up."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tests.worlds import WORLDS
from typer.testing import CliRunner

import deepen
from deepen.cli.main import app
from deepen.core.errors import ModelError, SettingError
from deepen.finetuning.predictor import EncoderPredictor
from deepen.models.compose import compose_weights
from deepen.models.load import load_encoder

RATE = 0.005


def trained(folder: Path, model: Path, method: str = "lora", seed: int = 0, **more: Any) -> deepen.Run:
    rows = WORLDS[more.pop("task", "classification")](200 + seed)
    settings = [f"tunings.{method}.learning_rate={RATE}", f"seed={seed}"]
    given: dict[str, Any] = {"rungs": ["frozen", "full"], "thorough": True, "settings": settings} | more
    return deepen.train(rows, model=model, out=folder, tuning=method, **given)


@pytest.fixture(scope="module")
def pair(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> list[deepen.Run]:
    """Two LoRAs of one task."""
    folder = tmp_path_factory.mktemp("pair")
    return [trained(folder / name, tiny_model, seed=seed) for seed, name in enumerate(("one", "two"))]


def said(model: deepen.Model, num: int = 60) -> np.ndarray:
    texts = [row["text"] for row in WORLDS["classification"](300)[-num:]]
    return np.array([list((one.probabilities or {}).values()) for one in model.predict(texts)])


@pytest.mark.parametrize(
    "methods",
    [
        *(pytest.param(pair, marks=pytest.mark.services) for pair in (("lora", "bitfit"), ("ia3", "lora"))),
        *(("adalora", "adapter"), ("prefix", "p_tuning")),
    ],
)
def test_several_over_one_encoder(tiny_model: Path, tmp_path: Path, methods: tuple[str, str]) -> None:
    """Each says what it says alone, and the weights that none of them changes are in memory once."""
    runs = []
    for number, method in enumerate(methods):
        few = [f"tunings.{method}.learning_rate={RATE}", f"seed={number}", "rungs.full.num_epochs=1"]
        runs.append(trained(tmp_path / method, tiny_model, method, number, settings=few))
    texts = [row["text"] for row in WORLDS["classification"](20)]
    alone = [deepen.load(run, rung="full").predict(texts) for run in runs]
    models = deepen.load_together(runs, rung="full")
    for model, right in zip(models, alone, strict=True):
        for one, other in zip(model.predict(texts), right, strict=True):
            assert one.probabilities == pytest.approx(other.probabilities, abs=1e-4)
    places = []
    for model in models:
        assert isinstance(model.predictor, EncoderPredictor)
        tensors = model.predictor.network.encoder.network.parameters()
        places.append({tensor.data_ptr(): tensor.numel() for tensor in tensors})
    shared = sum(size for at, size in places[0].items() if at in places[1])
    assert shared > 0.8 * sum(p.numel() for p in load_encoder(tiny_model).parameters())
    with pytest.raises(ModelError, match="has no adapter"):
        deepen.load_together([*runs, runs[0]], rung="frozen")


def test_one_that_counts_alone_is_itself(pair: list[deepen.Run]) -> None:
    for at, weights in enumerate(([1.0, 0.0], [0.0, 1.0])):
        alone = said(deepen.load(pair[at], rung="full"))
        np.testing.assert_allclose(said(deepen.compose(pair, weights=weights, rung="full")), alone, atol=1e-5)
    twice = deepen.compose([pair[0], pair[0]], rung="full")
    np.testing.assert_allclose(said(twice), said(deepen.load(pair[0], rung="full")), atol=1e-5)


@pytest.mark.parametrize("by", ["sum", "ties"])
def test_the_sum_of_two_still_knows_what_both_know(pair: list[deepen.Run], by: str) -> None:
    model = deepen.compose(pair, by=by, rung="full")
    rows = WORLDS["classification"](300)[-60:]
    right = [answer.output == row["label"] for answer, row in zip(model.predict(rows), rows, strict=True)]
    assert np.mean(right) > 0.9
    assert not np.allclose(said(model), said(deepen.load(pair[0], rung="full")), atol=1e-3)


def test_sums_are_those_of_peft(pair: list[deepen.Run], tiny_model: Path) -> None:
    """PEFT loads both folders by itself and puts the products side by side, which is their sum."""
    from peft import PeftModel
    from transformers import AutoModel

    folders = [str(run.folder / "rungs" / "full" / "model" / "adapter") for run in pair]
    theirs = PeftModel.from_pretrained(AutoModel.from_pretrained(tiny_model), folders[0], adapter_name="one")
    theirs.load_adapter(folders[1], adapter_name="two")
    theirs.base_model.add_weighted_adapter(["one", "two"], [0.7, 0.3], "both", combination_type="cat")
    theirs.set_adapter("both")
    right = theirs.merge_and_unload().state_dict()
    model = deepen.compose(pair, weights=[0.7, 0.3], rung="full")
    assert isinstance(model.predictor, EncoderPredictor)
    found = model.predictor.network.encoder.network.state_dict()
    changed = 0
    base = load_encoder(tiny_model).network.state_dict()
    for name, value in found.items():
        key = next(key for key in right if key.removeprefix("base_model.").removeprefix("model.").endswith(name))
        torch.testing.assert_close(value, right[key], atol=1e-5, rtol=1e-4)
        changed += not torch.equal(value, base[name])
    assert changed == 12


def test_ties_by_hand(tiny_model: Path) -> None:
    """Half of each is kept, the largest; the sign that prevails is chosen, and the mean is of those that have it."""
    base, one, two = (load_encoder(tiny_model) for _ in range(3))
    name = "encoder.layer.0.output.dense.bias"
    changes = torch.zeros(2, 32)
    changes[0, :17] = torch.tensor([4.0, -3.0, 2.0, *[0.5] * 14])
    changes[1, :17] = torch.tensor([1.0, 5.0, 2.0, *[-0.5] * 14])
    changes[0, 3:16] = torch.linspace(0.6, 0.7, 13)
    changes[1, 3:16] = -torch.linspace(0.8, 0.9, 13)
    with torch.no_grad():
        for encoder, change in zip((one, two), changes, strict=True):
            encoder.network.state_dict()[name].add_(change)
    before = base.network.state_dict()[name].clone()
    compose_weights(base, [one, two], np.ones(2), "ties", 0.5)
    found = base.network.state_dict()[name] - before
    right = torch.zeros(32)
    right[:3] = torch.tensor([2.5, 5.0, 2.0])  # 4 and 1 agree; 5 outweighs -3; 2 and 2 agree
    right[3:16] = changes[1, 3:16]  # the larger of two that disagree; what is smaller was cut from both
    torch.testing.assert_close(found, right, atol=1e-6, rtol=0)


def test_what_has_no_sum(pair: list[deepen.Run], tiny_model: Path, tmp_path: Path) -> None:
    def refused(match: str, runs: list[Any], error: type[Exception] = ModelError, **more: Any) -> None:
        with pytest.raises(error, match=match):
            deepen.compose(runs, rung="full", **more)

    refused("by 'product': it must be sum or ties", pair, SettingError, by="product")
    refused("two runs or more", pair[:1], SettingError)
    for weights in ([1.0], [1.0, -1.0], [0.0, 0.0], [float("nan"), 1.0], [1.0, 2.0, 3.0]):
        refused("give one a run", pair, SettingError, weights=weights)
    for density in (0.0, 1.0, 1.5):
        refused("above 0 and below 1", pair, SettingError, by="ties", density=density)
    few = ["rungs.full.num_epochs=1"]
    refused("has no adapter", [pair[0], trained(tmp_path / "full", tiny_model, "full", settings=few, rungs=["full"])])
    refused(
        "stays beside the weights",
        [pair[0], trained(tmp_path / "beside", tiny_model, "adapter", settings=few, rungs=["full"])],
    )
    rows = [row | {"label": f"very {row['label']}"} for row in WORLDS["classification"](200)]
    other = deepen.train(rows, model=tiny_model, out=tmp_path / "other", tuning="lora", rungs=["full"], settings=few)
    refused("or other labels", [pair[0], other])


def test_on_the_command_line(pair: list[deepen.Run]) -> None:
    one, two = (str(run.folder) for run in pair)
    words = ["predict", one, "--adapter", two, "--rung", "full", "--text", "the room was lovely", "--json"]
    ran = CliRunner().invoke(app, [*words, "--compose", "sum", "--weights", "0,1"])
    assert ran.exit_code == 0, ran.output
    answers = json.loads(ran.stdout)["predictions"]
    right = deepen.load(pair[1], rung="full").predict(["the room was lovely"])
    assert [answer["output"] for answer in answers] == [right[0].output]
    assert "adapter" not in answers[0]
    for wrong in (["--compose", "sum", "--weights", "0;1"], ["--weights", "0,1"], ["--compose", "mean"]):
        ran = CliRunner().invoke(app, [*words, *wrong])
        assert ran.exit_code != 0, wrong
