"""Weights in a GGUF file, made once into a folder with safetensors that everything else reads."""

from __future__ import annotations

from pathlib import Path

from deepen.core.errors import ModelError
from deepen.core.files import cache_dir, replacing, sha256_file


def converted(path: Path) -> Path:
    """The model of a GGUF file as a folder with config.json, model.safetensors and tokenizer.json.

    Args:
        path: The file.

    Returns:
        A folder of the cache; the first call takes half a minute for 135 million weights.

    Raises:
        ModelError: If gguf is not installed, or the file can't be read.
    """
    folder = cache_dir() / "models" / f"{path.stem}-{sha256_file(path)[:16]}"
    if (folder / "config.json").is_file():
        return folder
    try:
        import gguf  # noqa: F401 - what transformers reads the file with
    except ImportError:
        raise ModelError(f"{path.name}: reading GGUF weights needs gguf: pip install deepen[generator]") from None
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer
    from transformers.utils import logging

    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        tokenizer = AutoTokenizer.from_pretrained(str(path.parent), gguf_file=path.name)
        network = AutoModelForCausalLM.from_pretrained(str(path.parent), gguf_file=path.name, dtype=torch.float32)
    except (OSError, ValueError, RuntimeError, KeyError, IndexError) as error:
        raise ModelError(f"{path}: the weights can't be read: {str(error).splitlines()[0]}") from None
    with replacing(folder) as beside:
        network.save_pretrained(beside, max_shard_size="100GB")
        tokenizer.save_pretrained(beside)
    return folder
