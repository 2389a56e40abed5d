"""A model folder is read by other tools, and they get the logits."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from deepen.core.errors import ModelError
from deepen.models.head import Inputs
from deepen.models.load import load_encoder
from deepen.models.network import Bent, Network
from deepen.models.plain import opens_with
from deepen.models.save import load_network, save_network, shelf
from deepen.models.tokenizer import load_tokenizer

LABELS = ("negative", "so-so", "positive")
TEXTS = ["good film", "not bad at all , and the battery looks fine", "awful", "the " * 60, "Ünknown 词 !?"]
WITH_CLASSIFIER = ("bert", "roberta", "xlm-roberta", "camembert")


def network_of(folder: Path, pooling: Any, *, bent: bool = False) -> Network:
    encoder = load_encoder(folder)
    with torch.random.fork_rng():
        torch.manual_seed(1)
        head = torch.nn.Linear(shelf()[pooling].width(encoder.hidden_size), len(LABELS))
        hidden = Bent(head.in_features, head.in_features) if bent else None
    return Network(encoder, head, shelf()[pooling], hidden).eval()


def logits(network: Network, folder: Path, *, max_tokens: int) -> np.ndarray:
    found = load_tokenizer(folder).encode(TEXTS, max_tokens=max_tokens)
    with torch.inference_mode():
        ids_T = torch.from_numpy(found.ids_T.astype(np.int64))
        return network(Inputs(torch.from_numpy(found.lengths_B), ids_T=ids_T)).numpy()


@pytest.mark.parametrize(("pooling", "bent"), [("mean", True), ("cls", False), ("cls", True), ("last", False)])
def test_other_tools_give_the_logits(any_network: Path, pooling: str, bent: bool, tmp_path: Path) -> None:
    from sentence_transformers import SentenceTransformer
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    network, out = network_of(any_network, pooling, bent=bent), tmp_path / "model"
    save_network(network, out, tokenizer_folder=any_network, labels=LABELS, max_tokens=20)
    right = logits(network, out, max_tokens=20)

    found = SentenceTransformer(str(out), device="cpu").encode(TEXTS, batch_size=2)
    np.testing.assert_allclose(found, right, atol=1e-5)

    config = json.loads((out / "config.json").read_text())
    assert json.loads((out / "labels.json").read_text()) == list(LABELS)
    assert ("id2label" in config) == (pooling == "cls" and config["model_type"] in WITH_CLASSIFIER)
    if "id2label" in config:
        assert opens_with(out) == "AutoModelForSequenceClassification"
        assert list(config["id2label"].values()) == list(LABELS)
        classifier, report = AutoModelForSequenceClassification.from_pretrained(out, output_loading_info=True)
        assert not report["missing_keys"]
        texts = AutoTokenizer.from_pretrained(out)(
            TEXTS, padding=True, truncation=True, max_length=20, return_tensors="pt"
        )
        if config.get("type_vocab_size", 0) < 2:
            texts.pop("token_type_ids", None)
        with torch.inference_mode():
            found = classifier.eval()(**texts).logits.numpy()
        np.testing.assert_allclose(found, right, atol=2e-5)
        assert classifier.config.id2label == dict(enumerate(LABELS))


@pytest.mark.parametrize(
    ("pooling", "bent"), [("mean", False), ("cls", True), ("last", False), ("pair", True), ("spans", False)]
)
def test_a_round_trip_changes_no_bit(any_network: Path, pooling: str, bent: bool, tmp_path: Path) -> None:
    network = network_of(any_network, pooling, bent=bent)
    save_network(network, tmp_path / "one", tokenizer_folder=any_network, labels=LABELS, max_tokens=20)
    again = load_network(tmp_path / "one")
    assert again.kind.name == pooling
    before, after = network.state_dict(), again.state_dict()
    assert {key for key in before if "pooler" not in key} == {key for key in after if "pooler" not in key}
    assert all(torch.equal(before[key], value) for key, value in after.items() if "pooler" not in key)

    one_text = pooling in ("mean", "cls", "last")
    assert (tmp_path / "one" / ("2_Dense" if one_text else "head")).is_dir()
    save_network(again, tmp_path / "two", tokenizer_folder=tmp_path / "one", labels=LABELS, max_tokens=20)
    for file in ("model.safetensors", "tokenizer.json", *(("2_Dense/model.safetensors",) if one_text else ())):
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes(), file


def test_what_is_written(tiny_model: Path, tmp_path: Path) -> None:
    save_network(network_of(tiny_model, "mean"), tmp_path, tokenizer_folder=tiny_model, labels=LABELS, max_tokens=20)
    files = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()}
    assert files == {
        *("config.json", "labels.json", "model.safetensors", "modules.json", "sentence_bert_config.json"),
        *("config_sentence_transformers.json", "1_Pooling/config.json", "2_Dense/config.json"),
        *("2_Dense/model.safetensors", "tokenizer.json", "tokenizer_config.json", "vocab.txt"),
    }
    for path in tmp_path.rglob("*.json"):
        assert str(tiny_model) not in path.read_text(), f"{path.name} names a folder of this machine"


@pytest.mark.parametrize(
    ("pooling", "head"),
    [
        *(("cls", head) for head in ("SequenceClassification", "TokenClassification")),
        *(("units", head) for head in ("SequenceClassification", "TokenClassification")),
        *(("mean", "SequenceClassification"), ("pair", "TokenClassification"), ("spans", "SequenceClassification")),
    ],
)
def test_a_head_that_a_pretrained_model_had_leaves_no_names(
    any_network: Path, pooling: Any, head: str, tmp_path: Path
) -> None:
    """A folder of a finished classifier is named as the model: its head is not ours, and so aren't its labels."""
    before = tmp_path / "before"
    shutil.copytree(any_network, before)
    config = json.loads((before / "config.json").read_text())
    name = config["architectures"][0].removesuffix("Model")
    config |= {"architectures": [f"{name}For{head}"], "id2label": {"0": "toxic", "1": "fine"}}
    config |= {"label2id": {"toxic": 0, "fine": 1}, "problem_type": "multi_label_classification"}
    (before / "config.json").write_text(json.dumps(config))
    network = network_of(before, pooling)
    out = tmp_path / "out"
    save_network(network, out, tokenizer_folder=before, labels=LABELS, max_tokens=20)
    text = (out / "config.json").read_text()
    assert "toxic" not in text
    assert "multi_label" not in text
    assert load_network(out).kind.name == pooling
    assert (opens_with(out) is not None) == ("so-so" in text)


