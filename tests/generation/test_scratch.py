"""A climb that begins with random weights and a tokenizer of its own."""

from __future__ import annotations

import json
import time
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from tests.writers import pairs

import deepen
from deepen.core.errors import DeepenError, Interrupted
from deepen.core.files import sha256_file
from deepen.finetuning import writing
from deepen.generation.decode import Given
from deepen.models.generator import load_writer
from deepen.models.scratch import SIZES, write_scratch
from deepen.problem.context import Context
from deepen.training.loop import Plan, Progress

LEARNED = ["rungs.full.num_epochs=12", "rungs.full.scratch.learning_rate=0.02", "rungs.full.scratch.batch_tokens=200"]
WEIGHTS = "rungs/full/model/model.safetensors"


def train(folder: Path, model: str = "t5:tiny", **given: Any) -> tuple[Any, list[str]]:
    said: list[str] = []
    about: dict[str, Any] = {"task": "translation", "settings": LEARNED, "say": said.append} | given
    return deepen.train(pairs(120), model=model, out=folder, **about), said


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, list[str]]:
    return train(tmp_path_factory.mktemp("scratch") / "run", test=pairs(10, 5))


def test_it_learns_from_nothing_and_plain_transformers_reads_it(run: tuple[Any, list[str]]) -> None:
    from transformers import AutoModelForSeq2SeqLM, AutoTokenizer

    climbed, folder = run[0], run[0].folder / "rungs" / "full" / "model"
    curve = [json.loads(line) for line in (climbed.folder / "metrics.jsonl").open(encoding="utf-8")]
    values = [row["value"] for row in curve if row["rung"] == "full"]
    assert values[-1] > values[0] + 0.5
    network, reader = AutoModelForSeq2SeqLM.from_pretrained(folder).eval(), AutoTokenizer.from_pretrained(folder)
    source = "the old dog sees a bird"
    said = network.generate(**reader(source, return_tensors="pt"))[0]
    [own] = deepen.load(climbed.folder, rung="full").predict([source])
    assert reader.decode(said, skip_special_tokens=True).strip() == own.output
    strange = "Zwei Möwen – 两只海鸥 🐦"
    assert reader.decode(reader(strange)["input_ids"], skip_special_tokens=True).strip() == strange


def test_what_needs_pretrained_weights_is_left_out_with_a_reason(run: tuple[Any, list[str]]) -> None:
    rows = {row.rung: row for row in run[0].ladder.rungs}
    for name in ("frozen", "top_layers"):
        assert not rows[name].climbed
        assert rows[name].reason == "it takes pretrained weights, and t5:tiny begins with random ones"
    assert rows["full"].climbed
    assert any("t5:tiny: random weights, and a vocabulary of" in line for line in run[1])


def test_its_recipe_gives_the_same_weights(run: tuple[Any, list[str]], tmp_path: Path) -> None:
    again = deepen.train(pairs(120), recipe=run[0].folder / "recipe.yaml", test=pairs(10, 5), out=tmp_path / "run")
    assert sha256_file(again.folder / WEIGHTS) == sha256_file(run[0].folder / WEIGHTS)
    assert [row.rung for row in again.ladder.rungs if row.climbed] == ["majority", "lexical", "full"]


def test_a_decoder_begins_so_too(tmp_path: Path) -> None:
    settings = [*LEARNED, "rungs.full.num_epochs=2", "model.vocabulary=300"]
    climbed, said = train(tmp_path / "run", "llama:tiny", rungs="majority,full", settings=settings)
    config = json.loads((climbed.folder / "rungs/full/model/config.json").read_text(encoding="utf-8"))
    assert (config["model_type"], config["vocab_size"]) == ("llama", 300)
    assert any("rows are packed" in line for line in said)
    assert deepen.load(climbed.folder, rung="full").predict(["the cat"])[0].output is not None


def test_the_same_seed_gives_the_same_weights_and_tiny_is_tiny() -> None:
    from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForSeq2SeqLM

    texts = [row["source"] for row in pairs(50)]
    one, two, three = (write_scratch("t5:tiny", texts, vocabulary=400, seed=seed) for seed in (0, 0, 1))
    assert one == two != three
    assert sha256_file(one / "model.safetensors") != sha256_file(three / "model.safetensors")
    for name in SIZES:
        config = AutoConfig.from_pretrained(write_scratch(name, texts, vocabulary=400, seed=0))
        config.vocab_size = 8000
        maker = AutoModelForSeq2SeqLM if config.is_encoder_decoder else AutoModelForCausalLM
        with torch.device("meta"):
            size = sum(weights.numel() for weights in maker.from_config(config).parameters())
        assert size <= (5e6 if name.endswith("tiny") else 20e6)


