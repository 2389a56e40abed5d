"""The training rows of a rung as batches and micro-batches, from token ids or from cached hidden states.

Shape legend: N training rows, M units of a batch.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from deepen.core.seed import derive
from deepen.data.batches import flat_positions, shuffled_batches
from deepen.data.tokens import TokenTable
from deepen.finetuning.hidden_cache import Frozen, batch_inputs
from deepen.finetuning.settings import TrainedSettings
from deepen.models.head import Head, Inputs
from deepen.problem.scale import Scale
from deepen.problem.work import Work


@dataclass
class Batch:
    """A micro-batch: what is read of some rows and the labels of their units."""

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
        head: Head,
    ) -> None:
        self.work, self.tokens, self.frozen, self.settings = work, tokens, frozen, settings
        self.head = head
        self.lengths_N = np.asarray(tokens.lengths_N[work.problem.train.rows_N])
        self.targets = work.problem.train_targets
        self.scored_M = self.targets.scored_M
        self.labels_M = scale.standard(self.targets.labels_M)
        self.batch_tokens = settings.step_tokens(self.lengths_N)
        self.round_epochs, rounds, self.worth = settings.rounds_of(self.lengths_N)
        self.num_epochs = self.round_epochs * rounds

    def epoch(self, epoch: int, name: str) -> list[list[np.ndarray]]:
        """An epoch's batches, each cut into micro-batches of places in the training part."""
        seed = derive(self.work.context.seed, name, epoch)
        batches = shuffled_batches(self.lengths_N, max_tokens=self.batch_tokens, seed=seed)
        return [self._micros(places) for places in batches]

    def _micros(self, places: np.ndarray) -> list[np.ndarray]:
        total = int(self.lengths_N[places].sum())
        num = max(1, -(-total // self.settings.micro_batch_tokens))
        return [piece for piece in np.array_split(places, num) if len(piece)]

    def count(self, places: np.ndarray) -> float:
        """Units that are scored."""
        return float(self.scored_M[self._units(places)].sum())

    def _units(self, places: np.ndarray) -> np.ndarray:
        return flat_positions(self.targets.offsets_N1, places)

    def _labels(self, places: np.ndarray) -> np.ndarray:
        return self.labels_M[self._units(places)]

    def get(self, places: np.ndarray) -> Batch:
        """The micro-batch itself."""
        rows = self.work.problem.train.rows_N[places]
        inputs = batch_inputs(self.tokens, rows, frozen=self.frozen, shares=self.head.shares)
        return Batch(inputs, torch.from_numpy(self._labels(places)))
