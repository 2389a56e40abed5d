"""A model folder that other tools read: the sentence-transformers layout, safetensors and JSON only."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file

from deepen.core.errors import ModelError
from deepen.core.files import read_json, write_json
from deepen.core.shelf import values
from deepen.models import heads
from deepen.models.adapters import Adapter, plain_state
from deepen.models.asked import keep_prefix
from deepen.models.classes import class_of, config_of
from deepen.models.encoder import ARCHITECTURES, Encoder
from deepen.models.exits import EXITS
from deepen.models.folder import read_config
from deepen.models.head import Head
from deepen.models.layouts import head_named
from deepen.models.load import load_encoder
from deepen.models.network import Network
from deepen.models.plain import Problem, family, save_encoder
from deepen.models.prompts import PACKED, from_peft, to_peft
from deepen.models.runtimes.static import is_static

FORM = "form.json"
"""Of what the form of the rows was made, where a network reads them in a form of its own."""
_TOKENIZER_FILES = (
    *("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "vocab.txt", "merges.txt"),
    *("vocab.json", "sentencepiece.bpe.model", "spiece.model", "added_tokens.json"),
    *("tokenizer.model", "source.spm", "target.spm"),
    "chat_template.jinja",
)


def save_network(
    network: Network,
    folder: Path,
    *,
    tokenizer_folder: Path,
    labels: Sequence[str],
    max_tokens: int,
    whole: bool = True,
    problem: Problem | None = None,
) -> None:
    """Writes an encoder and its head so that `SentenceTransformer(folder).encode(text)` gives the logits.

    With `cls` pooling and a BERT or RoBERTa the head is also written for `AutoModelForSequenceClassification`. A head
    on units is written for `AutoModelForTokenClassification` instead.

    Args:
        network: The network; its head's logits are what `encode` will return.
        folder: An empty folder.
        tokenizer_folder: Where the tokenizer's files are copied from.
        labels: Label names in the order of the logits.
        max_tokens: Where texts are cut.
        whole: Whether the weights are all there is; if not, something is kept beside them that only Deepen puts on.
        problem: What the logits are for, in the words of transformers; None for one label of several.
    """
    folder.mkdir(parents=True, exist_ok=True)
    save_encoder(network, folder, labels, whole=whole, problem=problem)
    _save_around(network, folder, tokenizer_folder, max_tokens)


def _save_around(network: Network, folder: Path, tokenizer_folder: Path, max_tokens: int) -> None:
    """Tokenizer and head."""
    copy_tokenizer(tokenizer_folder, folder)
    write_json(folder / "sentence_bert_config.json", {"max_seq_length": max_tokens, "do_lower_case": False})
    network.kind.save(network, folder)
    keep_prefix(tokenizer_folder, folder)


def copy_tokenizer(source: Path, folder: Path) -> None:
    """Copies the files of a tokenizer, with its chat template, into a model folder."""
    for name in _TOKENIZER_FILES:
        if (source / name).is_file():
            shutil.copyfile(source / name, folder / name)
    _copied_whole(folder / "tokenizer.json")


def save_adapter(network: Network, adapter: Adapter, folder: Path, *, tokenizer_folder: Path, max_tokens: int) -> None:
    """Writes what a method learned by itself, in PEFT's layout where PEFT has the method, with the head beside it.

    `PeftModel.from_pretrained(AutoModel.from_pretrained(base), folder)` puts it on the pretrained model again, and
    `SentenceTransformer(folder).encode(text)` gives the logits. A tagger's head is among its `modules_to_save`, so
    it is put on an `AutoModelForTokenClassification`.

    Args:
        max_tokens: Where texts are cut.
    """
    folder.mkdir(parents=True, exist_ok=True)
    config = dict(adapter.config or {})
    start = "base_model." if "num_virtual_tokens" in config else "base_model.model."
    if start == "base_model.":
        state = to_peft(adapter.tensors)
    else:
        state = {f"{start}{name}": tensor.contiguous() for name, tensor in adapter.tensors.items()}
    state, config = network.kind.peft(network, state, config)
    save_file(state, folder / "adapter_model.safetensors", {"format": "pt"})
    about = {name: getattr(adapter, name) for name in ("method", "base", "first_layer", "settings", "kept")}
    write_json(folder / "deepen_adapter.json", about)
    if adapter.config is not None:
        write_json(
            folder / "adapter_config.json",
            config | {"base_model_name_or_path": adapter.base, "inference_mode": True},
        )
    _save_around(network, folder, tokenizer_folder, max_tokens)


def load_adapter(folder: Path) -> Adapter | None:
    """What a method learned, of a model folder that `save_adapter` wrote into.

    Returns:
        The adapter, with tensors by the names that they have in the encoder; None if there is none.

    Raises:
        ModelError: If a file of it is damaged.
    """
    path = folder / "adapter" / "adapter_model.safetensors"
    if not path.is_file():
        return None
    try:
        state = load_file(path)
        about = read_json(path.with_name("deepen_adapter.json"))
        kind = read_json(folder / "config.json")["model_type"]
        if PACKED in state:
            config = read_json(path.with_name("adapter_config.json"))
            return Adapter(tensors=from_peft(state, config, ARCHITECTURES[kind].layers), **about)
        start = class_of(config_of(read_config(folder))).base_model_prefix
        tensors = {key.removeprefix("base_model.model.").removeprefix(f"{start}."): x for key, x in state.items()}
        return Adapter(tensors=tensors, **about)
    except Exception as error:
        raise ModelError(f"{path} can't be read: {error}") from None


def save_decoder(decoder: Encoder, vectors_VD: torch.Tensor, folder: Path, *, tokenizer_folder: Path) -> None:
    """Writes a decoder with what scores its words, so that `AutoModelForCausalLM.from_pretrained(folder)` reads it.

    Args:
        vectors_VD: What scores words; not written where it is what words are read with.
        tokenizer_folder: Where the tokenizer's files are copied from.
    """
    folder.mkdir(parents=True, exist_ok=True)
    config: dict[str, Any] = decoder.config.to_dict()
    config.pop("_name_or_path", None)  # a folder of this machine
    config["architectures"] = [f"{family(decoder.network)}ForCausalLM"]
    state = {f"model.{key}": value.contiguous() for key, value in plain_state(decoder.network).items()}
    if not decoder.config.tie_word_embeddings:
        state["lm_head.weight"] = vectors_VD.contiguous()
    write_json(folder / "config.json", config)
    save_file(state, folder / "model.safetensors", {"format": "pt"})
    copy_tokenizer(tokenizer_folder, folder)


def has_network(folder: Path) -> bool:
    """Whether a model folder holds an encoder with its head, from which a deeper rung can start."""
    return (folder / "config.json").is_file() and (folder / "model.safetensors").is_file()


def can_start(folder: Path) -> bool:
    """Whether a deeper rung can start from a model folder: it has a network, which reads rows as they are."""
    return has_network(folder) and not (folder / FORM).is_file()


def read_by_others(folder: Path) -> bool:
    """Whether a model folder says the same without Deepen: it has a network, and nothing is kept beside that."""
    beside = folder / "adapter" / "deepen_adapter.json"
    if is_static(folder):
        return True
    return can_start(folder) and not (folder / EXITS).is_dir() and not (beside.is_file() and read_json(beside)["kept"])


def _copied_whole(path: Path) -> None:
    """A tokenizer.json may carry padding and a limit; the folder's own limit is in sentence_bert_config.json."""
    if path.is_file():
        content = json.loads(path.read_text(encoding="utf-8"))
        content["truncation"] = None
        content["padding"] = None
        path.write_text(json.dumps(content, ensure_ascii=False), encoding="utf-8")


def load_network(folder: Path, own: Head | None = None) -> Network:
    """Reads what `save_network` wrote.

    Args:
        own: A head that a task brings with it, if it is not on the shelf.

    Returns:
        The network, in evaluation mode.

    Raises:
        ModelError: If a file is missing or corrupt.
    """
    encoder = load_encoder(folder)
    written = (encoder.config.architectures or [""])[0]
    known = shelf() if own is None else shelf() | {own.name: own}
    for head in known.values():
        if head.architecture and written.endswith(head.architecture):
            return head.load(head, encoder, folder)
    name = head_named(folder)
    if name not in known:
        raise ModelError(f"{folder / 'head'}: the head can't be read: it is of a kind that is not known here, '{name}'")
    return known[name].load(known[name], encoder, folder)


@cache
def shelf() -> dict[str, Head]:
    """Every head, by name."""
    return values(heads, Head)
