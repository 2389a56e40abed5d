"""Heads on lower layers of a network: a row whose answer is sure enough there leaves, and costs no layer above.

Shape legend: T tokens, S sequences, R rows, D hidden size, F features of a row, C outputs, K layers.

Source:
    Schwartz et al. 2020, The Right Tool for the Job: Matching Model and Instance Complexities.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from deepen.core.errors import ModelError
from deepen.core.files import read_json, write_json
from deepen.models.encoder import Layout, layout
from deepen.models.head import Inputs
from deepen.models.network import Network

EXITS = "exits"
"""The folder in a model's that has them; the rest is the whole network."""


@dataclass(frozen=True)
class Exit:
    """A head after so many layers; a row whose likeliest label has the probability `least` or more leaves there."""

    layer: int
    head: nn.Linear
    least: float


def answer(network: Network, exits: Sequence[Exit], inputs: Inputs) -> Tensor:
    """The logits of each row, and in one more column how many layers gave them; 0 are all."""
    where, at = layout(inputs.lengths_B), 0
    assert inputs.ids_T is not None  # noqa: S101 - rows are read from their tokens
    hidden_TD = network.encoder.embed(inputs.ids_T, inputs.segments_T, where)
    num_rows = len(inputs.lengths_B if inputs.windows_R is None else inputs.windows_R)
    found_RC = hidden_TD.new_zeros(num_rows, network.head.out_features + 1)
    left_R = torch.arange(num_rows, device=hidden_TD.device)
    for one in exits:
        hidden_TD, at = network.encoder.run(hidden_TD, where, at, one.layer), one.layer
        logits_RC = one.head(network.kind.pool(hidden_TD, where, inputs))
        stays_R = logits_RC.softmax(1).amax(1) < one.least
        if bool(stays_R.all()):
            continue
        found_RC[left_R[~stays_R]] = nn.functional.pad(logits_RC[~stays_R], (0, 1), value=float(one.layer))
        if not bool(stays_R.any()):
            return found_RC
        hidden_TD, inputs = _only(stays_R, hidden_TD, where, inputs)
        where, left_R = layout(inputs.lengths_B), left_R[stays_R]
    found_RC[left_R, :-1] = network(replace(inputs, hidden_TD=hidden_TD, start=at))
    return found_RC


def _only(stays_R: Tensor, hidden_TD: Tensor, where: Layout, inputs: Inputs) -> tuple[Tensor, Inputs]:
    """The states of some rows alone, and what is left to read of them."""
    windows_R = inputs.windows_R
    stays_S = stays_R if windows_R is None else stays_R.repeat_interleave(windows_R)
    windows_R = None if windows_R is None else windows_R[stays_R]
    left = replace(inputs, lengths_B=inputs.lengths_B[stays_S], ids_T=None, segments_T=None, windows_R=windows_R)
    return hidden_TD[stays_S[where.owners_T]], left


def read(network: Network, layers: Sequence[int], inputs: Inputs) -> Tensor:
    """What a head reads after each of so many layers, end to end, and then the logits of all: of width K F + C."""
    where, at, found = layout(inputs.lengths_B), 0, []
    assert inputs.ids_T is not None  # noqa: S101 - rows are read from their tokens
    hidden_TD = network.encoder.embed(inputs.ids_T, inputs.segments_T, where)
    for layer in layers:
        hidden_TD, at = network.encoder.run(hidden_TD, where, at, layer), layer
        found.append(network.kind.pool(hidden_TD, where, inputs))
    return torch.cat([*found, network(replace(inputs, hidden_TD=hidden_TD, start=at))], 1)


def save_exits(exits: Sequence[Exit], folder: Path) -> None:
    """Writes them into a model folder; nothing if there are none."""
    if not exits:
        return
    (folder / EXITS).mkdir()
    write_json(folder / EXITS / "config.json", [{"layer": one.layer, "least": one.least} for one in exits])
    numbers = {
        f"{one.layer}.{key}": value.contiguous() for one in exits for key, value in one.head.state_dict().items()
    }
    save_file(numbers, folder / EXITS / "model.safetensors", {"format": "pt"})


def load_exits(folder: Path, network: Network) -> tuple[Exit, ...]:
    """The exits of a model folder, on the network's device; none if it has none.

    Raises:
        ModelError: If they are damaged, or not of this network.
    """
    if not (folder / EXITS).is_dir():
        return ()
    found = []
    try:
        numbers = load_file(folder / EXITS / "model.safetensors")
        for about in read_json(folder / EXITS / "config.json"):
            layer, head = int(about["layer"]), nn.Linear(network.encoder.hidden_size, network.head.out_features)
            head.load_state_dict({key: numbers[f"{layer}.{key}"] for key in ("weight", "bias")})
            if not all(bool(torch.isfinite(value).all()) for value in numbers.values()):
                raise ValueError("they hold values that are no numbers")
            found.append(Exit(layer, head.to(network.device).requires_grad_(False), float(about["least"])))
        layers = [0, *(one.layer for one in found), network.encoder.num_layers]
        if not found or layers != sorted(set(layers)):
            raise ValueError("their layers are not those of the network")
    except Exception as error:
        raise ModelError(f"{folder / EXITS}: the exits can't be read: {' '.join(str(error).split())}") from None
    return tuple(found)
