"""An encoder with its head as a predictor: the model of every rung above `lexical`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from deepen.core.progress import progress
from deepen.core.types import Outputs
from deepen.data.alter import altered
from deepen.data.batches import flat_positions, sorted_batches
from deepen.data.table import Part, Table
from deepen.data.tokens import TokenTable
from deepen.models.heads import Inputs, Network
from deepen.models.save import load_network, save_network
from deepen.models.tokenizer import Tokenizer, load_tokenizer
from deepen.training.cache import Frozen, batch_inputs, decision_offsets
from deepen.training.task import Task
from deepen.training.work import form_tokens

_BATCH_TOKENS = 2048


@dataclass
class EncoderPredictor:
    """Runs a network over rows. `frozen` holds what was computed before for its table, so only what is left is run."""

    network: Network
    tokenizer: Tokenizer
    task: Task
    labels: tuple[str, ...]
    max_tokens: int
    num_parameters: int = 0
    documents_DF: np.ndarray | None = None

    def tokens(self, table: Table) -> TokenTable:
        """The tokens that the network reads of a table, made once."""
        return form_tokens(self.task, table, self.tokenizer, self.max_tokens, self.network.pooling)

    def predict(self, part: Part, frozen: Frozen | None = None) -> Outputs:
        """The logits of a part's units.

        Args:
            part: The rows.
            frozen: Hidden states or features of the part's table, below what this network changed.

        Returns:
            Outputs in the order of the part.
        """
        if self.task.documents is not None:
            return self._ranked(part, frozen)
        return self._run(part, self.network, self.network.head.out_features, frozen)

    def _ranked(self, part: Part, frozen: Frozen | None) -> Outputs:
        """How well each document of the part's table, or of the label table, fits each query."""
        assert self.task.documents is not None  # noqa: S101 - the caller looked
        texts, rows_D = self.task.documents(part, self.labels)
        if rows_D is not None:
            found = self._run(Part(part.table, rows_D), self.network.features, self.network.width, frozen).values_MC
            documents_DF = found[:, self.network.width // 2 :]
        else:
            if self.documents_DF is None:
                asked = altered(part.take(np.zeros(len(texts), np.int64)), {part.table.inputs[0]: texts})
                found = self._run(asked, self.network.features, self.network.width, None).values_MC
                self.documents_DF = found[:, : self.network.width // 2]
            documents_DF = self.documents_DF
        queries = self._run(part, self.network.features, self.network.width, frozen).values_MC
        return rank(self.network.head, queries[:, : self.network.width // 2], documents_DF)

    def features(self, part: Part) -> np.ndarray:
        """The vector of each of a part's units that the head reads, features_MF.

        Args:
            part: The rows.

        Returns:
            Vectors in the order of the part.
        """
        return self._run(part, self.network.features, self.network.width, None).values_MC

    def _run(self, part: Part, what: Callable[[Inputs], Tensor], width: int, frozen: Frozen | None) -> Outputs:
        self.network.eval()
        tokens = frozen.tokens if frozen is not None else self.tokens(part.table)
        all_offsets = decision_offsets(tokens, self.network.pooling)
        counts = np.asarray(all_offsets[part.rows_N + 1]) - np.asarray(all_offsets[part.rows_N])
        offsets = np.concatenate([[0], np.cumsum(counts)])
        values = np.empty((int(offsets[-1]), width), np.float32)
        lengths = np.asarray(tokens.lengths_N[part.rows_N])
        device = self.network.head.weight.device
        with progress("predicting", len(part)) as advance, torch.inference_mode():
            for chosen in sorted_batches(lengths, max_tokens=_BATCH_TOKENS):
                inputs = batch_inputs(tokens, part.rows_N[chosen], frozen=frozen)
                values[flat_positions(offsets, chosen)] = what(inputs.to(device)).float().cpu().numpy()
                advance(len(chosen))
        return Outputs(values, offsets)

    def calibrate(self, temperature: float, shift_C: np.ndarray | float = 0.0) -> None:
        """Divides the head by `temperature`, and shifts its bias."""
        with torch.no_grad():
            self.network.head.weight.div_(temperature)
            self.network.head.bias.div_(temperature).add_(torch.as_tensor(shift_C, dtype=torch.float32))

    def save(self, folder: Path) -> None:
        """Writes the sentence-transformers layout."""
        save_network(
            self.network,
            folder,
            tokenizer_folder=self.tokenizer.folder,
            labels=self.labels,
            max_tokens=self.max_tokens,
        )


def rank(head: torch.nn.Linear, queries_NF: np.ndarray, documents_DF: np.ndarray) -> Outputs:
    """The logits of documents for queries.

    Args:
        head: The head of pooling `ranked`.
        queries_NF: Unit vectors.
        documents_DF: Unit vectors.

    Returns:
        Outputs with a unit a query and an output a document.
    """
    with torch.no_grad():
        asked = head(torch.from_numpy(queries_NF).to(head.weight.device)).cpu().numpy()
    return Outputs(np.asarray(asked @ documents_DF.T, np.float32), np.arange(len(queries_NF) + 1))


def load_predictor(folder: Path, task: Task, labels: tuple[str, ...]) -> EncoderPredictor:
    """Reads the model folder of a rung.

    Args:
        folder: A model folder that `save` wrote.
        task: The run's task.
        labels: The run's labels.

    Returns:
        The predictor.
    """
    tokenizer = load_tokenizer(folder)
    return EncoderPredictor(load_network(folder), tokenizer, task, labels, tokenizer.max_tokens)
