"""An encoder with its head as a predictor: the model of every rung above `lexical`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from deepen import tuning
from deepen.core.errors import ModelError
from deepen.core.files import write_json
from deepen.core.foreign import cause
from deepen.core.progress import progress
from deepen.core.shelf import values
from deepen.core.types import Outputs, Sequences
from deepen.data.batches import flat_positions, sorted_batches
from deepen.data.table import Part, Table
from deepen.data.tokens import TokenTable
from deepen.finetuning.hidden_cache import Frozen, batch_inputs
from deepen.generation.writer import load_written
from deepen.models.adapters import Adapter, Attached, Method
from deepen.models.encoder import Encoder
from deepen.models.exits import Exit, answer, load_exits, read, save_exits
from deepen.models.head import Inputs
from deepen.models.network import Network
from deepen.models.save import FORM, load_adapter, load_network, save_adapter, save_network
from deepen.models.tokenizer import Tokenizer, load_tokenizer
from deepen.problem.early import EarlyOutputs
from deepen.problem.reading import decision_offsets, form_tokens
from deepen.problem.task import Form, Task
from deepen.problem.work import Work

_BATCH_TOKENS = 2048


@dataclass
class EncoderPredictor:
    """Runs a network over rows. `frozen` holds what was computed before for its table, so only what is left is run."""

    network: Network
    tokenizer: Tokenizer
    task: Task
    labels: tuple[str, ...]
    max_tokens: int
    form: Form
    num_parameters: int = 0
    adapter: Adapter | None = None
    kept: dict[str, np.ndarray] = field(default_factory=dict)
    exits: tuple[Exit, ...] = ()

    def tokens(self, table: Table) -> TokenTable:
        """The tokens that the network reads of a table, made once."""
        return form_tokens(self.task, self.form, table, self.tokenizer, self.max_tokens)

    @property
    def reads_plainly(self) -> bool:
        """Whether it reads nothing but the inputs, as the task's first form has them."""
        return self.form.encoder is self.task.form.encoder

    def predict(self, part: Part, frozen: Frozen | None = None) -> Outputs:
        """The logits of a part's units.

        Args:
            frozen: Hidden states or features of the part's table, below what this network changed.
        """
        return self.form.answer(self, part, frozen)

    def encode(self, columns: dict[str, list[Any]]) -> Sequences:
        """Named inputs to token sequences."""
        return self.form.encoder(self.tokenizer, self.max_tokens)(columns)

    def logits(self, part: Part, frozen: Frozen | None = None) -> Outputs:
        """What the network says of each of a part's units; at an exit, if it has any, what is sure enough leaves."""
        if self.exits and frozen is None:
            width = self.network.head.out_features
            found = self._run(part, partial(answer, self.network, self.exits), width + 1, None)
            layers_N = found.values_MC[:, width].astype(np.int64)
            return EarlyOutputs(found.values_MC[:, :width], found.offsets_N1, layers_N)
        return self._run(part, self.network, self.network.head.out_features, frozen)

    def features(self, part: Part, frozen: Frozen | None = None) -> np.ndarray:
        """The vector of each of a part's units that the head reads, features_MF."""
        return self._run(part, self.network.features, self.network.width, frozen).values_MC

    def at_layers(self, part: Part, layers: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
        """What a head reads of each unit after each of so many layers, features_MKF, and the network's logits_MC."""
        size, width = self.network.encoder.hidden_size, self.network.head.out_features
        found_MX = self._run(part, partial(read, self.network, layers), len(layers) * size + width, None).values_MC
        return found_MX[:, :-width].reshape(-1, len(layers), size), found_MX[:, -width:]

    @property
    def text_width(self) -> int:
        """How many numbers the vector of one of a row's two texts has."""
        return self.network.width // 2

    def texts(self, part: Part, side: Literal[0, 1], frozen: Frozen | None = None) -> np.ndarray:
        """The vector of each row's first or second text, of a head that compares them."""
        found_ND = self.features(part, frozen)[:, side * self.text_width : (side + 1) * self.text_width]
        if side == 1:
            return found_ND
        with torch.no_grad():
            found = self.network.head(torch.from_numpy(found_ND).to(self.network.device))
            return np.asarray(found.cpu().numpy())

    def _run(self, part: Part, what: Callable[[Inputs], Tensor], width: int, frozen: Frozen | None) -> Outputs:
        still(self.network)
        tokens = frozen.tokens if frozen is not None else self.tokens(part.table)
        shares = self.network.kind.shares
        all_offsets = decision_offsets(tokens, self.network.kind)
        counts = np.asarray(all_offsets[part.rows_N + 1]) - np.asarray(all_offsets[part.rows_N])
        offsets = np.concatenate([[0], np.cumsum(counts)])
        values = np.empty((int(offsets[-1]), width), np.float32)
        lengths = np.asarray(tokens.lengths_N[part.rows_N])
        device = self.network.device
        with progress("predicting", len(part)) as advance, torch.inference_mode():
            for chosen in sorted_batches(lengths, max_tokens=_BATCH_TOKENS):
                inputs = batch_inputs(tokens, part.rows_N[chosen], frozen=frozen, shares=shares)
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
        whole = self.adapter is None or not self.adapter.kept
        save_network(self.network, folder, labels=self.labels, whole=whole, problem=self.task.target.problem, **given)
        if self.form.about:
            write_json(folder / FORM, dict(self.form.about))
        if self.adapter is not None:
            save_adapter(self.network, self.adapter, folder / "adapter", **given)
        save_exits(self.exits, folder)
        self.form.keep(self, folder)


def reader_of(work: Work, network: Network, form: Form | None = None) -> EncoderPredictor:
    """A network of a climb as a predictor; None is the first form of the rows."""
    return EncoderPredictor(
        network,
        work.base.model.tokenizer,
        work.problem.task,
        work.problem.labels,
        work.base.max_tokens,
        form or work.form,
    )


def still(network: Network) -> None:
    """Puts a network into evaluation mode, if it is not: to ask is cheaper than to set."""
    if network.training or network.encoder.training:
        network.eval()


def put_on(encoder: Encoder, adapter: Adapter) -> Attached:
    """Puts what a method learned on an encoder.

    Args:
        encoder: The pretrained encoder that it was learned on; changed in place.

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
    layers = [layer for layer in (network.hidden, network.head) if isinstance(layer, torch.nn.Linear)]
    pooled = network.width if network.kind.states is None else network.kind.width(network.encoder.hidden_size)
    widths = [pooled // network.kind.sides, *(layer.out_features for layer in layers[:-1])]
    if [layer.in_features for layer in layers] != widths:
        raise ModelError(f"{folder}: the head reads {layers[0].in_features} numbers, and the network gives {widths[0]}")
    if not all(torch.isfinite(values.detach()).all() for layer in layers for values in layer.parameters()):
        raise ModelError(f"{folder}: the head holds values that are no numbers")


Load = Callable[[Path, Task, tuple[str, ...]], Any]


def reader_or_writer(load: Load) -> Load:
    """Reads a rung's model: by `load`, or one that writes where the task's answer is text."""
    return lambda folder, task, labels: (load if task.writes is None else load_written)(folder, task, labels)


def load_predictor(folder: Path, task: Task, labels: tuple[str, ...]) -> EncoderPredictor:
    """Reads the model folder of a rung that reads rows in the task's first form."""
    return load_reader(folder, task, labels, task.form)


def load_reader(folder: Path, task: Task, labels: tuple[str, ...], form: Form) -> EncoderPredictor:
    """Reads the model folder of a rung.

    Args:
        folder: A model folder that `save` wrote.
    """
    tokenizer = load_tokenizer(folder)
    made = EncoderPredictor(load_network(folder, form.head), tokenizer, task, labels, tokenizer.max_tokens, form)
    _check_head(made.network, folder)
    made.adapter = load_adapter(folder)
    if made.adapter is not None and made.adapter.kept:
        put_on(made.network.encoder, made.adapter)
    made.exits = load_exits(folder, made.network)
    made.form.reopen(made, folder)
    return made
