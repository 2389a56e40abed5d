"""Heads on lower layers, which learn what the whole network says: rows that are surely answered alike leave there.

The network stays as it is. From which probability on a row leaves is chosen on rows that no head has learned from, by
`agreeing`, as a cascade's thresholds are: of all answers at most so many are others than the whole network's.

Shape legend: N rows, K layers, F features of a row, C outputs.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from itertools import combinations
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from deepen.compression.student import MOST_ROWS, solved_head
from deepen.compression.way import Given, Way, labeller, seal
from deepen.core.errors import ModelError, SettingError
from deepen.core.seed import derive
from deepen.data.table import Part
from deepen.evaluation.bounds import rows_needed
from deepen.evaluation.promises import Bound, write_bound
from deepen.finetuning.predictor import EncoderPredictor
from deepen.inference.backing import Backing, pooled, texts
from deepen.inference.cascade import CONFIDENCE, agreeing
from deepen.inference.model import Model
from deepen.models.exits import EXITS, Exit, save_exits

_HEADS, _DEEPEST = 4, 2 / 3  # where heads are tried: so many, and no deeper than this share of the layers
_HELD = 5  # one row in so many tells which strength and which layers are best


def make(given: Given, folder: Path) -> None:
    """Writes the model as it is, with exits beside it and the promise that they keep."""
    model, predictor = given.model, labeller(given.model, "exits")
    network = predictor.network
    if network.encoder.num_layers < 2:
        raise ModelError(f"{model.folder}: the network has one layer, and none of it can be left out")
    allowed = round(1 - given.agreement, 12)
    backing = [part for part in given.backing if len(part)]
    if not backing:
        raise SettingError(
            "--ways exits: the run has learned from all of its rows; --unlabelled F gives some to back it"
        )
    layers = tried(network.encoder.num_layers)
    heads, held = _learned(predictor, given, layers)
    can_share = sum(map(len, backing)) >= (rows_needed(allowed / 2, confidence=(1 + CONFIDENCE) / 2) or 0)
    chosen = _best(held, layers, network.encoder.num_layers, allowed, most=1 + can_share)
    rows = _said(model, predictor, backing[0], layers, heads)
    for part in backing[1:]:
        rows = pooled(rows, _said(model, predictor, part, layers, heads), given.say)
    bound = agreeing(_only(rows, chosen), [f"layer {layers[at]}" for at in chosen], allowed)
    exits = [
        Exit(layers[at], heads[at], one.threshold)
        for at, one in zip(chosen, bound.slices, strict=True)
        if one.threshold is not None
    ]
    if not bound.kept:
        wish = f"--agreement {given.agreement:g} can't be promised: {bound.why}"
        raise SettingError(f"{wish}; rows without a label back it too: --unlabelled FILE")
    shutil.copytree(model.folder, folder, ignore=shutil.ignore_patterns("README.md", "deepen.json", "adapter"))
    save_exits(exits, folder)
    seal(model, folder)
    write_bound(folder, EXITS, bound)
    _tell(given, bound, exits, network.encoder.num_layers)


def tried(num_layers: int) -> list[int]:
    """After how many layers a head is tried: evenly, up to two thirds of them.

    Example:
        >>> tried(2), tried(6), tried(12), tried(24)
        ([1], [1, 2, 3, 4], [2, 4, 6, 8], [4, 8, 12, 16])
    """
    deepest = max(1, int(num_layers * _DEEPEST))
    return sorted({max(1, round(deepest * at / _HEADS)) for at in range(1, _HEADS + 1)})


def _learned(predictor: EncoderPredictor, given: Given, layers: Sequence[int]) -> tuple[list[nn.Linear], Backing]:
    """A head for each of the layers, and what all say of rows held out of the learning ones, which tell the best."""
    chance = np.random.default_rng(derive(given.seed, EXITS))
    parts = given.some(MOST_ROWS, chance)
    found = [predictor.at_layers(part, layers) for part in parts]
    features_NKF, logits_NC = (torch.from_numpy(np.concatenate(one)) for one in zip(*found, strict=True))
    order = torch.from_numpy(chance.permutation(len(logits_NC)))
    held, learning = order[::_HELD], order[np.arange(len(order)) % _HELD != 0]
    after = ", ".join(map(str, layers))
    given.say(f"  exits: heads after layers {after} learn what the network says of {len(learning):,} rows")
    wanted_NC = logits_NC.softmax(1)
    heads = [solved_head(features_NKF[:, at], wanted_NC, learning, held) for at in range(len(layers))]
    return heads, _answers(features_NKF[held], logits_NC[held], heads, [""] * len(held))


def _answers(features_NKF: Tensor, logits_NC: Tensor, heads: Sequence[nn.Linear], said: Sequence[str]) -> Backing:
    """The answers of heads, and of the whole network as the last, each with its probability."""
    all_NC = [*(head(features_NKF[:, at]) for at, head in enumerate(heads)), logits_NC]
    sure = [logits_NC.softmax(1).max(1) for logits_NC in all_NC]
    outputs_RN = np.stack([one.indices.numpy() for one in sure])
    return Backing(outputs_RN, np.stack([one.values.numpy().astype(float) for one in sure]), said, None)


def _said(
    model: Model, predictor: EncoderPredictor, part: Part, layers: Sequence[int], heads: list[nn.Linear]
) -> Backing:
    features_NKF, logits_NC = predictor.at_layers(part, layers)
    return _answers(torch.from_numpy(features_NKF), torch.from_numpy(logits_NC), heads, texts(part))


def _only(rows: Backing, chosen: Sequence[int]) -> Backing:
    """Some of the heads, and the whole network."""
    kept = [*chosen, -1]
    return Backing(rows.outputs_RN[kept], rows.confidences_RN[kept], rows.texts, None)


def _best(held: Backing, layers: Sequence[int], num_layers: int, allowed: float, *, most: int) -> Sequence[int]:
    """The heads, by place, that would leave out most layers, on rows that no promise rests on."""

    def spared(chosen: Sequence[int]) -> float:
        bound = agreeing(_only(held, chosen), [str(layers[at]) for at in chosen], allowed)
        stays_N, total = np.ones(len(held), bool), 0.0
        for at, one in zip(chosen, bound.slices, strict=True):
            leaves_N = stays_N & (held.confidences_RN[at] >= (np.inf if one.threshold is None else one.threshold))
            total += float(leaves_N.mean()) * (num_layers - layers[at])
            stays_N &= ~leaves_N
        return total

    sets: list[tuple[int, ...]] = [one for size in range(1, most + 1) for one in combinations(range(len(layers)), size)]
    return max(sets, key=lambda chosen: (spared(chosen), layers[chosen[-1]]))


def _tell(given: Given, bound: Bound, exits: Sequence[Exit], num_layers: int) -> None:
    after = " or ".join(str(one.layer) for one in exits)
    given.say(f"  exits: {bound.coverage:.1%} of the rows that back it leave after layer {after} of {num_layers}")
    backed = f"with {bound.confidence:.0%} confidence, by {bound.rows:,} rows"
    given.say(f"  promise: at most {bound.at_most:.3g} of all answers are others than the whole network's, {backed}")


WAY = Way(
    order=50,
    price=1,
    title="rows leave at a lower layer where its answer is sure",
    make=make,
    promises=True,
    asked=True,
)
