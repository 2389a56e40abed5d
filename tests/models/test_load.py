from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch

from deepen.core.errors import ModelError
from deepen.models.load import load_encoder, load_pretrained


@pytest.fixture
def model(tiny_model: Path, tmp_path: Path) -> Path:
    """A model folder that a test may damage."""
    return Path(shutil.copytree(tiny_model, tmp_path / "model"))


def test_a_good_folder(model: Path) -> None:
    found = load_pretrained(str(model))
    assert (found.num_layers, found.hidden_size, found.tokenizer.max_tokens) == (2, 32, 64)
    assert found.encoder().num_layers == 2
    assert len(found.fingerprint) == 16


@pytest.mark.parametrize("share", [0.0, 0.3, 0.99])
def test_truncated_weights(model: Path, share: float) -> None:
    path = model / "model.safetensors"
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    with pytest.raises(ModelError, match="the weights can't be read"):
        load_pretrained(str(model)).encoder()


def test_garbage_for_weights(model: Path) -> None:
    (model / "model.safetensors").write_bytes(b"\x80\x04K\x01." * 1000)
    with pytest.raises(ModelError, match="the weights can't be read"):
        load_encoder(model)


def test_weights_of_another_architecture(model: Path) -> None:
    config = json.loads((model / "config.json").read_text())
    (model / "config.json").write_text(json.dumps(config | {"model_type": "distilbert"}))
    with pytest.raises(ModelError, match=r"not the weights that config\.json tells of"):
        load_encoder(model)


def test_weights_of_another_size(model: Path) -> None:
    config = json.loads((model / "config.json").read_text())
    (model / "config.json").write_text(json.dumps(config | {"hidden_size": 64}))
    with pytest.raises(ModelError):
        load_encoder(model)


def test_pickled_weights_are_not_read(model: Path) -> None:
    (model / "model.safetensors").unlink()
    torch.save({}, model / "pytorch_model.bin")
    with pytest.raises(ModelError, match=r"pytorch_model\.bin is a pickle, which can run code"):
        load_pretrained(str(model))
    with pytest.raises(ModelError):
        load_encoder(model)


def test_no_weights(model: Path) -> None:
    (model / "model.safetensors").unlink()
    with pytest.raises(ModelError, match=r"there is no model\.safetensors"):
        load_pretrained(str(model))


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("bertt", "is not supported: transformers .* does not know it; did you mean 'bert'"),
        (None, "is not supported: transformers"),
        ("vit", "transformers has no encoder of text for it"),
        ("gpt2", r"not the weights that config\.json tells of: the network has 124,439,808 numbers"),
    ],
)
def test_an_unknown_architecture(model: Path, kind: str | None, said: str) -> None:
    (model / "config.json").write_text(json.dumps({"model_type": kind}))
    with pytest.raises(ModelError, match=said):
        load_pretrained(str(model))


@pytest.mark.parametrize("text", ["", "{", "[]", "\x00"])
def test_a_damaged_config(model: Path, text: str) -> None:
    (model / "config.json").write_text(text)
    with pytest.raises(ModelError):
        load_pretrained(str(model))


@pytest.mark.parametrize("file", ["tokenizer.json", "tokenizer_config.json"])
@pytest.mark.parametrize("text", ["", "{", "[]"])
def test_a_damaged_tokenizer(model: Path, file: str, text: str) -> None:
    (model / file).write_text(text)
    with pytest.raises(ModelError):
        load_pretrained(str(model))


def test_no_tokenizer(model: Path) -> None:
    for name in ("tokenizer.json", "tokenizer_config.json", "vocab.txt"):
        (model / name).unlink()
    with pytest.raises(ModelError, match="no tokenizer"):
        load_pretrained(str(model))


def test_a_model_that_is_nowhere(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no such folder"):
        load_pretrained(str(tmp_path / "gone"))
    with pytest.raises(ModelError, match=r"no config\.json"):
        load_pretrained(str(tmp_path))
    with pytest.raises(ModelError, match="not on this machine"):
        load_pretrained("some/model")
    with pytest.raises(ModelError, match="unknown model"):
        load_pretrained("what is this")


def test_a_near_miss_is_named() -> None:
    with pytest.raises(ModelError, match="did you mean 'all-MiniLM-L6-v2'"):
        load_pretrained("all-MiniLM-L6-v3")
