"""A pretrained network that writes text: encoder-decoders and decoders, as plain transformers reads and saves them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

from deepen.core.errors import ModelError
from deepen.core.files import read_object, sha256_file
from deepen.core.foreign import blaming
from deepen.models.adapters import peft
from deepen.models.device import chosen_device
from deepen.models.find import find
from deepen.models.tokenizer import Tokenizer, load_tokenizer

_USUAL_WINDOW = 4096  # where positions are relative and nothing says how long a text may be


def window_of(config: Mapping[str, Any]) -> int:
    """The most tokens that a network of this configuration reads."""
    return int(config.get("max_position_embeddings") or _USUAL_WINDOW)


class Written(NamedTuple):
    """Where an architecture keeps the layers of its decoder, how many there are, and whether it has an encoder too."""

    layers: str
    depth: str
    encodes: bool = False


_DECODER = Written("model.layers", "num_hidden_layers")
WRITERS = {
    "t5": Written("decoder.block", "num_decoder_layers", encodes=True),
    "mt5": Written("decoder.block", "num_decoder_layers", encodes=True),
    "bart": Written("model.decoder.layers", "decoder_layers", encodes=True),
    "marian": Written("model.decoder.layers", "decoder_layers", encodes=True),
    **dict.fromkeys(("llama", "mistral", "gemma3_text", "qwen2", "qwen3"), _DECODER),
}
"""The architectures that write, by `model_type`."""


@dataclass(frozen=True)
class Generator:
    """A pretrained network that writes, found and checked; its weights are read when they are first needed.

    It stands where `Pretrained` stands for tasks whose answer is text. `scratch` says that its weights are random yet.
    """

    name: str
    folder: Path
    config: dict[str, Any]
    tokenizer: Tokenizer
    scratch: bool = False

    @cached_property
    def fingerprint(self) -> str:
        """A key of the weights, for caches."""
        return sha256_file(self.folder / "model.safetensors")[:16]

    @property
    def written(self) -> Written:
        """How its architecture is built."""
        return WRITERS[self.config["model_type"]]

    @property
    def num_layers(self) -> int:
        """How many layers its decoder has."""
        return int(self.config.get(self.written.depth) or self.config.get("num_layers") or 1)

    @property
    def num_positions(self) -> int:
        """The most tokens that a prompt and its answer may have together, or each with an encoder of its own."""
        return window_of(self.config)

    @property
    def decodes(self) -> bool:
        """Whether it is a decoder alone."""
        return not self.written.encodes


def load_generator(name: str, scratch: Path | None = None) -> Generator:
    """Finds a model that writes.

    Args:
        scratch: Where a network of random weights is that goes by this name; None finds a pretrained one.

    Returns:
        The model; no weights are read yet.

    Raises:
        ModelError: If it can't be found, can't write, or its weights are not safetensors.
    """
    full, folder = (name, scratch) if scratch is not None else find(name)
    config = read_object(folder / "config.json", kind=ModelError)
    kind = config.get("model_type")
    if kind not in WRITERS:
        raise ModelError(
            f"{name} ('{kind}') can't write an answer: pass a model that can, by --model FOLDER or hub id, as "
            f"google/flan-t5-small or HuggingFaceTB/SmolLM2-135M-Instruct; kinds: {', '.join(sorted(WRITERS))}"
        )
    if not (folder / "model.safetensors").is_file():
        raise ModelError(f"{name}: there is no model.safetensors; only safetensors weights in one file are read")
    if config.get("quantization_config"):
        raise ModelError(f"{folder / 'config.json'}: its weights are quantised; give those they were made from")
    made = load_tokenizer(folder)
    return Generator(full, folder, config, replace(made, max_tokens=window_of(config)), scratch is not None)


def plain_network(network: Any) -> Any:
    """A network that writes without vectors that PEFT has put before its texts."""
    return network.get_base_model() if hasattr(network, "get_base_model") else network


def with_vectors(network: Any, adapter: Path) -> Any:
    """A network that writes with the vectors of an adapter before its texts, which can't be folded into its weights.

    Args:
        adapter: A folder in PEFT's layout; one that is not there, or was folded in, changes nothing.
    """
    if not (adapter / "adapter_config.json").is_file():
        return network
    with blaming(adapter, "the adapter can't be read"):
        if "num_virtual_tokens" not in read_object(adapter / "adapter_config.json"):
            return network
        return peft().PeftModel.from_pretrained(network, str(adapter)).eval()


def load_reader(folder: Path) -> Any:
    """Reads the tokenizer of a model that writes, as transformers has it.

    Raises:
        ModelError: If it can't be read, or has no token that ends a text.
    """
    from transformers import AutoTokenizer

    with blaming(folder, "no tokenizer that can be read"):
        tokenizer = AutoTokenizer.from_pretrained(str(folder), local_files_only=True, trust_remote_code=False)
    if tokenizer.eos_token_id is None:
        raise ModelError(f"{folder}: the tokenizer has no token that ends a text (eos_token)")
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token
    return tokenizer


def load_writer(folder: Path) -> tuple[Any, Any]:
    """Reads the weights and the tokenizer of a model that writes.

    Returns:
        The network, in evaluation mode, float32, on the device that was chosen, and transformers' tokenizer.

    Raises:
        ModelError: If a file is damaged, or weights are missing.
    """
    import torch
    from transformers import AutoModelForCausalLM, AutoModelForSeq2SeqLM
    from transformers.utils import logging

    logging.set_verbosity_error()
    logging.disable_progress_bar()
    with blaming(folder / "config.json", "the network can't be made"):
        written = WRITERS[read_object(folder / "config.json")["model_type"]]
    maker = AutoModelForSeq2SeqLM if written.encodes else AutoModelForCausalLM
    with blaming(folder, "the weights can't be read"):
        network, report = maker.from_pretrained(
            str(folder),
            dtype=torch.float32,
            use_safetensors=True,
            output_loading_info=True,
            local_files_only=True,
            trust_remote_code=False,
        )
    if report["missing_keys"]:
        first = sorted(report["missing_keys"])[0]
        raise ModelError(f"{folder}: the weights lack {len(report['missing_keys'])} tensors, such as {first}")
    for name, values in network.named_parameters():
        if not torch.isfinite(values.detach().sum()):
            raise ModelError(f"{folder / 'model.safetensors'}: {name} holds values that are no numbers")
    return network.to(chosen_device()).eval(), load_reader(folder)
