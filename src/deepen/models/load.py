"""Reading a pretrained encoder or decoder: safetensors only, never code from the folder, never a pickle."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from deepen.core.errors import ModelError
from deepen.core.foreign import blaming
from deepen.models.any_encoder import AnyEncoder, unshared
from deepen.models.classes import class_of, config_of
from deepen.models.decoder import Decoder
from deepen.models.device import chosen_device
from deepen.models.encoder import DECODERS, Encoder
from deepen.models.find import find
from deepen.models.folder import check_weights, packs, read_config, size
from deepen.models.positions import first_position
from deepen.models.tokenizer import Tokenizer, load_tokenizer
from deepen.models.weights import fingerprint_of, weight_files


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
        return fingerprint_of(self.folder)

    @property
    def num_layers(self) -> int:
        """How many layers there are to train."""
        return size(self.config, "num_hidden_layers")

    @property
    def hidden_size(self) -> int:
        """D: how many numbers a token's vector has."""
        return size(self.config, "hidden_size")

    @property
    def num_positions(self) -> int:
        """The most tokens that a text may have."""
        return int(self.config.get("max_position_embeddings") or 512) - first_position(self.config)

    @property
    def decodes(self) -> bool:
        """Whether it is a decoder, which can be asked."""
        return self.packed and self.config["model_type"] in DECODERS

    @property
    def packed(self) -> bool:
        """Whether the fast path runs it; else transformers' own layers do."""
        return packs(self.config)

    def encoder(self) -> Encoder:
        """Reads the weights into a new encoder."""
        return load_encoder(self.folder)


def load_pretrained(name: str) -> Pretrained:
    """Finds a model by folder, package or hub id and checks that it is one Deepen can climb with.

    Returns:
        The model; no weights are read yet.

    Raises:
        ModelError: If it can't be found, its architecture is not supported, or its weights are not safetensors.
    """
    full, folder = find(name)
    config = read_config(folder)
    check_weights(folder, config)
    return Pretrained(full, folder, config, load_tokenizer(folder))


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
    from transformers.utils import logging

    logging.set_verbosity_error()
    logging.disable_progress_bar()
    settings = read_config(folder)
    check_weights(folder, settings)
    packed = packs(settings)
    with blaming(folder / "config.json", "the network can't be made"):
        config = config_of(settings)
        network_type = class_of(config)
    with blaming(folder, "the weights can't be read"):
        network, report = network_type.from_pretrained(
            str(folder),
            config=config,
            # none of the kernels is run where `Encoder` has attention of its own
            attn_implementation="eager" if packed else None,
            dtype=torch.float32,
            use_safetensors=True,
            local_files_only=True,
            output_loading_info=True,
        )
    missing = [key for key in report["missing_keys"] if "pooler" not in key and "position_ids" not in key]
    if missing:
        raise ModelError(f"{folder}: the weights lack {len(missing)} tensors of the architecture, such as {missing[0]}")
    if any("pooler" in key for key in report["missing_keys"]):
        network.pooler = None  # else it would be made of random numbers, and saved with them
    for name, values in network.named_parameters():
        if not torch.isfinite(values.detach().sum()):
            raise ModelError(f"{weight_files(folder)[0]}: {name} holds values that are no numbers")
    with blaming(folder / "config.json", "the network can't be made"):
        if not packed:
            by_layers = AnyEncoder(unshared(network)).to(chosen_device())
            by_layers.check()
            return by_layers
        made = (Decoder if network.config.model_type in DECODERS else Encoder)(network)
    return made.to(chosen_device())
