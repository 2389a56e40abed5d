"""Which of transformers' classes reads a model folder: what it is, and how large it is told to be."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from deepen.core.errors import ModelError, nearest
from deepen.core.foreign import blaming, whole_number
from deepen.core.settings import shown

_SIZES = ("hidden_size", "num_hidden_layers", "vocab_size", "intermediate_size", "num_attention_heads")
_NEEDED = _SIZES[:3]


def config_of(settings: Mapping[str, Any]) -> Any:
    """transformers' configuration of what config.json holds.

    Args:
        settings: As `folder.read_config` gives them, so without what names code.
    """
    from transformers import CONFIG_MAPPING

    return CONFIG_MAPPING[settings["model_type"]].from_dict(dict(settings))


def class_of(config: Any) -> Any:
    """The class of the network below any head; of an encoder-decoder, that of its encoder.

    Raises:
        ModelError: If there is none that reads text.
    """
    from transformers import MODEL_FOR_TEXT_ENCODING_MAPPING, MODEL_MAPPING

    found = MODEL_FOR_TEXT_ENCODING_MAPPING.get(type(config), None)
    if found is None and not getattr(config, "is_encoder_decoder", False):
        found = MODEL_MAPPING.get(type(config), None)
    if found is None or getattr(found, "main_input_name", "") != "input_ids":
        raise ModelError(
            f"architecture '{config.model_type}' is not supported: transformers has no encoder of text for it"
        )
    return found[0] if isinstance(found, tuple) else found


def sizes_told(path: Path, settings: Mapping[str, Any]) -> dict[str, Any]:
    """The sizes of an architecture that only transformers knows, by the names that BERT has for them.

    Raises:
        ModelError: If transformers does not know it, or it has no sizes of a text network.
    """
    from transformers import CONFIG_MAPPING, __version__

    kind = settings.get("model_type")
    if not isinstance(kind, str) or kind not in CONFIG_MAPPING:
        near = f"; {nearest(kind, list(CONFIG_MAPPING))}" if isinstance(kind, str) else ""
        said = f"architecture {shown(kind)} is not supported: transformers {__version__} does not know it{near}"
        raise ModelError(f"{path}: {said}", file=str(path))
    with blaming(path, "the network can't be made"):
        config = config_of(settings)
        class_of(config)
    found = {name: getattr(config, name, None) for name in _SIZES}
    for name in _NEEDED:
        if not whole_number(found[name], least=1, most=1 << 31):
            said = f"architecture '{kind}' is not supported: its config has no {name} of one network for text"
            raise ModelError(f"{path}: {said}", file=str(path))
    return {name: value for name, value in found.items() if value is not None}


def num_parameters(settings: Mapping[str, Any]) -> int:
    """How many numbers the network has that config.json tells of; nothing of them is made."""
    import torch

    config = config_of(settings)
    with blaming("config.json", "the network can't be made"), torch.device("meta"):
        return sum(values.numel() for values in class_of(config)(config).parameters())
