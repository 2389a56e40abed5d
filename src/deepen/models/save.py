"""A model folder that other tools read: the sentence-transformers layout, safetensors and JSON only."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import nn

from deepen.core.errors import ModelError
from deepen.core.files import read_json, write_json
from deepen.models.adapters import Adapter, plain_state
from deepen.models.encoder import ARCHITECTURES, Encoder
from deepen.models.heads.network import Network, Pooling, width_of
from deepen.models.load import load_encoder
from deepen.models.mlm_head import ClozeNetwork, Transform
from deepen.models.plain import FAMILIES, Problem, save_encoder, tagging_head
from deepen.models.prompts import PACKED, from_peft, to_peft

FORM = "form.json"
"""Of what the form of the rows was made, where a network reads them in a form of its own."""
_TOKENIZER_FILES = (
    *("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "vocab.txt", "merges.txt"),
    *("vocab.json", "sentencepiece.bpe.model", "spiece.model", "added_tokens.json"),
    "chat_template.jinja",
)
_POOLED: dict[Pooling, str] = {
    "mean": "pooling_mode_mean_tokens",
    "cls": "pooling_mode_cls_token",
    "last": "pooling_mode_lasttoken",
}
"""What sentence-transformers calls those of a row."""


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
    _copy_tokenizer(tokenizer_folder, folder)
    write_json(folder / "sentence_bert_config.json", {"max_seq_length": max_tokens, "do_lower_case": False})
    if network.pooling in _POOLED:
        _save_head(network, folder)
    elif network.pooling != "units":
        _save_joint_head(network, folder)


def _copy_tokenizer(source: Path, folder: Path) -> None:
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
        network: The network that it was learned in, for its head.
        adapter: What was learned.
        tokenizer_folder: Where the tokenizer's files are copied from.
        max_tokens: Where texts are cut.
    """
    folder.mkdir(parents=True, exist_ok=True)
    config = dict(adapter.config or {})
    start = "base_model." if "num_virtual_tokens" in config else "base_model.model."
    if start == "base_model.":
        state = to_peft(adapter.tensors)
    else:
        state = {f"{start}{name}": tensor.contiguous() for name, tensor in adapter.tensors.items()}
    if network.pooling == "units":
        kind = network.encoder.config.model_type
        family, head = FAMILIES[kind][1], tagging_head(kind)
        state = {key.replace("base_model.model.", f"base_model.model.{family}."): x for key, x in state.items()}
        state |= {f"{start}{head}.{key}": value.detach() for key, value in network.head.state_dict().items()}
        config |= {"modules_to_save": [head], "task_type": "TOKEN_CLS"}
        for key in ("target_modules", "feedforward_modules"):
            if key in config:
                config[key] = rf"{family}\.{config[key]}"
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
        start, family = "base_model.model.", FAMILIES[kind][1]
        tensors = {key.removeprefix(start).removeprefix(f"{family}."): value for key, value in state.items()}
        return Adapter(tensors=tensors, **about)
    except Exception as error:
        raise ModelError(f"{path} can't be read: {error}") from None


def _save_joint_head(network: Network, folder: Path) -> None:
    """A head that no other tool's layout has a place for: its numbers in `head/`, beside a whole encoder.

    The two texts of a pair are encoded apart, so the folder is a sentence encoder for sentence-transformers too.
    """
    (folder / "head").mkdir(exist_ok=True)
    write_json(folder / "head" / "config.json", {"pooling": network.pooling, "width": network.head.in_features})
    state = {key: value.detach().contiguous() for key, value in network.head.state_dict().items()}
    if network.hidden is not None:
        state |= {f"hidden.{key}": value.detach().contiguous() for key, value in network.hidden.state_dict().items()}
    if isinstance(network, ClozeNetwork):
        within = network.transform.state_dict().items()
        state |= {f"transform.{key}": value.detach().contiguous() for key, value in within}
    save_file(state, folder / "head" / "model.safetensors")
    if network.pooling in ("pair", "ranked"):
        _save_modules(folder, ["", "1_Pooling"], width=network.encoder.hidden_size, pooling="mean")


def _save_modules(folder: Path, paths: list[str], *, width: int, pooling: str) -> None:
    """What sentence-transformers reads first: which modules there are, and how hidden states are pooled."""
    kinds = {"": "models.Transformer", "1_Pooling": "models.Pooling"}
    modules = [(path, kinds.get(path, "models.Dense")) for path in paths]
    write_json(
        folder / "modules.json",
        [
            {"idx": i, "name": str(i), "path": path, "type": f"sentence_transformers.{kind}"}
            for i, (path, kind) in enumerate(modules)
        ],
    )
    write_json(folder / "config_sentence_transformers.json", {"prompts": {}, "default_prompt_name": None})
    modes = {mode: name == pooling for name, mode in _POOLED.items()}
    (folder / "1_Pooling").mkdir(exist_ok=True)
    write_json(folder / "1_Pooling" / "config.json", {"word_embedding_dimension": width} | modes)


def _save_head(network: Network, folder: Path) -> None:
    """The head as modules of sentence-transformers."""
    layers = [(network.head, "linear.Identity")]
    if network.hidden is not None:
        layers.insert(0, (network.hidden, "activation.Tanh"))
    paths = [f"{at}_Dense" for at in range(2, 2 + len(layers))]
    _save_modules(folder, ["", "1_Pooling", *paths], width=network.encoder.hidden_size, pooling=network.pooling)
    for path, (layer, activation) in zip(paths, layers, strict=True):
        (folder / path).mkdir(exist_ok=True)
        dense = {"in_features": layer.in_features, "out_features": layer.out_features, "bias": True}
        write_json(folder / path / "config.json", dense | {"activation_function": f"torch.nn.modules.{activation}"})
        state = {f"linear.{key}": value.detach().contiguous() for key, value in layer.state_dict().items()}
        save_file(state, folder / path / "model.safetensors")


