"""The network stays; its head is solved from sums over all rows that the run and those before it have learned.

The head reads random features (a hidden layer that is drawn once and never learns), so that a ridge regression does
what a trained head does; it needs no row again, only sums, which add up to the same in whatever order rows come.

Shape legend: N rows, F features of a row, H of them after the hidden layer, C labels.

Source:
    Random features: Rahimi and Recht 2008. For learning on and on: McDonnell et al. 2023, RanPAC.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors import safe_open
from safetensors.numpy import save_file
from torch import nn

from deepen.continual.method import Given, UpdateMethod, only_trained, start_reader
from deepen.core.errors import DataError
from deepen.core.files import read_object
from deepen.core.seed import derive
from deepen.data.table import Part
from deepen.finetuning.predictor import EncoderPredictor
from deepen.models.network import Bent
from deepen.preparation.place import ROWS

FILE = "statistics.safetensors"
_WIDER, _FEWEST, _MOST, _ROWS, _SAMPLE = 5, 1000, 2000, 1024, 2000
_STRENGTHS = (1e-6, 1e-5, 1e-4, 3e-4, 1e-3, 3e-3, 0.01, 0.03, 0.1, 0.3)  # of the mean of the diagonal
_STEEP = 20.0  # a logit that is sure; the temperature that follows puts the rest right


@dataclass
class Sums:
    """What a ridge regression needs to know of rows; in 64 bits, so that no order of adding is seen in the answers."""

    labels: tuple[str, ...]
    counts_C: np.ndarray
    sums_CH: np.ndarray
    gram_HH: np.ndarray

    @classmethod
    def none(cls, size: int) -> Sums:
        """Of no row."""
        return cls((), np.zeros(0), np.zeros((0, size)), np.zeros((size, size)))

    def add(self, hidden_NH: np.ndarray, labels: Iterable[str]) -> None:
        """Adds rows."""
        labels_N = np.array(list(labels))
        self._know(labels_N.tolist())
        self.gram_HH += hidden_NH.T @ hidden_NH
        for label in sorted({*labels_N.tolist()}):
            at = self.labels.index(label)
            self.counts_C[at] += (labels_N == label).sum()
            self.sums_CH[at] += hidden_NH[labels_N == label].sum(0)

    def _know(self, more: Iterable[str]) -> None:
        labels = tuple(sorted({*self.labels, *more}))
        places = [labels.index(label) for label in self.labels]
        counts_C, sums_CH = np.zeros(len(labels)), np.zeros((len(labels), len(self.gram_HH)))
        counts_C[places], sums_CH[places] = self.counts_C, self.sums_CH
        self.labels, self.counts_C, self.sums_CH = labels, counts_C, sums_CH

    def solve(self, strength: float) -> tuple[np.ndarray, np.ndarray]:
        """The head weight_CH and bias_C of a ridge regression towards 1 for a row's label and 0 for others."""
        total = self.counts_C.sum()
        mean_H, share_C = self.sums_CH.sum(0) / total, self.counts_C / total
        about_HH = self.gram_HH - total * np.outer(mean_H, mean_H)
        towards_HC = self.sums_CH.T - np.outer(mean_H, self.counts_C)
        ridge = strength * max(float(np.trace(about_HH)) / len(mean_H), 1e-12)
        weight_HC = np.linalg.solve(about_HH + ridge * np.eye(len(mean_H)), towards_HC)
        return weight_HC.T, share_C - mean_H @ weight_HC

    def write(self, path: Path) -> None:
        """Writes them; of the symmetric matrix one half."""
        path.parent.mkdir(parents=True, exist_ok=True)
        half = self.gram_HH[np.triu_indices(len(self.gram_HH))]
        about = {"labels": json.dumps(self.labels)}
        save_file({"counts": self.counts_C, "sums": self.sums_CH, "gram": half}, path, metadata=about)

    @classmethod
    def read(cls, path: Path) -> Sums:
        """Reads them.

        Raises:
            DataError: If the file is damaged.
        """
        try:
            with safe_open(path, "np") as file:
                labels = tuple(json.loads(file.metadata()["labels"]))
                counts_C, sums_CH, half = (file.get_tensor(name) for name in ("counts", "sums", "gram"))
            size = sums_CH.shape[1]
            gram_HH = np.zeros((size, size))
            gram_HH[np.triu_indices(size)] = half
        except Exception as error:
            raise DataError(f"{path} can't be read: {error}") from None
        return cls(labels, counts_C, sums_CH, gram_HH + np.triu(gram_HH, 1).T)


