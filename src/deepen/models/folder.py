"""What a model folder says of itself, checked before anything is made of it: its config.json against its weights.

A folder may come from anybody. Nothing in it names code or kernels to run, and no size in it is believed that the
weights don't have: a network of sizes that only config.json tells of could fill any memory.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from deepen.core.errors import ModelError
from deepen.core.files import read_object
from deepen.core.foreign import whole_number
from deepen.core.places import check_file
from deepen.core.settings import shown
from deepen.models.classes import num_parameters, sizes_told
from deepen.models.encoder import ACTIVATIONS, ARCHITECTURES, DECODERS, Names
from deepen.models.positions import AFTER_PADDING
from deepen.models.weights import Form, forms, weight_files

_LARGEST_CONFIG = 1 << 24  # bytes
_CODE = re.compile(
    r"auto_map|custom_pipelines|trust_remote_code|kernel(?!_size)|_implementation|^num_labels$|device_map|tp_plan"
)
_FLOATS = ("F64", "F32", "F16", "BF16")
_COUNTS = ("I64", "I32", "BOOL")  # of positions, which older files hold
_NO_WEIGHTS = 1 << 22  # numbers of a pooler that a file may lack
_ALSO = {  # what DistilBERT calls it
    "hidden_size": "dim",
    "num_hidden_layers": "n_layers",
    "num_attention_heads": "n_heads",
    "intermediate_size": "hidden_dim",
}
_SHARES = ("hidden_dropout_prob", "attention_probs_dropout_prob", "dropout", "attention_dropout")
_SMALL = ("layer_norm_eps", "rms_norm_eps")
_MOST = 1 << 31
ENCODERS = ARCHITECTURES.keys() - DECODERS.keys()


def read_config(folder: Path) -> dict[str, Any]:
    """Reads config.json without what in it names code: which attention kernels, whose classes, which device.

    Returns:
        The settings of an architecture that is supported, its numbers checked.

    Raises:
        ModelError: If it is missing, is not JSON, or holds what can't be.
    """
    path = folder / "config.json"
    check_file(path, most_bytes=_LARGEST_CONFIG, kind=ModelError)
    found = read_object(path, kind=ModelError)
    if found.get("quantization_config"):
        said = "quantization_config says that its weights are quantised; give the float weights they were made from"
        raise ModelError(f"{path}: {said}", file=str(path))
    if (folder / "adapter_config.json").is_file():
        raise ModelError(f"{folder / 'adapter_config.json'}: merge that adapter into the weights first", file=str(path))
    config = {key: value for key, value in found.items() if not _CODE.search(key)}
    _check_numbers(path, config)
    return config if packs(config) else config | sizes_told(path, config)


def packs(config: Mapping[str, Any]) -> bool:
    """Whether the fast path runs a network: its architecture is known there, and nothing about it is unusual.

    Args:
        config: What `read_config` gave.
    """
    activation = config.get("hidden_act") or config.get("activation")
    if config.get("model_type") not in ARCHITECTURES or not (activation is None or str(activation) in ACTIVATIONS):
        return False
    slides = config.get("model_type") in DECODERS and config.get("use_sliding_window", True)
    return not (slides and config.get("sliding_window"))


def size(config: Mapping[str, Any], name: str) -> int:
    """A size that `read_config` has checked.

    Returns:
        The size; 0 if it is not told.
    """
    value = config.get(name)
    return int(value or config.get(_ALSO.get(name, name)) or 0)


def _check_numbers(path: Path, config: dict[str, Any]) -> None:
    def refuse(name: str, needed: str) -> None:
        raise ModelError(f"{path}: {name} is {shown(config[name])}: it must be {needed}", file=str(path))

    sizes = ("vocab_size", "max_position_embeddings", "type_vocab_size", "embedding_size", "head_dim")
    for name in (*sizes, "num_key_value_heads", *_ALSO, *_ALSO.values()):
        least = 0 if name == "type_vocab_size" and config.get("model_type") not in ARCHITECTURES else 1
        if config.get(name) is not None and not whole_number(config[name], least=least, most=_MOST):
            refuse(name, "a whole number above 0")
    for name in (*_SHARES, *_SMALL):
        value = config.get(name)
        if value is not None and not (isinstance(value, int | float) and 0 <= value < 1):
            refuse(name, "a number from 0 up to 1")
    made = config.get("architectures")
    if made is not None and not (isinstance(made, list) and all(isinstance(name, str) for name in made)):
        refuse("architectures", "a list of names")
    padding, vocabulary = config.get("pad_token_id"), config.get("vocab_size") or _MOST
    after_padding = config.get("model_type") in AFTER_PADDING
    if (padding is not None or (after_padding and "pad_token_id" in config)) and not whole_number(
        padding, least=0 if after_padding or config.get("model_type") in ENCODERS else -1, most=vocabulary - 1
    ):
        refuse("pad_token_id", "the number of a token in the vocabulary")
    if config.get("position_embedding_type") not in (None, "absolute"):
        refuse("position_embedding_type", "absolute")
    heads, width = size(config, "num_attention_heads"), size(config, "hidden_size")
    if heads and not config.get("head_dim") and width % heads:
        refuse("num_attention_heads" if config.get("num_attention_heads") else "n_heads", f"a divisor of {width}")
    if heads and heads % int(config.get("num_key_value_heads") or heads):
        refuse("num_key_value_heads", f"a divisor of {heads}")


def check_weights(folder: Path, config: Mapping[str, Any]) -> None:
    """Whether a folder holds the weights that config.json tells of, by its list of tensors, before any work is done.

    Args:
        config: What `read_config` gave.

    Raises:
        ModelError: If it can't be read, or its tensors have other sizes than the settings.
    """
    found = forms(folder)
    path = weight_files(folder)[0]
    if not packs(config):
        _check_any(path, config, found)
        return
    names = ARCHITECTURES[config["model_type"]]
    last = f"{names.layers}.{size(config, 'num_hidden_layers') - 1}.{names.query}.weight"
    start = next((key.removesuffix(last) for key in found if key.endswith(last)), None)
    if start is None:
        _refuse(path, f"{last} is missing")
    more = f"{start}{names.layers}.{size(config, 'num_hidden_layers')}.{names.query}.weight"
    if more in found:
        _refuse(path, f"there is {more} too")
    for name, shape in _expected(config, names).items():
        form = found.get(f"{start}{name}")
        if form is None or form.shape != shape:
            what = f"has the shape {shown(form.shape)}, not {shown(shape)}" if form is not None else "is missing"
            _refuse(path, f"{name} {what}")
        elif form.kind not in _FLOATS:
            _refuse(path, f"{name} holds {form.kind}, no floats")


def _check_any(path: Path, config: Mapping[str, Any], found: Mapping[str, Form]) -> None:
    """The same of an architecture that only transformers knows: no network is larger than the weights there are.

    transformers itself compares each shape when it reads them.
    """
    numbers = sum(math.prod(form.shape) for form in found.values())
    layers = size(config, "num_hidden_layers")
    if layers > len(found):
        _refuse(path, f"there are {len(found)} tensors, too few for {layers:,} layers")
    needed = num_parameters(config)
    if needed > 2 * numbers + _NO_WEIGHTS:
        _refuse(path, f"the network has {needed:,} numbers, and there are {numbers:,}")
    for name, form in found.items():
        if form.kind not in _FLOATS and form.kind not in _COUNTS:
            _refuse(path, f"{name} holds {form.kind}, no floats")


def _refuse(path: Path, what: str) -> None:
    said = f"{path}: these are not the weights that config.json tells of: {what}"
    raise ModelError(said, file=str(path))


def _expected(config: Mapping[str, Any], names: Names) -> dict[str, list[int]]:
    """The shapes of the tensors whose sizes config.json tells, as far as it tells them."""
    width, heads = size(config, "hidden_size"), size(config, "num_attention_heads")
    rows, each = width, width // heads if heads else 0
    if config.get("head_dim"):
        each = size(config, "head_dim")
        rows = heads * each
    shared = size(config, "num_key_value_heads") * each if names.gate and config.get("num_key_value_heads") else rows
    inner, vectors = size(config, "intermediate_size"), size(config, "embedding_size") or width
    parts = {names.query: [rows, width], names.key: [shared, width], names.value: [shared, width]}
    parts[names.attended] = [width, rows]
    if inner:
        parts |= {names.up: [inner, width], names.down: [width, inner]}
        parts |= {names.gate: [inner, width]} if names.gate else {}
    layers = range(size(config, "num_hidden_layers"))
    shapes = {f"{names.layers}.{at}.{name}.weight": shape for at in layers for name, shape in parts.items()}
    tables = {names.words: "vocab_size"}
    if not names.gate:
        tables["embeddings.position_embeddings"] = "max_position_embeddings"
        tables["embeddings.token_type_embeddings"] = "type_vocab_size"
    told = {f"{name}.weight": [size(config, key), vectors] for name, key in tables.items() if config.get(key)}
    return told | shapes
