"""Reading a pretrained encoder or decoder: safetensors only, never code from the folder, never a pickle."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from deepen.core.errors import ModelError
from deepen.core.files import sha256_file
from deepen.models.decoder import Decoder
from deepen.models.device import chosen_device
from deepen.models.offline import find
from deepen.models.split import ARCHITECTURES, DECODERS, Encoder
from deepen.models.tokenizer import Tokenizer, load_tokenizer


@dataclass(frozen=True)
class Pretrained:
    """A pretrained model that has been found and checked; its weights are read when they are first needed."""

    name: str
    folder: Path
    config: dict[str, Any]
    tokenizer: Tokenizer

    @cached_property
    def fingerprint(self) -> str:
        """A key of the weights, for caches."""
        return sha256_file(self.folder / "model.safetensors")[:16]

    @property
    def num_layers(self) -> int:
        """How many layers there are to train."""
        return int(self.config.get("num_hidden_layers") or self.config.get("n_layers") or 0)

    @property
    def hidden_size(self) -> int:
        """D: how many numbers a token's vector has."""
        return int(self.config.get("hidden_size") or self.config.get("dim") or 0)

    @property
    def num_positions(self) -> int:
        """The most tokens that a text may have."""
        after_padding = ARCHITECTURES[self.config["model_type"]].after_padding
        skipped = int(self.config.get("pad_token_id", 1)) + 1 if after_padding else 0
        return int(self.config.get("max_position_embeddings") or 512) - skipped

    @property
    def decodes(self) -> bool:
        """Whether it is a decoder, which can be asked."""
        return self.config["model_type"] in DECODERS

    def encoder(self) -> Encoder:
        """Reads the weights into a new encoder."""
        return load_encoder(self.folder)


def load_pretrained(name: str) -> Pretrained:
    """Finds a model by folder, package or hub id and checks that it is one Deepen can climb with.

    Args:
        name: A folder or hub id.

    Returns:
        The model; no weights are read yet.

    Raises:
        ModelError: If it can't be found, its architecture is not supported, or its weights are not safetensors.
    """
    full, folder = find(name)
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ModelError(f"{folder / 'config.json'} can't be read: {error}") from None
    kind = config.get("model_type") if isinstance(config, dict) else None
    if kind not in ARCHITECTURES:
        raise ModelError(
            f"{name}: architecture '{kind}' is not supported; choose from: {', '.join(sorted(ARCHITECTURES))}"
        )
    if not (folder / "model.safetensors").is_file():
        pickled = next((p.name for p in folder.iterdir() if p.suffix in (".bin", ".pt", ".pth", ".pkl", ".ckpt")), None)
        cause = (
            f"{pickled} is a pickle, which can run code when it is read" if pickled else "there is no model.safetensors"
        )
        raise ModelError(f"{name}: {cause}; only safetensors weights are read")
    _check_weights(folder / "model.safetensors", config)
    return Pretrained(full, folder, config, load_tokenizer(folder))


def _check_weights(path: Path, config: dict[str, Any]) -> None:
    """Whether a file holds the weights that config.json tells of, by its list of tensors, before any work is done."""
    from safetensors import SafetensorError, safe_open

    names = ARCHITECTURES[config["model_type"]]
    layers = int(config.get("num_hidden_layers") or config.get("n_layers") or 0)
    last = f"{names.layers}.{layers - 1}.{names.query}.weight"
    try:
        with safe_open(path, "np") as file:
            found = next((key for key in file.keys() if key.endswith(last)), None)  # noqa: SIM118 - not a dict
            shape = file.get_slice(found).get_shape() if found else []
    except (SafetensorError, OSError) as error:
        raise ModelError(
            f"{path}: the weights can't be read, so they are cut short or no safetensors: {error}"
        ) from None
    width = config.get("hidden_size") or config.get("dim")
    rows = config["num_attention_heads"] * config["head_dim"] if config.get("head_dim") else width
    if shape != [rows, width]:
        what = f"has the shape {shape}" if found else "is missing"
        raise ModelError(f"{path}: these are not the weights that config.json tells of: {last} {what}")


def load_encoder(folder: Path) -> Encoder:
    """Reads the weights of a supported encoder or decoder.

    Args:
        folder: A model folder with config.json and model.safetensors.

    Returns:
        The encoder, in evaluation mode, float32, on the device that was chosen.

    Raises:
        ModelError: If the weights are corrupt or not those of the architecture that config.json names.
    """
    import torch
    from safetensors import SafetensorError
    from transformers import AutoModel
    from transformers.utils import logging

    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        network, report = AutoModel.from_pretrained(
            str(folder),
            dtype=torch.float32,
            use_safetensors=True,
            trust_remote_code=False,
            local_files_only=True,
            output_loading_info=True,
        )
    except (SafetensorError, OSError, ValueError, RuntimeError, KeyError) as error:
        raise ModelError(f"{folder}: the weights can't be read: {str(error).splitlines()[0]}") from None
    missing = [key for key in report["missing_keys"] if "pooler" not in key and "position_ids" not in key]
    if missing:
        raise ModelError(f"{folder}: the weights lack {len(missing)} tensors of the architecture, such as {missing[0]}")
    if any("pooler" in key for key in report["missing_keys"]):
        network.pooler = None  # else it would be made of random numbers, and saved with them
    return (Decoder if network.config.model_type in DECODERS else Encoder)(network).to(chosen_device())