def save_decoder(decoder: Encoder, vectors_VD: torch.Tensor, folder: Path, *, tokenizer_folder: Path) -> None:
    """Writes a decoder with what scores its words, so that `AutoModelForCausalLM.from_pretrained(folder)` reads it.

    Args:
        vectors_VD: What scores words; not written where it is what words are read with.
        tokenizer_folder: Where the tokenizer's files are copied from.
    """
    folder.mkdir(parents=True, exist_ok=True)
    config: dict[str, Any] = decoder.config.to_dict()
    config.pop("_name_or_path", None)  # a folder of this machine
    name, prefix = FAMILIES[config["model_type"]]
    config["architectures"] = [f"{name}ForCausalLM"]
    state = {f"{prefix}.{key}": value.contiguous() for key, value in plain_state(decoder.network).items()}
    if not decoder.config.tie_word_embeddings:
        state["lm_head.weight"] = vectors_VD.contiguous()
    write_json(folder / "config.json", config)
    save_file(state, folder / "model.safetensors", {"format": "pt"})
    _copy_tokenizer(tokenizer_folder, folder)


def has_network(folder: Path) -> bool:
    """Whether a model folder holds an encoder with its head, from which a deeper rung can start."""
    return (folder / "config.json").is_file() and (folder / "model.safetensors").is_file()


def can_start(folder: Path) -> bool:
    """Whether a deeper rung can start from a model folder: it has a network, which reads rows as they are."""
    return has_network(folder) and not (folder / FORM).is_file()


def read_by_others(folder: Path) -> bool:
    """Whether a model folder says the same without Deepen: it has a network, and nothing is kept beside that."""
    beside = folder / "adapter" / "deepen_adapter.json"
    return can_start(folder) and not (beside.is_file() and read_json(beside)["kept"])


def _copied_whole(path: Path) -> None:
    """A tokenizer.json may carry padding and a limit; the folder's own limit is in sentence_bert_config.json."""
    if path.is_file():
        content = json.loads(path.read_text(encoding="utf-8"))
        content["truncation"] = None
        content["padding"] = None
        path.write_text(json.dumps(content, ensure_ascii=False), encoding="utf-8")


def load_network(folder: Path) -> Network:
    """Reads what `save_network` wrote.

    Returns:
        The network, in evaluation mode.

    Raises:
        ModelError: If a file is missing or corrupt.
    """
    encoder = load_encoder(folder)
    if any(name.endswith("ForTokenClassification") for name in encoder.config.architectures or ()):
        return Network(encoder, _classifier(folder, tagging_head(encoder.config.model_type)), "units").eval()
    if (folder / "head" / "config.json").is_file():
        return _load_joint(encoder, folder / "head")
    try:
        modes = read_json(folder / "1_Pooling" / "config.json")
        pooling: Pooling = next((name for name, mode in _POOLED.items() if modes.get(mode)), "mean")
        *hidden, head = [_load_dense(folder / f"{at}_Dense") for at in (2, 3) if (folder / f"{at}_Dense").is_dir()]
    except Exception as error:
        raise ModelError(f"{folder / '2_Dense'}: the head can't be read: {error}") from None
    return Network(encoder, head, pooling, hidden[0] if hidden else None).eval()


def _load_dense(folder: Path) -> nn.Linear:
    dense = read_json(folder / "config.json")
    state = load_file(folder / "model.safetensors")
    return _linear({key.removeprefix("linear."): value for key, value in state.items()}, dense["in_features"])


def _linear(state: dict[str, torch.Tensor], width: int) -> nn.Linear:
    """A layer of these numbers; ValueError if it does not read `width` numbers."""
    made = nn.Linear(state["weight"].shape[1], state["weight"].shape[0])
    made.load_state_dict(state)
    if made.in_features != width:
        raise ValueError(f"it is {made.in_features} numbers wide and not {width}")
    return made


def _load_joint(encoder: Encoder, folder: Path) -> Network:
    try:
        about = read_json(folder / "config.json")
        pooling = about["pooling"]
        state = load_file(folder / "model.safetensors")
        if pooling == "masks":
            return _load_cloze(encoder, state, about["width"])
        width = encoder.hidden_size if pooling == "ranked" else width_of(pooling, encoder.hidden_size)
        bent = {key: state.pop(key) for key in list(state) if key.startswith("hidden.")}
        head = _linear(state, width).requires_grad_(pooling != "ranked")
        hidden = _linear({key.removeprefix("hidden."): value for key, value in bent.items()}, width) if bent else None
    except Exception as error:
        raise ModelError(f"{folder}: the head can't be read: {error}") from None
    return Network(encoder, head, pooling, hidden).eval()


def _load_cloze(encoder: Encoder, state: dict[str, torch.Tensor], width: int) -> Network:
    transform = Transform(encoder.config)
    within = {key: state.pop(key) for key in list(state) if key.startswith("transform.")}
    transform.load_state_dict({key.removeprefix("transform."): value for key, value in within.items()})
    return ClozeNetwork(encoder, _linear(state, width), transform).eval()


def _classifier(folder: Path, name: str) -> nn.Linear:
    """The head of a ...ForTokenClassification."""
    try:
        with safe_open(folder / "model.safetensors", framework="pt") as file:
            weight, bias = file.get_tensor(f"{name}.weight"), file.get_tensor(f"{name}.bias")
    except Exception as error:
        raise ModelError(f"{folder / 'model.safetensors'}: the head can't be read: {error}") from None
    head = nn.Linear(weight.shape[1], weight.shape[0])
    head.load_state_dict({"weight": weight, "bias": bias})
    return head
