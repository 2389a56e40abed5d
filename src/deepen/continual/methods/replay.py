"""How a trained rung goes on with new rows: from its own weights, with a few old rows of each label beside them."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import nn

from deepen.continual.method import Given, UpdateMethod, only_trained, start_reader
from deepen.finetuning.predictor import EncoderPredictor


def write_start(reader: EncoderPredictor, labels: tuple[str, ...], folder: Path) -> None:
    """Writes the model with a head for other labels: known ones keep their numbers, new ones begin at the mean."""
    head = reader.network.head
    grown = nn.Linear(head.in_features, len(labels)).to(head.weight.device)
    at = {label: place for place, label in enumerate(reader.labels)}
    with torch.no_grad():
        for place, label in enumerate(labels):
            known = at.get(label)
            grown.weight[place] = head.weight.mean(0) if known is None else head.weight[known]
            grown.bias[place] = head.bias.mean() if known is None else head.bias[known]
    reader.network.head, reader.labels = grown, labels
    reader.save(folder)


def start(given: Given, folder: Path) -> None:
    """The run's own weights."""
    write_start(start_reader(given.model, "replay"), given.labels, folder)


METHOD = UpdateMethod(
    refusal=lambda rung: only_trained(rung, "replay"),
    all_rows=False,
    start=start,
    settings={"class_weights": "balanced"},  # of old labels few rows are there
)
