"""A climb of networks that write: trained, saved, read again by Deepen and by plain transformers."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.writers import TEMPLATE, pairs

import deepen
from deepen.core.errors import DeepenError
from deepen.ladder.closing import worth_it
from deepen.ladder.decide import Standing
from deepen.models.generator import load_writer

Tiny = Callable[..., Path]
PACKED = ("gemma3_text", "qwen2")  # decoders, if no vectors are learned beside the tokens
QUICK = ["rungs.full.num_epochs=1", "rungs.top_layers.num_epochs=1", "tasks.translation.max_new_tokens=8"]
EVERY = {
    "t5": "full",
    "mt5": "lora",
    "bart": "prefix",
    "marian": "ia3",
    "llama": "soft_prompt",
    "mistral": "p_tuning",
    "gemma3_text": "adalora",
    "qwen2": "lora",
}


def train(rows: Any, folder: Path, model: Path, **given: Any) -> tuple[Any, list[str]]:
    said: list[str] = []
    settings = [*QUICK, *given.pop("settings", [])]
    about = {"task": "translation", "rungs": "majority,full", "out": folder, "say": said.append} | given
    return deepen.train(rows, model=str(model), settings=settings, **about), said


def answered(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "predictions-validation.jsonl").open(encoding="utf-8")]


def by_others(folder: Path, prompts: list[str]) -> list[str]:
    """What plain transformers, with PEFT where vectors were learned, writes with what the folder says."""
    from peft import PeftModel
    from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForSeq2SeqLM, AutoTokenizer

    encodes = AutoConfig.from_pretrained(folder).is_encoder_decoder
    network: Any = (AutoModelForSeq2SeqLM if encodes else AutoModelForCausalLM).from_pretrained(folder).eval()
    if (folder / "adapter").is_dir() and "num_virtual_tokens" in (
        folder / "adapter" / "adapter_config.json"
    ).read_text():
        network = PeftModel.from_pretrained(network, folder / "adapter").eval()
    reader = AutoTokenizer.from_pretrained(folder)
    found = []
    for prompt in prompts:
        ids = reader(prompt, return_tensors="pt", add_special_tokens=False)["input_ids"]
        if encodes:
            ids = torch_row([*ids[0].tolist(), reader.eos_token_id])
        said = network.generate(input_ids=ids, attention_mask=ids * 0 + 1)[0]
        found.append(reader.decode(said[0 if encodes else ids.shape[1] :], skip_special_tokens=True).strip())
    return found


def torch_row(ids: list[int]) -> Any:
    import torch

    return torch.tensor([ids])


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind", EVERY)
def test_every_kind_and_tuning_is_saved_and_read_again(kind: str, tiny_writer: Tiny, tmp_path: Path) -> None:
    run, said = train(pairs(60), tmp_path / "run", tiny_writer(kind), tuning=EVERY[kind])
    assert any("rows are packed" in line for line in said) is (kind in PACKED)
    folder = run.folder / "rungs" / "full"
    first = answered(folder)
    again = deepen.load(run.folder, rung="full").predict([row["inputs"]["source"] for row in first])
    assert [row["output"] for row in first] == [one.output for one in again]
    assert [row["confidence"] for row in first] == pytest.approx([one.confidence for one in again], abs=1e-4)
    assert {row["stopped"] for row in first} <= {"end", "limit"}
    asked = json.loads((folder / "model" / "asking.json").read_text(encoding="utf-8"))["prompt"]
    few = first[:4]
    prompts = [asked.replace("{source}", row["inputs"]["source"]) for row in few]
    assert by_others(folder / "model", prompts) == [row["output"] for row in few]
    row = next(row for row in run.ladder.rungs if row.rung == "full")
    assert row.num_trained_parameters
    assert row.network == "trained"


def test_it_learns_the_answers_and_says_what_it_learned_from(tiny_writer: Tiny, tmp_path: Path) -> None:
    settings = ["rungs.full.num_epochs=12", "rungs.full.learning_rate=0.01", "rungs.full.embeddings=true"]
    run, said = train(pairs(80), tmp_path / "run", tiny_writer("t5"), settings=settings, test=pairs(10, 5))
    curve = [json.loads(line) for line in (run.folder / "metrics.jsonl").open(encoding="utf-8")]
    values = [row["value"] for row in curve if row["rung"] == "full"]
    assert values[-1] > values[0] + 0.2
    [share] = [line for line in said if "% of the tokens are answers" in line]
    assert "50.0 %" in share  # as many words in French, and an end for each
    assert any("generating is" in line for line in said)
    names = {score["name"] for score in run.ladder.chosen_row.validation}
    assert {"chrf", "bleu", "length_ratio", "distinct_1"} <= names
    assert {score["name"] for score in run.ladder.test} >= {"chrf", "bleu"}


@pytest.fixture(scope="module")
def chat_run(tiny_writer: Tiny, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    """A decoder with a chat template on every rung but `top_layers`."""
    folder = tmp_path_factory.mktemp("chat")
    model = tiny_writer("llama", template=TEMPLATE)
    run, said = train(pairs(60), folder / "run", model, rungs="majority,lexical,few_shot,frozen,full", tuning="lora")
    return run.folder, said


def test_the_chat_template_goes_with_the_model(chat_run: tuple[Path, list[str]]) -> None:
    for rung in ("few_shot", "frozen", "full"):
        folder = chat_run[0] / "rungs" / rung / "model"
        assert json.loads((folder / "asking.json").read_text(encoding="utf-8"))["chat"] is True
        assert (folder / "chat_template.jinja").read_text(encoding="utf-8") == TEMPLATE


def test_what_is_cut_is_said_with_a_setting(chat_run: tuple[Path, list[str]]) -> None:
    cut = sum(row["stopped"] == "limit" for row in answered(chat_run[0] / "rungs" / "full"))
    told = [line for line in chat_run[1] if "full: " in line and "max_new_tokens=16" in line]
    assert bool(told) == (cut > 3)


def test_every_verb_takes_it(chat_run: tuple[Path, list[str]], tmp_path: Path) -> None:
    run, rows = chat_run[0], pairs(10, 3)
    model = deepen.load(run, rung="few_shot")
    assert all(isinstance(one.output, str) for one in model.predict(rows))
    scores = {score.name: score for score in model.evaluate(rows)}
    assert scores["perplexity"].value > 1
    found = deepen.diagnose(run, rows)
    assert {one.verdict for one in found} == {"not_applicable"}
    assert deepen.compare(run, run, rows).scores[0].difference.value == 0
    assert "translation" in (run / "report.html").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"rungs": "zero_shot"}, "its rungs are majority, lexical, few_shot, frozen, top_layers, full"),
        ({"tuning": "bitfit"}, "a network that writes can have full, adalora"),
        ({"settings": ["model.max_tokens=500"]}, "a prompt is longer than the model's window of 128 tokens"),
        ({"settings": ["tasks.translation.prompt=x"]}, "has no {source}"),
        ({"settings": ["model.head=mlp"]}, "no head is put on"),
    ],
)
def test_what_can_not_be_is_one_line(tiny_writer: Tiny, tmp_path: Path, given: dict[str, Any], said: str) -> None:
    with pytest.raises(DeepenError) as found:
        train(pairs(40), tmp_path / "run", tiny_writer("llama"), **given)
    assert said in str(found.value)
    assert "\n" not in str(found.value)
    assert not (tmp_path / "run" / "ladder.json").exists()


def test_an_encoder_does_not_write(tiny_model: Path, tmp_path: Path) -> None:
    with pytest.raises(DeepenError, match=r"can't write an answer: pass a model that can, by --model"):
        train(pairs(40), tmp_path / "run", tiny_model)


def test_an_encoder_decoder_takes_no_examples(tiny_writer: Tiny, tmp_path: Path) -> None:
    with pytest.raises(DeepenError, match="is no decoder, which goes on from examples"):
        train(pairs(40), tmp_path / "run", tiny_writer("t5"), rungs="few_shot")


def test_whether_it_was_worth_it() -> None:
    def standing(name: str, value: float, *, encoder: bool) -> Standing:
        noise = np.random.default_rng(len(name)).normal(0, 0.1, 200)
        return Standing(name, np.stack([value + noise, np.ones(200)], axis=1), value, encoder)

    value_of: Any = lambda sums_BK: sums_BK[:, 0] / sums_BK[:, 1]  # noqa: E731
    lead, full = standing("majority", 0.2, encoder=False), standing("full", 0.3, encoder=True)
    sure, said = worth_it([lead, full], value_of, floor="its first sentences", seed=0)
    assert sure
    assert said.startswith("generating is worth it: full beside its first sentences, +")
    sure, said = worth_it([full, standing("lexical", 0.5, encoder=False)], value_of, floor="", seed=0)
    assert not sure
    assert "not shown to be worth it: full beside the answer of the most similar training row, -" in said
    assert worth_it([lead], value_of, floor="", seed=0) == (True, "")


def test_what_a_decoder_forgets_is_told(tiny_writer: Tiny, tmp_path: Path) -> None:
    text = tmp_path / "general.txt"
    text.write_text("the old house sees a big tree here \n" * 40, encoding="utf-8")
    settings = [f"tasks.translation.general={text}", "rungs.full.num_epochs=3", "rungs.full.learning_rate=0.01"]
    run, said = train(pairs(60), tmp_path / "run", tiny_writer("llama"), settings=settings)
    reason = run.ladder.row("full").reason
    assert any(line == f"  full: {reason}" for line in said)
    before, after = map(float, re.findall(r"(\d+\.\d+) (?:before|after)", reason))
    assert 0 < before < after  # it has learned to write in another language
    network, reader = load_writer(run.folder / "rungs" / "full" / "model")
    ids = torch_row(reader(text.read_text(encoding="utf-8"), add_special_tokens=False)["input_ids"])
    nats, bytes_read = 0.0, 0
    for window in ids[:, : 64 * 256].split(256, 1):
        nats += float(network(input_ids=window, labels=window).loss) * (window.shape[1] - 1)
        bytes_read += len(reader.decode(window[0, 1:]).encode())
    assert after == pytest.approx(nats / np.log(2) / bytes_read, abs=2e-3)


@pytest.mark.parametrize(
    ("kind", "content", "said"),
    [
        ("t5", b"a text", "an encoder-decoder foresees no text; leave it out"),
        ("llama", b"\xff\xfe\xff", "is no text in UTF-8"),
        ("llama", b"", "there is no text to foresee"),
        ("llama", None, "does not exist"),
    ],
)
def test_general_text_that_can_not_be_is_refused(
    tiny_writer: Tiny, tmp_path: Path, kind: str, content: bytes | None, said: str
) -> None:
    if content is not None:
        (tmp_path / "general.txt").write_bytes(content)
    with pytest.raises(DeepenError) as error:
        train(
            pairs(60),
            tmp_path / "run",
            tiny_writer(kind),
            settings=[f"tasks.translation.general={tmp_path}/general.txt"],
        )
    assert said in str(error.value)
    assert not (tmp_path / "run").exists()