def start(given: Given, folder: Path) -> None:
    """Adds the new rows to the sums, solves the head, and keeps the sums in the new run."""
    reader = start_reader(given.model, "statistics")
    known = given.source.folder / ROWS / FILE
    parent = read_object(given.source.folder / "environment.json").get("parent") or {}
    if parent.get("method") == "statistics" and not known.is_file():
        raise DataError(f"{known} is gone: without it an update would know of no row but those that the run has kept")
    drawn, reader.network.hidden = reader.network.hidden, None
    train, new = given.prepared.work.problem.train, given.made.learned
    if known.is_file() and drawn is not None:
        hidden, sums = drawn, Sums.read(known)
    else:
        hidden = _drawn(reader, train)
        sums = Sums.none(hidden.out_features)
        _add(sums, reader, hidden, train)
    if new is not None:
        _add(sums, reader, hidden, new)
    held = [part for part in (given.prepared.work.problem.validation, given.made.fresh) if part is not None]
    weight_CH, bias_C = _best(sums, reader, hidden, held)
    places = [sums.labels.index(label) for label in given.labels]
    head = nn.Linear(weight_CH.shape[1], len(places))
    with torch.no_grad():
        head.weight.copy_(torch.from_numpy(_STEEP * weight_CH[places]))
        head.bias.copy_(torch.from_numpy(_STEEP * bias_C[places]))
    reader.network.hidden, reader.network.head, reader.labels = hidden, head.to(reader.network.device), given.labels
    reader.save(folder)
    sums.write(given.place / ROWS / FILE)


def _drawn(reader: EncoderPredictor, train: Part) -> Bent:
    """The hidden layer: as wide as rows are apart, so that its tanh bends and does not saturate."""
    chance = np.random.default_rng(derive(0, "statistics"))
    some = train.take(np.sort(chance.permutation(len(train))[:_SAMPLE]))
    features_NF = reader.features(some)
    mean_F, spread = features_NF.mean(0), max(float(features_NF.std()), 1e-6)
    size = min(max(_FEWEST, _WIDER * len(mean_F)), _MOST)
    weight_HF = chance.normal(size=(size, len(mean_F))) / (spread * np.sqrt(len(mean_F)))
    made = Bent(len(mean_F), size)
    with torch.no_grad():
        made.weight.copy_(torch.from_numpy(weight_HF))
        made.bias.copy_(torch.from_numpy(0.5 * chance.normal(size=size) - weight_HF @ mean_F))
    return made.to(reader.network.device)


def _add(sums: Sums, reader: EncoderPredictor, hidden: nn.Module, part: Part) -> None:
    for at in range(0, len(part), _ROWS):
        some = part.take(np.arange(at, min(at + _ROWS, len(part))))
        sums.add(_hidden(reader, hidden, some), map(str, some.values("target")))


def _hidden(reader: EncoderPredictor, hidden: nn.Module, part: Part) -> np.ndarray:
    """hidden_NH of rows, whose network has no hidden layer of its own now."""
    with torch.inference_mode():
        features_NF = torch.from_numpy(reader.features(part)).to(reader.network.device)
        return np.asarray(hidden(features_NF).double().cpu().numpy())


def _best(sums: Sums, reader: EncoderPredictor, hidden: nn.Module, held: list[Part]) -> tuple[np.ndarray, np.ndarray]:
    """The head whose strength answers most held-out rows right; of equal ones the most strongly regularised."""
    at = {label: place for place, label in enumerate(sums.labels)}
    labels_N = np.array([at.get(str(label), -1) for part in held for label in part.values("target")])
    hidden_NH = np.concatenate([_hidden(reader, hidden, part) for part in held])
    heads = [sums.solve(strength) for strength in sorted(_STRENGTHS, reverse=True)]
    right = [((hidden_NH @ weight_CH.T + bias_C).argmax(1) == labels_N).sum() for weight_CH, bias_C in heads]
    return heads[int(np.argmax(right))]


METHOD = UpdateMethod(
    refusal=lambda rung: only_trained(rung, "statistics"),
    all_rows=False,
    start=start,
    finished=True,
)
