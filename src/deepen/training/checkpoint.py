"""A training run that was stopped goes on as if it had not been: everything that moves, in safetensors and JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from deepen.core.errors import DataError
from deepen.core.files import replacing, write_json


def save_checkpoint(
    folder: Path,
    parameters: dict[str, Tensor],
    optimizer: torch.optim.Optimizer,
    *,
    best: dict[str, Tensor],
    arrays: dict[str, np.ndarray],
    state: dict[str, Any],
) -> None:
    """Writes a checkpoint, whole or not at all, over the one before.

    `best` are the best parameters so far, `arrays` what else must survive, `state` counters and scores as JSON.
    """
    tensors: dict[str, Tensor] = {f"now.{k}": v.detach().contiguous() for k, v in parameters.items()}
    tensors |= {f"best.{k}": v.contiguous() for k, v in best.items()}
    tensors |= {f"array.{k}": torch.from_numpy(np.ascontiguousarray(v)) for k, v in arrays.items()}
    for index, moments in optimizer.state_dict()["state"].items():
        tensors |= {f"optimizer.{index}.{k}": v for k, v in moments.items() if isinstance(v, Tensor)}
    tensors["random"] = torch.get_rng_state()
    with replacing(folder) as beside:
        beside.mkdir(parents=True)
        save_file(tensors, beside / "state.safetensors")
        write_json(beside / "state.json", state)


def load_checkpoint(
    folder: Path, parameters: Mapping[str, Tensor], optimizer: torch.optim.Optimizer
) -> tuple[dict[str, Tensor], dict[str, np.ndarray], dict[str, Any]] | None:
    """Puts parameters, optimizer and chance back to where a checkpoint left them: (best, arrays, state) as saved.

    None if there is no checkpoint, DataError if there is one and it does not belong to this training.
    """
    if not (folder / "state.json").is_file():
        return None
    try:
        tensors = load_file(folder / "state.safetensors")
        state = json.loads((folder / "state.json").read_text())
        with torch.no_grad():
            for name, parameter in parameters.items():
                parameter.copy_(tensors[f"now.{name}"])
    except (OSError, ValueError, KeyError, RuntimeError, SafetensorError) as error:
        raise DataError(f"{folder}: the checkpoint is not one of this training: {error}; use --overwrite") from None
    saved = optimizer.state_dict()
    moments: dict[int, dict[str, Tensor]] = {}
    for key, value in tensors.items():
        if key.startswith("optimizer."):
            _, index, name = key.split(".", 2)
            moments.setdefault(int(index), {})[name] = value
    optimizer.load_state_dict({"state": moments, "param_groups": saved["param_groups"]})
    torch.set_rng_state(tensors["random"])
    best = {key[5:]: value for key, value in tensors.items() if key.startswith("best.")}
    arrays = {key[6:]: value.numpy() for key, value in tensors.items() if key.startswith("array.")}
    return best, arrays, state
