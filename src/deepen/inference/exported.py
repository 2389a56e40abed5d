"""An exported model as a predictor: the same rows, tokens and answers as the rung that it was made of.

Shape legend: M units, S sequences, D numbers of a vector.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from deepen.core.errors import ModelError
from deepen.core.progress import progress
from deepen.core.types import Outputs
from deepen.data.batches import even_batches, flat_positions
from deepen.data.table import Part, Table
from deepen.data.tokens import TokenTable
from deepen.finetuning.hidden_cache import batch_inputs, decision_offsets
from deepen.models.arrays import check_shapes, read_arrays
from deepen.models.heads.network import Inputs
from deepen.models.runtimes.form import Runtime
from deepen.models.runtimes.onnx import OnnxNetwork
from deepen.models.runtimes.padded import padded, sequences
from deepen.models.tokenizer import Tokenizer, load_tokenizer
from deepen.problem.task import Task
from deepen.problem.work import form_tokens

DOCUMENTS = "documents.safetensors"
"""The vectors of the label table of a model that ranks."""
_BATCH_TOKENS = 2048
_PADDING = 24  # tokens that take as long as one more call


@dataclass
class ExportedPredictor:
    """Runs an exported network over rows."""

    network: OnnxNetwork
    tokenizer: Tokenizer
    task: Task
    labels: tuple[str, ...]
    documents_DF: np.ndarray | None = None

    num_parameters: int = 0

    @property
    def runtime(self) -> Runtime:
        """What the network reads and gives."""
        return self.network.runtime

    def tokens(self, table: Table) -> TokenTable:
        """The tokens that the network reads of a table, made once."""
        return form_tokens(self.task, table, self.tokenizer, self.tokenizer.max_tokens, self.runtime.pooling)

    def predict(self, part: Part) -> Outputs:
        """The logits of a part's units, in its order."""
        if self.task.documents is None:
            return self._run(part, 0)
        rows_D = self.task.documents(part, self.labels).rows_D
        documents_DF = self.documents_DF if rows_D is None else self._run(Part(part.table, rows_D), 1).values_MC
        if documents_DF is None:
            raise ModelError(f"{self.tokenizer.folder / DOCUMENTS} is missing: it has the documents of training")
        queries = self._run(part, 0)
        return Outputs(np.asarray(queries.values_MC @ documents_DF.T, np.float32), queries.offsets_N1)

    def _run(self, part: Part, side: int) -> Outputs:
        """The numbers of each unit; of a network that ranks, of each row's query (0) or document (1)."""
        tokens, pooling = self.tokens(part.table), self.runtime.pooling
        all_offsets = decision_offsets(tokens, pooling)
        counts = np.asarray(all_offsets[part.rows_N + 1]) - np.asarray(all_offsets[part.rows_N])
        offsets = np.concatenate([[0], np.cumsum(counts)])
        values = np.empty((int(offsets[-1]), self.runtime.width), np.float32)
        lengths = np.asarray(tokens.lengths_N[part.rows_N])
        with progress("predicting", len(part)) as advance:
            for chosen in even_batches(lengths, max_tokens=_BATCH_TOKENS, most_padding=_PADDING):
                inputs = batch_inputs(tokens, part.rows_N[chosen], pooling=pooling)
                values[flat_positions(offsets, chosen)] = self._batch(inputs, side)
                advance(len(chosen))
        return Outputs(values, offsets)

    def _batch(self, inputs: Inputs, side: int) -> np.ndarray:
        arrays, slots_T = padded(inputs, self.runtime.inputs)
        found = self.network.run(arrays)
        if self.runtime.pooling == "ranked":
            return found[side][sequences(inputs)[side::2]]
        if self.runtime.pooling == "units":
            assert inputs.units_M is not None  # noqa: S101 - the task that pools by units makes them
            return found[0].reshape(-1, self.runtime.width)[slots_T[inputs.units_M.numpy()]]
        return found[0]

    def calibrate(self, temperature: float, shift_C: np.ndarray | float = 0.0) -> None:
        """An export is calibrated already.

        Raises:
            ModelError: Always.
        """
        raise ModelError(f"{self.network.path} is an export and can't be changed")

    def save(self, folder: Path) -> None:
        """An export is a folder already.

        Raises:
            ModelError: Always.
        """
        raise ModelError(f"{self.network.path} is an export: copy its folder")


def load_exported(folder: Path, runtime: Runtime, task: Task, labels: tuple[str, ...]) -> ExportedPredictor:
    """Reads what `deepen export` wrote.

    Args:
        folder: The folder of the export.
        runtime: What deepen.json says of it.

    Returns:
        The predictor.

    Raises:
        ModelError: If a file is missing or damaged.
        SettingError: If ONNX Runtime is not installed.
    """
    made = ExportedPredictor(OnnxNetwork(folder, runtime), load_tokenizer(folder), task, labels)
    if task.documents is not None and (folder / DOCUMENTS).is_file():
        made.documents_DF = read_arrays(folder / DOCUMENTS, {"vectors": 2})["vectors"]
        check_shapes(folder / DOCUMENTS, {"vectors": made.documents_DF}, {"vectors": (len(labels), runtime.width)})
    return made
