"""How a trained rung goes on with new rows: from its own weights, with a few old rows of each label beside them.

Shape legend: N rows, F features of a row, C outputs.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import nn

from deepen.core.errors import SettingError
from deepen.data.table import Part
from deepen.finetuning.predictor import EncoderPredictor
from deepen.inference.model import Model

RUNGS = ("top_layers", "full")


def start_reader(model: Model) -> EncoderPredictor:
    """What training goes on from.

    Raises:
        SettingError: If the model does not give one label to rows read in the task's first form.
    """
    reader = model.predictor
    plain = isinstance(reader, EncoderPredictor) and reader.reads_plainly and reader.form.head.is_row
    if model.rung in RUNGS and plain and model.task.target.is_class:
        assert isinstance(reader, EncoderPredictor)  # noqa: S101 - `plain` says so
        return reader
    said = f"{model.rung} of {model.task.name} can't go on from its weights"
    raise SettingError(f"{said}: --method replay is for {' and '.join(RUNGS)} with one label a row")


def chosen_rows(reader: EncoderPredictor, train: Part, per_label: int) -> Part:
    """At most so many rows of each label, whose mean feature is near that of all its rows.

    Source:
        Herding: Welling 2009, Herding dynamical weights to learn; for this purpose Rebuffi et al. 2017, iCaRL.
    """
    features_NF, labels_N = reader.features(train), np.array(list(train.values("target")))
    places = [np.flatnonzero(labels_N == label) for label in sorted({*labels_N})]
    kept = [rows[_herded(features_NF[rows], per_label)] for rows in places]
    return train.take(np.sort(np.concatenate(kept)))


def _herded(features_NF: np.ndarray, count: int) -> np.ndarray:
    """Places, one after the other the one that brings the mean of those taken nearest to the mean of all."""
    mean_F, sum_F = features_NF.mean(0), np.zeros(features_NF.shape[1], np.float32)
    taken: list[int] = []
    for number in range(1, min(count, len(features_NF)) + 1):
        away_N = np.linalg.norm(mean_F - (sum_F + features_NF) / number, axis=1)
        away_N[taken] = np.inf
        taken.append(int(away_N.argmin()))
        sum_F += features_NF[taken[-1]]
    return np.array(taken, np.int64)


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