def test_linear_layers_multiply_in_bfloat16_where_that_is_asked_for(run: tuple[Any, list[str]], tmp_path: Path) -> None:
    settings = [*LEARNED, "precision=bfloat16"]
    lower, said = train(tmp_path / "run", rungs="majority,full", settings=settings, test=pairs(10, 5))
    assert "  precision: bfloat16" in said
    assert sha256_file(lower.folder / WEIGHTS) != sha256_file(run[0].folder / WEIGHTS)
    config = json.loads((lower.folder / "rungs/full/model/config.json").read_text(encoding="utf-8"))
    assert config["dtype"] == "float32"
    ends = [
        [json.loads(line) for line in (one.folder / "metrics.jsonl").open()][-1]["value"] for one in (run[0], lower)
    ]
    assert ends[1] == pytest.approx(ends[0], abs=0.2)


def test_dropout_is_set_wherever_a_network_keeps_it(tiny_writer: Any) -> None:
    for kind in ("t5", "bart"):
        network, _ = load_writer(tiny_writer(kind))
        writing._set_dropout(network, 0.0)
        network.train()
        given = Given([[5, 6, 1]], [[8, 1]], encodes=True, vocabulary=network.config.vocab_size)
        one, two = (given.losses(network, np.arange(1)) for _ in range(2))
        assert torch.equal(one, two)


def test_it_goes_on_where_it_was_interrupted(
    run: tuple[Any, list[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def ended(now: Progress) -> None:
        if now.step == 30:
            raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(writing, "Plan", partial(Plan, checkpoint_seconds=0.0))
        patched.setattr(writing, "deadline", lambda context: ended)
        with pytest.raises(Interrupted):
            train(tmp_path / "run", test=pairs(10, 5))
    assert not (tmp_path / "run" / WEIGHTS).exists()
    again, _ = train(tmp_path / "run", test=pairs(10, 5), resume=True)
    assert sha256_file(again.folder / WEIGHTS) == sha256_file(run[0].folder / WEIGHTS)


def test_a_schedule_has_the_epochs_that_the_budget_has_time_for(tmp_path: Path) -> None:
    said: list[str] = []

    def affordable(seconds: float | None) -> int:
        deadline = None if seconds is None else time.monotonic() + seconds
        work: Any = SimpleNamespace(context=Context(tmp_path, 0, said.append, deadline))
        ends, batches = np.arange(10, 410, 10), [[np.arange(3)]] * 10
        step: Any = lambda micro, backward: time.sleep(0.01)  # noqa: E731
        return writing._affordable(work, torch.nn.Linear(1, 1), ends, batches, step)

    assert affordable(None) == 40
    assert 1 <= affordable(1.1) <= 8
    assert affordable(0.0) == 1
    assert "the budget has time for" in said[0]
    folder = tmp_path / "rungs" / "full" / "checkpoint"
    folder.mkdir(parents=True)
    (folder / "state.json").write_text(json.dumps({"num_steps": 70}), encoding="utf-8")
    assert affordable(0.0) == 7


def test_label_smoothing_is_what_torch_makes_of_it(tiny_writer: Any) -> None:
    network, _ = load_writer(tiny_writer("t5"))
    given = Given([[5, 6, 1], [7, 1]], [[8, 1], [9, 5, 1]], encodes=True, vocabulary=network.config.vocab_size)
    plain, smooth = (given.losses(network, np.arange(2), smoothing=share) for share in (0.0, 0.1))
    rows = [
        (torch.tensor([prompt]), torch.tensor([answer]))
        for prompt, answer in zip(given.prompts, given.answers, strict=True)
    ]
    logits = [network(input_ids=one, labels=two).logits[0] for one, two in rows]
    for at, (_, two) in enumerate(rows):
        for found, share in ((plain, 0.0), (smooth, 0.1)):
            want = torch.nn.functional.cross_entropy(logits[at], two[0], reduction="none", label_smoothing=share)
            assert torch.allclose(found[at][: len(want)], want, atol=1e-5)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (
            {"rungs": "frozen"},
            "--rungs frozen: t5:tiny begins with random weights; its rungs are majority, lexical, fu",
        ),
        ({"tuning": "lora"}, "--tuning lora: t5:tiny begins with random weights, which all learn; leave it out"),
        ({"model": "t5:huge"}, "unknown model 't5:huge'; choose from: llama:small, llama:tiny"),
        ({"task": "classification"}, "t5:tiny is made when a task is trained whose answer is text"),
    ],
)
def test_what_can_not_be_is_refused_in_a_line(given: dict[str, Any], said: str, tmp_path: Path) -> None:
    with pytest.raises(DeepenError) as error:
        train(tmp_path / "run", **given)
    assert said in str(error.value)
    assert "\n" not in str(error.value)
    assert not (tmp_path / "run").exists()
