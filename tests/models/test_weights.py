"""Weights in shards, pickles made into safetensors, and what a folder asks for."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from deepen.cli.models import command
from deepen.core.errors import ModelError, SettingError
from deepen.models.asked import pooling_of, prefix_of
from deepen.models.convert import convert
from deepen.models.encoder import layout
from deepen.models.load import load_encoder, load_pretrained
from deepen.models.tokenizer import load_tokenizer
from deepen.models.weights import INDEX


def states(folder: Path) -> torch.Tensor:
    """What the network of a folder makes of two texts."""
    encoder, where = load_encoder(folder).eval(), layout(torch.tensor([7, 3]))
    return encoder.run(encoder.embed(torch.arange(10), None, where), where, 0, encoder.num_layers)


@pytest.fixture
def shards(tiny_model: Path, tmp_path: Path) -> Path:
    from transformers import AutoModel

    folder = tmp_path / "shards"
    shutil.copytree(tiny_model, folder)
    (folder / "model.safetensors").unlink()
    AutoModel.from_pretrained(tiny_model, add_pooling_layer=False).save_pretrained(folder, max_shard_size="40KB")
    assert len(list(folder.glob("*.safetensors"))) > 1
    return folder


def test_shards_say_what_one_file_says(tiny_model: Path, shards: Path) -> None:
    assert load_pretrained(str(shards)).fingerprint != load_pretrained(str(tiny_model)).fingerprint
    with torch.inference_mode():
        one, two = (states(folder) for folder in (tiny_model, shards))
    assert torch.equal(one, two)


def test_a_shard_that_is_missing_is_named(shards: Path) -> None:
    gone = sorted(shards.glob("*.safetensors"))[1]
    gone.unlink()
    with pytest.raises(ModelError, match=f"{gone.name} is missing.*download the model again"):
        load_pretrained(str(shards))


@pytest.mark.parametrize("named", ["../other.safetensors", "pytorch_model.bin"])
def test_an_index_names_only_what_is_beside_it(shards: Path, named: str) -> None:
    (shards / INDEX).write_text(json.dumps({"weight_map": {"a": named}}))
    with pytest.raises(ModelError, match="is no safetensors file of this folder"):
        load_pretrained(str(shards))


def test_a_pickle_becomes_safetensors(tiny_model: Path, tmp_path: Path) -> None:
    old, new = tmp_path / "old", tmp_path / "new"
    shutil.copytree(tiny_model, old)
    state = load_file(old / "model.safetensors")
    (old / "model.safetensors").unlink()
    torch.save(state, old / "pytorch_model.bin")
    with pytest.raises(ModelError, match=f"deepen models convert {old} NEW"):
        load_pretrained(str(old))
    assert convert(old, new) == len(state)
    with torch.inference_mode():
        assert torch.equal(states(new), states(tiny_model))
    with pytest.raises(ModelError, match="is there already"):
        convert(old, new)


def test_what_is_said_of_a_model(tiny_model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command([str(tiny_model)], as_json=True)
    said = json.loads(capsys.readouterr().out)
    assert (said["architecture"], said["packed"], said["layers"], said["pooling"]) == ("bert", True, 2, None)
    assert {"full", "lora", "prefix"} <= set(said["tunings"])
    with pytest.raises(SettingError, match="takes one model, and there are 2 words"):
        command(["one", "two"])


class _Code:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return exec, ("raise SystemExit('it ran')",)


def test_code_in_a_pickle_is_not_run(tiny_model: Path, tmp_path: Path) -> None:
    torch.save({"a": _Code()}, tmp_path / "pytorch_model.bin")
    with pytest.raises(ModelError, match="holds more than tensors"):
        convert(tmp_path, tmp_path / "new")
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(
    ("prompts", "default", "prefix"),
    [
        ({"query": "query: ", "passage": "passage: "}, None, "query: "),
        ({"query": "Represent this: "}, None, ""),
        ({"query": "q: ", "Classification": "c: "}, None, "c: "),
        ({"query": "q: ", "other": "o: "}, "other", "o: "),
        ({}, None, ""),
    ],
)
def test_the_prefix_that_a_model_asks_for(
    tiny_model: Path, tmp_path: Path, prompts: dict[str, str], default: str | None, prefix: str
) -> None:
    folder = tmp_path / "model"
    shutil.copytree(tiny_model, folder)
    told = {"prompts": prompts, "default_prompt_name": default}
    (folder / "config_sentence_transformers.json").write_text(json.dumps(told))
    assert prefix_of(folder) == prefix
    plain, asked = load_tokenizer(tiny_model), load_tokenizer(folder)
    assert (asked.fingerprint == plain.fingerprint) == (not prefix)
    right = plain.encode([f"{prefix}good film"], max_tokens=20)
    assert asked.encode(["good film"], max_tokens=20).ids_T.tolist() == right.ids_T.tolist()
    places = [place for place in asked.places("good film", max_tokens=20) if place is not None]
    assert places[0] == (0, 4)
    assert places[-1][1] == len("good film")


@pytest.mark.parametrize(
    ("told", "pooling"),
    [
        ({"pooling_mode_cls_token": True, "pooling_mode_mean_tokens": False}, "cls"),
        ({"pooling_mode": "lasttoken"}, "last"),
        ({"pooling_mode_mean_tokens": True}, "mean"),
        ({"pooling_mode_max_tokens": True}, None),
        (None, None),
    ],
)
def test_the_pooling_that_a_model_has(tmp_path: Path, told: dict[str, object] | None, pooling: str | None) -> None:
    if told is not None:
        (tmp_path / "1_Pooling").mkdir()
        (tmp_path / "1_Pooling" / "config.json").write_text(json.dumps(told))
    assert pooling_of(tmp_path) == pooling
