"""A model folder from anybody: no code or kernel is run, no size is believed that the weights don't have."""

from __future__ import annotations

import json
import shutil
import struct
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file, save_file

from deepen.core.errors import ModelError
from deepen.models.encoder import layout
from deepen.models.gguf_header import check_header
from deepen.models.load import load_pretrained

CONFIG: dict[str, Any] = {
    "pad_token_id": "x",
    "layer_norm_eps": "x",
    "num_attention_heads": 0,
    "id2label": "x",
    "architectures": 5,
    "hidden_act": ["gelu"],
    "hidden_size": 10**9,
    "intermediate_size": 10**9,
    "vocab_size": 10**9,
    "max_position_embeddings": 10**9,
    "type_vocab_size": 10**9,
    "num_hidden_layers": 10**7,
    "hidden_dropout_prob": 7,
    "position_embedding_type": "relative_key",
    "quantization_config": {"quant_method": "bitsandbytes"},
    "model_type": "gpt2",
}
TOKENIZER: dict[str, dict[str, Any]] = {
    "tokenizer_config.json": {"model_max_length": "x"},
    "sentence_bert_config.json": {"max_seq_length": -1},
}
MORE: list[tuple[str, str, Any]] = [
    *(("tokenizer_config.json", "model_max_length", value) for value in (-5, 2.5, True, [1])),
    *(("sentence_bert_config.json", "max_seq_length", value) for value in ("x", 2.5, 1, 2)),
    *(("config.json", "num_hidden_layers", value) for value in (1, 3, -1, 2.5, None)),
    *(("config.json", "num_attention_heads", value) for value in (3, "x", 64)),
    *(("config.json", "pad_token_id", value) for value in (-1, 10**6, True)),
]
RAW = {"empty": b"", "a list": b"[]", "deep": b"[" * 100_000, "digits": b'{"a": ' + b"9" * 5000 + b"}"}


@pytest.fixture
def folder(tiny_model: Path, tmp_path: Path) -> Path:
    shutil.copytree(tiny_model, tmp_path / "model")
    return tmp_path / "model"


def used(folder: Path) -> torch.Tensor:
    """What a run does with a model, at its smallest."""
    model = load_pretrained(str(folder))
    encoder = model.encoder().eval()
    given = model.tokenizer.encode(["a fine film"], max_tokens=min(model.tokenizer.max_tokens, model.num_positions))
    with torch.no_grad():
        where = layout(torch.from_numpy(given.lengths_B))
        hidden_TD = encoder.embed(torch.from_numpy(given.ids_T.astype(np.int64)), None, where)
        return encoder.run(hidden_TD, where, 0, encoder.num_layers)


def refused(folder: Path) -> str:
    began = time.monotonic()
    with pytest.raises(ModelError) as caught:
        used(folder)
    assert time.monotonic() - began < 5
    line = str(caught.value)
    assert str(folder) in line
    assert "\n" not in line
    assert len(line) < 600
    return line


def change(path: Path, **values: Any) -> None:
    found = json.loads(path.read_text()) if path.is_file() else {}
    path.write_text(json.dumps(found | values))


@pytest.mark.parametrize("name", CONFIG)
def test_a_setting_that_can_not_be(folder: Path, name: str) -> None:
    change(folder / "config.json", **{name: CONFIG[name]})
    refused(folder)


@pytest.mark.parametrize(
    ("file", "name", "value"),
    [*((file, *next(iter(values.items()))) for file, values in TOKENIZER.items()), *MORE],
)
def test_a_number_that_can_not_be(folder: Path, file: str, name: str, value: Any) -> None:
    change(folder / file, **{name: value})
    refused(folder)


@pytest.mark.parametrize("raw", RAW)
@pytest.mark.parametrize("file", ["config.json", "tokenizer.json", "tokenizer_config.json"])
def test_a_file_that_is_no_such_json(folder: Path, file: str, raw: str) -> None:
    (folder / file).write_bytes(RAW[raw])
    assert file in refused(folder)


