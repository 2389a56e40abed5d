"""A climb that begins with random weights and a tokenizer of its own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tests.writers import pairs

import deepen
from deepen.core.errors import DeepenError
from deepen.core.files import sha256_file
from deepen.models.scratch import SIZES, write_scratch

LEARNED = ["rungs.full.num_epochs=12", "rungs.full.scratch.learning_rate=0.003", "rungs.full.scratch.batch_tokens=200"]
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
    import torch
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


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"rungs": "frozen"}, "--rungs frozen: t5:tiny begins with random weights; its rungs are majority, lexical, fu"),
        ({"tuning": "lora"}, "--tuning lora: t5:tiny begins with random weights, and all learn"),
        ({"model": "t5:huge"}, "unknown model 't5:huge'; did you mean 't5:tiny'"),
        ({"task": "classification"}, "t5:tiny is made when a task is trained whose answer is text"),
    ],
)
def test_what_can_not_be_is_refused_in_a_line(given: dict[str, Any], said: str, tmp_path: Path) -> None:
    with pytest.raises(DeepenError) as error:
        train(tmp_path / "run", **given)
    assert said in str(error.value)
    assert "\n" not in str(error.value)
    assert not (tmp_path / "run").exists()
