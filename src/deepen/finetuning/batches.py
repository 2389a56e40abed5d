"""The training rows of a rung as batches and micro-batches, from token ids or from cached hidden states.

Shape legend: N training rows, M units of a batch.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from deepen.core.seed import derive
from deepen.data.batches import flat_positions, grouped_batches, shuffled_batches
from deepen.data.tokens import TokenTable
from deepen.finetuning.easy import draw
from deepen.finetuning.hard import hard_groups
from deepen.finetuning.hidden_cache import Frozen, batch_inputs, frozen_pass
from deepen.finetuning.settings import TrainedSettings
from deepen.finetuning.standardise import Scale
from deepen.models.heads.network import Inputs, Pooling
from deepen.problem.work import Work


@dataclass
class Batch:
    """A micro-batch: places in the training part and the labels of their units."""

    places_B: np.ndarray
    inputs: Inputs
    labels_M: torch.Tensor


class Feed:
    """The training rows as micro-batches, from token ids or from cached hidden states."""

    def __init__(
        self,
        work: Work,
        tokens: TokenTable,
        frozen: Frozen | None,
        settings: TrainedSettings,
        scale: Scale,
        easy_N: np.ndarray,
        pooling: Pooling,
    ) -> None:
        self.work, self.tokens, self.frozen, self.settings = work, tokens, frozen, settings
        self.pooling = pooling
        self.lengths_N = np.asarray(tokens.lengths_N[work.train.rows_N])
        self.targets = work.train_targets
        self.scored_M = self.targets.scored_M
        self.labels_M = scale.standard(self.targets.labels_M)
        self.easy_N, (_, self.weights_N) = easy_N, draw(easy_N, settings.easy_share, seed=0)
        self.batch_tokens = settings.step_tokens(self.lengths_N)
        self.num_visits, rounds, self.worth = settings.rounds_of(self.lengths_N)
        self.num_epochs = self.num_visits * rounds
        self.compared = _compared(work) if work.task.documents is not None and settings.hard_rows > 1 else None

    def epoch(self, epoch: int, name: str) -> list[list[np.ndarray]]:
        """An epoch's batches, each cut into micro-batches of places in the training part."""
        seed = derive(self.work.seed, name, epoch)
        if self.compared is not None:
            groups = hard_groups(*self.compared, self.labels_M, size=self.settings.hard_rows, seed=seed)
            batches = grouped_batches(groups, self.lengths_N, max_tokens=self.batch_tokens, seed=seed)
            return [self._micros(places) for places in batches]
        drawn, _ = draw(self.easy_N, self.settings.easy_share, seed=seed)
        batches = shuffled_batches(self.lengths_N[drawn], max_tokens=self.batch_tokens, seed=seed)
        return [self._micros(drawn[places]) for places in batches]

    def _micros(self, places: np.ndarray) -> list[np.ndarray]:
        total = int(self.lengths_N[places].sum())
        num = max(1, -(-total // self.settings.micro_batch_tokens))
        return [piece for piece in np.array_split(places, num) if len(piece)]

    def count(self, places: np.ndarray) -> float:
        """Units that are scored, by their weights."""
        return float((self.scored_M[self._units(places)] * self.weights_of(places)).sum())

    def weights_of(self, places: np.ndarray) -> np.ndarray:
        """How much each unit counts."""
        return np.repeat(self.weights_N[places], np.diff(self.targets.offsets_N1)[places])

    def _units(self, places: np.ndarray) -> np.ndarray:
        return flat_positions(self.targets.offsets_N1, places)

    def _labels(self, places: np.ndarray) -> np.ndarray:
        return self.labels_M[self._units(places)]

    def get(self, places: np.ndarray) -> Batch:
        """The micro-batch itself."""
        rows = self.work.train.rows_N[places]
        inputs = batch_inputs(self.tokens, rows, frozen=self.frozen, pooling=self.pooling)
        return Batch(places, inputs, torch.from_numpy(self._labels(places)))


def _compared(work: Work) -> tuple[np.ndarray, np.ndarray]:
    """The untouched encoder's vectors of the training rows' queries and documents, which the rung `frozen` made."""
    features_NF = frozen_pass(work, work.train.table, cut=work.first_top_layer).features_MF[work.train.rows_N]
    queries_NF, documents_NF = np.split(np.asarray(features_NF), 2, axis=1)
    return queries_NF, documents_NF
