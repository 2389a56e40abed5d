"""Weights that are pickles made into safetensors: read once, with nothing but tensors allowed in them."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from deepen.core.errors import ModelError
from deepen.core.files import read_object, writing
from deepen.core.foreign import cause
from deepen.models.plain import once
from deepen.models.weights import WEIGHTS

_INDEX = "pytorch_model.bin.index.json"
_BESIDE = ("*.json", "*.txt", "*.model", "*.jinja", "*/config.json")


def convert(old: Path, new: Path) -> int:
    """Writes a model folder whose weights are safetensors, of one whose weights are PyTorch's .bin files.

    The files are read with `torch.load(weights_only=True)`, which runs no code that is in them.

    Args:
        old: A folder with pytorch_model.bin, or its shards and their index.
        new: A folder that is not there yet.

    Raises:
        ModelError: If there is nothing to convert, a file holds more than tensors, or `new` is there.
    """
    import torch
    from safetensors.torch import save_file

    if new.exists():
        raise ModelError(f"{new} is there already; give a folder that is not")
    state: dict[str, Any] = {}
    for path in _pickles(old):
        try:
            found = torch.load(path, map_location="cpu", weights_only=True)
        except Exception as error:
            said = f"{path} holds more than tensors, or is damaged, and is not read: {cause(error)}"
            raise ModelError(said, file=str(path)) from None
        if not isinstance(found, dict) or not all(isinstance(one, torch.Tensor) for one in found.values()):
            raise ModelError(f"{path} holds no tensors by name", file=str(path))
        state |= found
    beside = new.with_name(f".{new.name}.part")
    with writing(new):
        shutil.rmtree(beside, ignore_errors=True)
        beside.mkdir(parents=True)
        for path in (path for mark in _BESIDE for path in old.glob(mark) if path.name != _INDEX):
            (beside / path.relative_to(old)).parent.mkdir(exist_ok=True)
            shutil.copyfile(path, beside / path.relative_to(old))
        state = {name: values.contiguous() for name, values in once(state).items()}
        save_file(state, beside / WEIGHTS, {"format": "pt"})
        beside.rename(new)
    return len(state)


def _pickles(old: Path) -> list[Path]:
    if (old / "pytorch_model.bin").is_file():
        return [old / "pytorch_model.bin"]
    if (old / _INDEX).is_file():
        named = read_object(old / _INDEX).get("weight_map")
        files = sorted({old / str(name) for name in named.values()}) if isinstance(named, dict) else []
        if files and all(path.parent == old and path.is_file() for path in files):
            return files
        raise ModelError(
            f"{old / _INDEX}: it must name the file of each tensor, in this folder", file=str(old / _INDEX)
        )
    raise ModelError(f"{old}: there is no pytorch_model.bin to convert")
