"""Weights in a GGUF file, made once into a folder with safetensors that everything else reads."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from safetensors.torch import save_file

from deepen.core.errors import ModelError
from deepen.core.files import cache_dir, replacing, sha256_file, write_json
from deepen.core.foreign import blaming
from deepen.core.places import check_file
from deepen.core.seal import seal, sealed
from deepen.models.gguf_header import check_header

_LARGEST = 1 << 36  # bytes


def converted(path: Path) -> Path:
    """The model of a GGUF file as a folder with config.json, model.safetensors and tokenizer.json.

    Returns:
        A folder of the cache; the first call takes half a minute for 135 million weights.

    Raises:
        ModelError: If gguf is not installed, or the file can't be read.
    """
    check_file(path, most_bytes=_LARGEST, kind=ModelError)
    folder = cache_dir() / "models" / f"{path.stem}-{sha256_file(path)[:16]}"
    if sealed(folder):
        return folder
    try:
        import gguf  # noqa: F401 - what transformers reads the file with
    except ImportError:
        raise ModelError(f"{path.name}: reading GGUF weights needs gguf: pip install deepen[generator]") from None
    check_header(path)
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer
    from transformers.utils import logging

    logging.set_verbosity_error()
    logging.disable_progress_bar()
    how: dict[str, Any] = {"gguf_file": path.name, "local_files_only": True}
    with blaming(path, "the weights can't be read"):
        tokenizer = AutoTokenizer.from_pretrained(str(path.parent), **how)
        network = AutoModelForCausalLM.from_pretrained(str(path.parent), dtype=torch.float32, **how)
    with replacing(folder) as beside:
        tokenizer.save_pretrained(beside)
        _save(network, beside)
        seal(beside)
    return folder


def _save(network: Any, folder: Path) -> None:
    """Writes config.json and weights; transformers takes what comes from such a file for quantised and won't."""
    config = network.config.to_dict()
    for key in ("_name_or_path", "quantization_config"):
        config.pop(key, None)
    state = network.state_dict()
    if network.config.tie_word_embeddings:
        state.pop("lm_head.weight", None)
    save_file({key: value.contiguous() for key, value in state.items()}, folder / "model.safetensors", {"format": "pt"})
    write_json(folder / "config.json", config)
