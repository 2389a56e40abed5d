"""One device from loading to prediction: everything is where the network is, and answers are those of the CPU."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tests.card import CARD, Card, apart
from tests.contracts import golden
from tests.contracts.conftest import Deepen, Finished
from tests.worlds import WORLDS, some
from transformers import AutoModel, PreTrainedModel

import deepen
from deepen.core.errors import SettingError
from deepen.core.files import read_json
from deepen.core.recipe_file import read_recipe
from deepen.models import device as devices
from deepen.preparation.catalog import tunings

QUICK = ["data.validation_at_least=20", "data.check=false"]
EPOCHS = [f"rungs.{rung}.num_epochs=1" for rung in ("top_layers", "full", "cloze")]
EPOCHS += ["rungs.contrastive.examples_seen=60", "rungs.few_shot.trial_rows=8"]


@pytest.fixture
def card(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Card]:
    """A machine with a card, which `auto` takes."""
    monkeypatch.setenv("DEEPEN_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(devices, "devices", lambda: [CARD, torch.device("cpu")])
    monkeypatch.setattr(torch, "inference_mode", torch.no_grad)  # in which a subclass of tensors can't be viewed
    optimizers = sys.modules["torch.optim.optimizer"]
    monkeypatch.setattr(optimizers, "_get_fused_kernels_supported_devices", lambda: [CARD.type, "cpu"])
    monkeypatch.setattr(AutoModel, "from_pretrained", apart(AutoModel.from_pretrained))
    read = PreTrainedModel.from_pretrained.__func__  # type: ignore[attr-defined]
    monkeypatch.setattr(PreTrainedModel, "from_pretrained", classmethod(apart(read)))
    with Card() as made:
        yield made


@pytest.fixture
def models(tiny_model: Path, tiny_masked: Path, tiny_decoder: Path) -> dict[str, Path]:
    """The models by their names, made before there is a card, on which it would take longer."""
    return {"tiny_model": tiny_model, "tiny_masked": tiny_masked, "tiny_decoder": tiny_decoder}


def trained(task: str, model: Path, out: Path, **given: Any) -> deepen.Run:
    """A quick climb on a few planted rows."""
    words = [*QUICK, *EPOCHS, *given.pop("settings", [])]
    return deepen.train(WORLDS[task](60), task=task, model=model, out=out, thorough=True, settings=words, **given)


def inputs_of(task: str) -> list[dict[str, Any]]:
    """Rows to answer."""
    return WORLDS[task](20)


def assert_there(model: Any) -> None:
    """Every number of a model is on the card."""
    for parameter in model.predictor.network.state_dict().values():
        assert parameter.device == CARD


@pytest.mark.parametrize("task", some(WORLDS, "classification", "span_qa"))
def test_a_climb_on_a_card_and_its_answers(task: str, tiny_model: Path, tmp_path: Path, card: Card) -> None:
    run = trained(task, tiny_model, tmp_path / "run", rungs=golden.RUNGS)
    assert {row["status"] for row in run.ladder["rungs"]} <= {"done", "stopped"}, run.ladder["rungs"]
    assert read_json(run.folder / "environment.json")["machine"]["device"] == str(CARD)
    for rung in ("frozen", "top_layers", "full"):
        model = deepen.load(run, rung=rung)
        assert_there(model)
        before = card.ran.total()
        found = model.predict(inputs_of(task))
        assert card.ran.total() > before + 20, "the card did the work"
        there = deepen.load(run, rung=rung, device="cpu")
        assert {str(one.device) for one in there.predictor.network.parameters()} == {"cpu"}
        for one, other in zip(found, there.predict(inputs_of(task)), strict=True):
            assert str(one.output) == str(other.output)
            for label, share in (one.probabilities or {}).items():
                assert share == pytest.approx(other.probabilities[label], abs=1e-4)


@pytest.mark.parametrize("tuning", some(sorted(tunings()), "full", "prefix"))
def test_every_tuning_is_put_where_the_encoder_is(tuning: str, tiny_model: Path, tmp_path: Path, card: Card) -> None:
    run = trained("classification", tiny_model, tmp_path / "run", tuning=tuning, rungs="top_layers,full")
    assert {row["status"] for row in run.ladder["rungs"]} <= {"done", "stopped"}, run.ladder["rungs"]
    model = deepen.load(run, rung="full")
    assert_there(model)
    assert model.predict(inputs_of("classification"))


@pytest.mark.parametrize(
    ("rungs", "which", "more"),
    [
        ("zero_shot,contrastive", "tiny_model", []),
        ("zero_shot,cloze", "tiny_masked", []),
        ("zero_shot,few_shot", "tiny_decoder", []),
        *(
            pytest.param("frozen,full", *way, marks=pytest.mark.services)
            for way in (("tiny_model", ["model.head=mlp"]), ("tiny_decoder", ["model.pooling=last"]))
        ),
    ],
)
def test_rungs_for_few_rows_and_prompts_are_there_too(
    rungs: str, which: str, more: list[str], tmp_path: Path, models: dict[str, Path], card: Card
) -> None:
    run = trained("classification", models[which], tmp_path / "run", rungs=rungs, settings=more)
    assert {row["status"] for row in run.ladder["rungs"]} <= {"done", "stopped"}, run.ladder["rungs"]
    for rung in rungs.split(","):
        before = card.ran.total()
        found = deepen.load(run, rung=rung).predict(inputs_of("classification"))
        assert card.ran.total() > before + 20, rung
        there = deepen.load(run, rung=rung, device="cpu").predict(inputs_of("classification"))
        assert [one.output for one in found] == [one.output for one in there]


def test_a_batch_or_a_module_that_is_left_behind_is_noticed(tiny_model: Path, tmp_path: Path, card: Card) -> None:
    """The card itself is tested: half a network on it, or a batch of the CPU, fails."""
    model = deepen.load(trained("classification", tiny_model, tmp_path / "run", rungs="frozen"))
    part = model.read(["a good film"])
    network = model.predictor.network  # type: ignore[attr-defined]
    network.head.to("cpu")
    with pytest.raises(RuntimeError, match="meet some of the card"):
        model.predictor.predict(part)
    network.to(CARD)
    assert np.isfinite(model.predictor.predict(part).values_MC).all()
    network.encoder.to("cpu")
    with pytest.raises(RuntimeError, match="meet some of the card"):
        model.predictor.predict(part)


def test_a_diagnosis_and_an_explanation_run_there(tiny_model: Path, tmp_path: Path, card: Card) -> None:
    run = trained("classification", tiny_model, tmp_path / "run", rungs="lexical,frozen,full")
    before = card.ran.total()
    assert deepen.diagnose(run, WORLDS["classification"](40), questions="depth,partial_input")
    assert card.ran.total() > before + 20
    before = card.ran.total()
    assert deepen.load(run, rung="full").explain(["a good film"])
    assert card.ran.total() > before + 20


def test_tuned_runs_together_and_composed(tiny_model: Path, tmp_path: Path, card: Card) -> None:
    pytest.importorskip("peft")
    runs = [
        trained("classification", tiny_model, tmp_path / name, tuning="lora", rungs="full", seed=seed).folder
        for seed, name in enumerate(("one", "two"))
    ]
    for model in [*deepen.load_together(runs, rung="full"), deepen.compose(runs, rung="full")]:
        assert_there(model)
        assert model.predict(["a good film"])


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("cuda", "device 'cuda' is not there: this machine has cpu, or say auto"),
        ("cuda:7", "device 'cuda:7' is not there"),
        ("mps", "device 'mps' is not there"),
        ("gpu", "device 'gpu': it must be auto, cpu, cuda, cuda:N or mps"),
        ("cuda:-1", "it must be"),
        ("meta", "it must be"),
        ("", "it must be"),
    ],
)
def test_what_is_not_there_is_said(setting: str, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices, "devices", lambda: [torch.device("cpu")])
    with pytest.raises(SettingError) as error:
        devices.pick_device(setting)
    assert said in str(error.value)


def test_auto_takes_a_card_before_the_processor(monkeypatch: pytest.MonkeyPatch) -> None:
    there = [torch.device("cuda", 0), torch.device("cuda", 1), torch.device("mps"), torch.device("cpu")]
    for first in range(4):
        monkeypatch.setattr(devices, "devices", lambda first=first: there[first:])
        assert devices.pick_device("auto") == there[first]
    monkeypatch.setattr(devices, "devices", lambda: there)
    assert [str(devices.pick_device(name)) for name in ("cuda", "cuda:1", "cpu")] == ["cuda:0", "cuda:1", "cpu"]


@pytest.mark.parametrize("command", ["train", "predict", "evaluate", "diagnose"])
def test_every_command_refuses_a_device_that_is_not_there(
    command: str, deepen: Deepen, finished: Finished, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(devices, "devices", lambda: [torch.device("cpu")])
    data = finished.data.parent / "test.csv"
    words: dict[str, list[object]] = {
        "train": [data, "--out", tmp_path / "run", "--model", finished.model],
        "predict": [finished.folder, "--text", "good"],
        "evaluate": [finished.folder, data],
        "diagnose": [finished.folder],
    }
    said = deepen(command, *words[command], "--device", "cuda").failed("SettingError")
    assert "this machine has cpu" in said
    assert not (tmp_path / "run").exists()


def test_the_device_is_said_and_written_down(deepen: Deepen, finished: Finished) -> None:
    assert "device: cpu" in "\n".join(finished.answer.err.splitlines()[:3])
    assert read_recipe(finished.folder / "recipe.yaml")["device"] == "cpu"
    assert read_json(finished.folder / "environment.json")["machine"]["device"] == "cpu"
    for words in (["predict", finished.folder, "--text", "good"], ["evaluate", finished.folder, finished.data]):
        assert "  device: cpu" in deepen(*words, "--device", "cpu").err.splitlines()[:2]


def test_a_run_goes_on_where_another_device_is(finished: Finished) -> None:
    from deepen.preparation.recipe import make_recipe
    from deepen.preparation.resume import check_resumed

    recipe = make_recipe(read_recipe(finished.folder / "recipe.yaml"))
    check_resumed(finished.folder, recipe.model_copy(update={"device": "cuda:0"}))


def test_a_forecast_is_made_where_the_climb_is(tiny_model: Path, tmp_path: Path, card: Card) -> None:
    from deepen.finetuning.forecast import seconds_per_token
    from deepen.preparation.prepare import prepare
    from deepen.preparation.read import Sources
    from deepen.preparation.recipe import make_recipe

    recipe = make_recipe({"data": {"validation_at_least": 30}, "model": {"name": str(tiny_model)}})
    work = prepare(recipe, Sources(WORLDS["classification"](90)), tmp_path / "run", say=lambda line: None).work
    with devices.using(CARD):
        before = card.ran.total()
        assert seconds_per_token(work) > 0
        assert card.ran.total() > before + 20
    before = card.ran.total()
    assert seconds_per_token(work) > 0, "measured anew for the processor, not read from the card's file"
    assert card.ran.total() == before
    assert len(list((tmp_path / "cache" / "speed").iterdir())) == 2
