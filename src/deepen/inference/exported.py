"""An exported model as a predictor: the same rows, tokens and answers as the rung that it was made of.

Shape legend: M units, S sequences, D numbers of a vector.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np

from deepen.core.errors import ModelError
from deepen.core.progress import progress
from deepen.core.types import Outputs, Sequences
from deepen.data.batches import even_batches, flat_positions
from deepen.data.table import Part, Table
from deepen.data.tokens import TokenTable
from deepen.models.runtimes.form import Runtime
from deepen.models.runtimes.onnx import OnnxNetwork
from deepen.models.runtimes.padded import FlatBatch, padded, sequences
from deepen.models.runtimes.static import StaticNetwork
from deepen.models.tokenizer import Tokenizer, load_tokenizer
from deepen.problem.flat import flat_batch
from deepen.problem.reading import decision_offsets, form_tokens
from deepen.problem.task import Form, Predictor, Task

_BATCH_TOKENS = 2048
_PADDING = 24  # tokens that take as long as one more call


@dataclass
class ExportedPredictor:
    """Runs an exported graph over rows."""

    graph: OnnxNetwork | StaticNetwork
    tokenizer: Tokenizer
    task: Task
    labels: tuple[str, ...]
    form: Form
    num_parameters: int = 0
    network: None = None
    kept: dict[str, np.ndarray] = field(default_factory=dict)

    @property
    def runtime(self) -> Runtime:
        """What the graph reads and gives."""
        return self.graph.runtime

    @property
    def text_width(self) -> int:
        """How many numbers the vector of one of a row's two texts has."""
        return self.runtime.width

    def tokens(self, table: Table) -> TokenTable:
        """The tokens that the graph reads of a table, made once."""
        return form_tokens(self.task, self.form, table, self.tokenizer, self.tokenizer.max_tokens)

    def encode(self, columns: dict[str, list[Any]]) -> Sequences:
        """Named inputs to token sequences."""
        return self.form.encoder(self.tokenizer, self.tokenizer.max_tokens)(columns)

    def predict(self, part: Part) -> Outputs:
        """The logits of a part's units, in its order."""
        return self.form.answer(self, part, None)

    def logits(self, part: Part, frozen: Any = None) -> Outputs:
        """What the graph says of each of a part's units."""
        return self._run(part, 0)

    def texts(self, part: Part, side: Literal[0, 1], frozen: Any = None) -> np.ndarray:
        """The vector of each row's first or second text, of a graph that compares them."""
        return self._run(part, side).values_MC

    def _run(self, part: Part, side: int) -> Outputs:
        """The numbers of each unit; where they are a text's, of each row's first (0) or second (1)."""
        tokens, shares = self.tokens(part.table), self.form.head.shares
        all_offsets = decision_offsets(tokens, self.form.head)
        counts = np.asarray(all_offsets[part.rows_N + 1]) - np.asarray(all_offsets[part.rows_N])
        offsets = np.concatenate([[0], np.cumsum(counts)])
        values = np.empty((int(offsets[-1]), self.runtime.width), np.float32)
        lengths = np.asarray(tokens.lengths_N[part.rows_N])
        with progress("predicting", len(part)) as advance:
            for chosen in even_batches(lengths, max_tokens=_BATCH_TOKENS, most_padding=_PADDING):
                inputs = flat_batch(tokens, part.rows_N[chosen], shares=shares)
                values[flat_positions(offsets, chosen)] = self._batch(inputs, side)
                advance(len(chosen))
        return Outputs(values, offsets)

    def _batch(self, inputs: FlatBatch, side: int) -> np.ndarray:
        arrays, slots_T = padded(inputs, self.runtime.inputs)
        found = self.graph.run(arrays)
        if self.runtime.per == "text":
            return found[side][sequences(inputs)[side::2]]
        if self.runtime.per == "token":
            assert inputs.units_M is not None  # noqa: S101 - the task that pools by units makes them
            return found[0].reshape(-1, self.runtime.width)[slots_T[inputs.units_M]]
        return found[0]

    def calibrate(self, temperature: float, shift_C: np.ndarray | float = 0.0) -> None:
        """An export is calibrated already.

        Raises:
            ModelError: Always.
        """
        raise ModelError(f"{self.graph.path} is an export and can't be changed")

    def save(self, folder: Path) -> None:
        """An export is a folder already.

        Raises:
            ModelError: Always.
        """
        raise ModelError(f"{self.graph.path} is an export: copy its folder")


def load_export(folder: Path, runtime: Runtime, task: Task, labels: tuple[str, ...], form: Form) -> Predictor:
    """Reads an export of any form; as `load_exported`."""
    if runtime.form == "ctranslate2":
        from deepen.generation.exported import load_exported_writer

        return load_exported_writer(folder, task)
    return load_exported(folder, runtime, task, labels, form)


def load_exported(folder: Path, runtime: Runtime, task: Task, labels: tuple[str, ...], form: Form) -> ExportedPredictor:
    """Reads what `deepen export` wrote, or the way `static` of `deepen compress`.

    Args:
        runtime: What deepen.json says of it.
        form: How the rung that it was made of reads rows.

    Raises:
        ModelError: If a file is missing or damaged.
        SettingError: If ONNX Runtime is not installed.
    """
    network = StaticNetwork if runtime.form == "static" else OnnxNetwork
    made = ExportedPredictor(network(folder, runtime), load_tokenizer(folder), task, labels, form)
    form.reopen(made, folder)
    return made