@pytest.mark.parametrize("name", ["attn_implementation", "_attn_implementation", "experts_implementation"])
def test_a_kernel_that_a_folder_names_is_not_asked_for(folder: Path, name: str) -> None:
    before = used(folder)
    change(
        folder / "config.json", **{name: "attacker/evil", "auto_map": {"AutoModel": "evil.Model"}, "num_labels": 10**9}
    )
    assert torch.equal(used(folder), before)


def test_an_adapter_in_the_folder_is_not_put_on_unasked(folder: Path) -> None:
    (folder / "adapter_config.json").write_text('{"peft_type": "LORA", "base_model_name_or_path": "attacker/evil"}')
    assert "adapter" in refused(folder)


def unknown_special(found: dict[str, Any]) -> None:
    pieces = [{"SpecialToken": {"id": "[X]", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}]
    found["post_processor"] = {"type": "TemplateProcessing", "single": pieces, "pair": pieces, "special_tokens": {}}


def far_id(found: dict[str, Any]) -> None:
    found["model"]["vocab"]["film"] = 10**6


def farthest_id(found: dict[str, Any]) -> None:
    found["model"]["vocab"]["film"] = 2**32 - 1


def far_special(found: dict[str, Any]) -> None:
    found["post_processor"]["sep"] = ["[SEP]", 10**6]


def no_unknown(found: dict[str, Any]) -> None:
    found["model"]["vocab"] = {"a": 0}
    found["added_tokens"] = []


@pytest.mark.parametrize("spoil", [unknown_special, far_id, farthest_id, far_special, no_unknown])
def test_a_tokenizer_of_another_model(folder: Path, spoil: Callable[[dict[str, Any]], None], capfd: Any) -> None:
    found = json.loads((folder / "tokenizer.json").read_text())
    spoil(found)
    (folder / "tokenizer.json").write_text(json.dumps(found))
    with pytest.raises(ModelError, match="token"):
        used(folder)
    assert "panicked" not in capfd.readouterr().err


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_weights_that_are_no_numbers(folder: Path, value: float) -> None:
    arrays = {name: np.full_like(array, value) for name, array in load_file(folder / "model.safetensors").items()}
    save_file(arrays, folder / "model.safetensors")
    assert "holds values that are no numbers" in refused(folder)


def test_weights_that_are_whole_numbers(folder: Path) -> None:
    arrays = {name: array.astype(np.int8) for name, array in load_file(folder / "model.safetensors").items()}
    save_file(arrays, folder / "model.safetensors")
    assert "no floats" in refused(folder)


def gguf(*, blocks: int = 1, width: int = 8, words: int = 3) -> bytes:
    """The head of a file of one block."""

    def text(value: str) -> bytes:
        return struct.pack("<Q", len(value)) + value.encode()

    settings = text("general.architecture") + struct.pack("<I", 8) + text("llama")
    settings += text("llama.block_count") + struct.pack("<II", 4, blocks)
    settings += text("llama.embedding_length") + struct.pack("<II", 4, width)
    settings += text("tokenizer.ggml.tokens") + struct.pack("<IIQ", 9, 8, words) + text("a") * 3
    tensors = text("token_embd.weight") + struct.pack("<IQQIQ", 2, 8, 3, 0, 0)
    tensors += text("blk.0.ffn_up.weight") + struct.pack("<IQQIQ", 2, 8, 16, 0, 96)
    return b"GGUF" + struct.pack("<IQQ", 3, 2, 4) + settings + tensors + bytes(1000)


@pytest.mark.parametrize(
    "content",
    [b"", b"GGUF", b"GGML" * 9, gguf()[:60], gguf(blocks=10**9), gguf(width=10**9), gguf(words=2**60)],
)
def test_a_gguf_file_that_is_cut_short_or_lies(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "model.gguf"
    path.write_bytes(content)
    with pytest.raises(ModelError, match=r"model\.gguf"):
        check_header(path)
    path.write_bytes(gguf())
    check_header(path)