def test_weights_that_were_not_there_are_not_made_up(tiny_model: Path, tmp_path: Path) -> None:
    for name in ("one", "two"):
        network = network_of(tiny_model, "mean")
        save_network(network, tmp_path / name, tokenizer_folder=tiny_model, labels=LABELS, max_tokens=20)
    one, two = (tmp_path / name / "model.safetensors" for name in ("one", "two"))
    assert one.read_bytes() == two.read_bytes()


@pytest.mark.parametrize("file", ["2_Dense/model.safetensors", "2_Dense/config.json", "1_Pooling/config.json"])
@pytest.mark.parametrize("content", [None, b"", b"not this", b"[]"], ids=["gone", "empty", "garbage", "a list"])
def test_a_damaged_head_is_a_model_error(tiny_model: Path, tmp_path: Path, file: str, content: bytes | None) -> None:
    save_network(network_of(tiny_model, "mean"), tmp_path, tokenizer_folder=tiny_model, labels=LABELS, max_tokens=20)
    (tmp_path / file).unlink()
    if content is not None:
        (tmp_path / file).write_bytes(content)
    with pytest.raises(ModelError):
        load_network(tmp_path)


@pytest.mark.parametrize("pooling", ["mean", "cls", "pair"])
def test_a_hidden_layer_starts_as_one_that_changes_nothing(any_network: Path, pooling: str) -> None:
    network = network_of(any_network, pooling)
    found = load_tokenizer(any_network).encode(TEXTS[:4], max_tokens=20)
    inputs = Inputs(torch.from_numpy(found.lengths_B), ids_T=torch.from_numpy(found.ids_T.astype(np.int64)))
    with torch.inference_mode():
        before = network(inputs)
        network.bend(inputs)
        after = network(inputs)
    assert network.hidden is not None
    assert float((after - before).abs().max()) < 0.1 * float((before - network.head.bias.detach()).abs().max())
    assert float((after - before).abs().max()) > 0
