"""An encoder with its head as a predictor: the model of every rung above `lexical`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import repeat
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
from safetensors.numpy import save_file
from torch import Tensor

from deepen import tuning
from deepen.core.errors import ModelError
from deepen.core.files import write_json
from deepen.core.foreign import cause
from deepen.core.progress import progress
from deepen.core.shelf import values
from deepen.core.types import Outputs
from deepen.data.batches import flat_positions, sorted_batches
from deepen.data.table import Part, Table
from deepen.data.tokens import TokenTable
from deepen.finetuning.hidden_cache import Frozen, batch_inputs, decision_offsets
from deepen.models.adapters import Adapter, Attached, Method
from deepen.models.arrays import check_shapes, read_arrays
from deepen.models.encoder import Encoder
from deepen.models.heads.network import Inputs, Network
from deepen.models.plain import Problem
from deepen.models.save import FORM, load_adapter, load_network, save_adapter, save_network
from deepen.models.tokenizer import Tokenizer, load_tokenizer
from deepen.problem.regression import LABELS as SCORES
from deepen.problem.task import Predictor, Task
from deepen.problem.work import form_tokens

_BATCH_TOKENS = 2048
_BATCH_DOCUMENTS = 64
_DOCUMENTS = "documents.safetensors"


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
    adapter: Adapter | None = None

    def tokens(self, table: Table) -> TokenTable:
        """The tokens that the network reads of a table, made once."""
        return form_tokens(self.task, table, self.tokenizer, self.max_tokens, self.network.pooling)

    def predict(self, part: Part, frozen: Frozen | None = None) -> Outputs:
        """The logits of a part's units.

        Args:
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
        rows_D = self.task.documents(part, self.labels).rows_D
        if rows_D is not None:
            found = self._run(Part(part.table, rows_D), self.network.features, self.network.width, frozen).values_MC
            documents_DF = found[:, self.network.width // 2 :]
        else:
            documents_DF = self._known_documents()
        queries = self._run(part, self.network.features, self.network.width, frozen).values_MC
        return rank(self.network.head, queries[:, : self.network.width // 2], documents_DF)

    def _known_documents(self) -> np.ndarray:
        """The vectors of the label table, which are kept with the model."""
        if self.documents_DF is None:
            encode, device = self.task.encoder(self.tokenizer, self.max_tokens), self.network.device
            order = np.argsort([len(text) for text in self.labels], kind="stable")
            made_DF = np.empty((len(order), self.network.width // 2), np.float32)
            still(self.network)
            with progress("reading documents", len(order)) as advance, torch.inference_mode():
                for some in np.array_split(order, -(-len(order) // _BATCH_DOCUMENTS)):
                    found = encode({self.task.inputs[0]: [self.labels[at] for at in some]})
                    ids_T = torch.from_numpy(found.ids_T.astype(np.int64))
                    inputs = Inputs(torch.from_numpy(found.lengths_B), ids_T=ids_T).to(device)
                    made_DF[some] = self.network.features(inputs)[:, : made_DF.shape[1]].cpu().numpy()
                    advance(len(some))
            self.documents_DF = made_DF
        return self.documents_DF

    def features(self, part: Part) -> np.ndarray:
        """The vector of each of a part's units that the head reads, features_MF.

        Returns:
            Vectors in the order of the part.
        """
        return self._run(part, self.network.features, self.network.width, None).values_MC

    def _run(self, part: Part, what: Callable[[Inputs], Tensor], width: int, frozen: Frozen | None) -> Outputs:
        still(self.network)
        tokens = frozen.tokens if frozen is not None else self.tokens(part.table)
        all_offsets = decision_offsets(tokens, self.network.pooling)
        counts = np.asarray(all_offsets[part.rows_N + 1]) - np.asarray(all_offsets[part.rows_N])
        offsets = np.concatenate([[0], np.cumsum(counts)])
        values = np.empty((int(offsets[-1]), width), np.float32)
        lengths = np.asarray(tokens.lengths_N[part.rows_N])
        device = self.network.device
        with progress("predicting", len(part)) as advance, torch.inference_mode():
            for chosen in sorted_batches(lengths, max_tokens=_BATCH_TOKENS):
                inputs = batch_inputs(tokens, part.rows_N[chosen], frozen=frozen, pooling=self.network.pooling)
                values[flat_positions(offsets, chosen)] = what(inputs.to(device)).float().cpu().numpy()
                advance(len(chosen))
        return Outputs(values, offsets)

    def calibrate(self, temperature: float, shift_C: np.ndarray | float = 0.0) -> None:
        """Divides the head by `temperature`, and shifts its bias."""
        with torch.no_grad():
            self.network.head.weight.div_(temperature)
            shift = torch.as_tensor(shift_C, dtype=torch.float32).to(self.network.device)
            self.network.head.bias.div_(temperature).add_(shift)

    def save(self, folder: Path) -> None:
        """Writes the sentence-transformers layout; what a method learned also by itself, in `adapter/`."""
        given: dict[str, Any] = {"tokenizer_folder": self.tokenizer.folder, "max_tokens": self.max_tokens}
        problem: Problem | None = "multi_label_classification" if self.task.shift is not None else None
        problem = "regression" if self.labels == SCORES else problem
        whole = self.adapter is None or not self.adapter.kept
        save_network(self.network, folder, labels=self.labels, whole=whole, problem=problem, **given)
        if self.task.deep is not None and self.task.deep.about:
            write_json(folder / FORM, dict(self.task.deep.about))
        if self.adapter is not None:
            save_adapter(self.network, self.adapter, folder / "adapter", **given)
        if self.task.documents is not None:
            save_file({"vectors": self._known_documents()}, folder / _DOCUMENTS)


def still(network: Network) -> None:
    """Puts a network into evaluation mode, if it is not: to ask is cheaper than to set."""
    if network.training or network.encoder.training:
        network.eval()


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


def put_on(encoder: Encoder, adapter: Adapter) -> Attached:
    """Puts what a method learned on an encoder.

    Args:
        encoder: The pretrained encoder that it was learned on; changed in place.
        adapter: What was learned.

    Returns:
        What was attached.

    Raises:
        ModelError: If the method is not known here.
    """
    try:
        method = values(tuning, Method)[adapter.method]
        settings = method.settings(**adapter.settings)
    except (KeyError, ValueError, TypeError) as error:
        raise ModelError(f"an adapter of the tuning '{adapter.method}' can't be read: {cause(error)}") from None
    attached = method.attach(encoder, adapter.first_layer, settings)
    attached.take(adapter.tensors)
    attached.fold()
    return attached


def _check_head(network: Network, folder: Path) -> None:
    """Whether a head reads what the encoder gives, and holds numbers."""
    layers = [layer for layer in (network.hidden, network.head) if layer is not None]
    given = network.width // 2 if network.pooling == "ranked" else network.width
    widths = [given, *(layer.out_features for layer in layers[:-1])]
    if [layer.in_features for layer in layers] != widths:
        raise ModelError(f"{folder}: the head reads {layers[0].in_features} numbers, and the network gives {widths[0]}")
    if not all(torch.isfinite(values.detach()).all() for layer in layers for values in layer.parameters()):
        raise ModelError(f"{folder}: the head holds values that are no numbers")


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
    made = EncoderPredictor(load_network(folder), tokenizer, task, labels, tokenizer.max_tokens)
    _check_head(made.network, folder)
    made.adapter = load_adapter(folder)
    if made.adapter is not None and made.adapter.kept:
        put_on(made.network.encoder, made.adapter)
    if (folder / _DOCUMENTS).is_file():
        made.documents_DF = read_arrays(folder / _DOCUMENTS, {"vectors": 2})["vectors"]
        if task.documents is not None:
            wanted = (len(labels), made.network.width // 2)
            check_shapes(folder / _DOCUMENTS, {"vectors": made.documents_DF}, {"vectors": wanted})
    return made


@runtime_checkable
class ReadsTokens(Protocol):
    """A predictor with a tokenizer: a network, whatever runs it."""

    tokenizer: Tokenizer

    def tokens(self, table: Table) -> TokenTable:
        """The tokens that it reads of a table, made once."""


def tokens_read(predictor: Predictor, part: Part) -> Iterator[tuple[int, bool]]:
    """How many tokens a model reads of each row, and whether it cuts something; 0 for a model that reads no tokens.

    Returns:
        One pair a row.
    """
    if not isinstance(predictor, ReadsTokens):
        return repeat((0, False), len(part))
    tokens = predictor.tokens(part.table)
    rows_N = part.rows_N
    return zip(
        np.asarray(tokens.lengths_N)[rows_N].tolist(), np.asarray(tokens.truncated_N)[rows_N].tolist(), strict=True
    )
