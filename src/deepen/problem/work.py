"""What every rung is handed, and what it hands back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from pydantic import Field

from deepen.core.errors import SettingError
from deepen.core.seed import derive
from deepen.core.settings import Settings
from deepen.core.types import Outputs, Targets
from deepen.data.table import Part, Table
from deepen.data.tokens import TokenTable, tokenise
from deepen.data.words import mostly_chinese
from deepen.models.adapters import Attached, MethodSettings
from deepen.models.encoder import Encoder
from deepen.models.load import Pretrained
from deepen.models.save import shelf
from deepen.models.tokenizer import Tokenizer
from deepen.problem.task import Form, Predictor, Task
from deepen.tuning import full

_LANGUAGE_ROWS = 200


class ModelSettings(Settings):
    """Which pretrained model, and how texts go into it."""

    name: str = "sentence-transformers/all-MiniLM-L6-v2"
    """A folder or a hub id. The default is small, quick on a laptop, and for English."""
    max_tokens: int | None = Field(default=None, ge=4)
    """The longest sequence, special tokens included; None takes what the model was made for. Shorter is faster."""
    pooling: Literal["mean", "cls", "last"] | None = None
    """How token vectors become one; None takes the task's own. Mean is better frozen than cls (banking77 0.924 to
    0.919); `last` is for decoders, whose last token alone has seen the whole text."""
    head: Literal["linear", "mlp"] = "linear"
    """What the trained rungs put on it: a linear layer, or a hidden layer with tanh below that. The hidden layer starts
    as one that changes nothing, so a rung still starts where the one below ended. Not for words: tagging, span_qa."""
    cache_dtype: Literal["auto", "float32", "float16"] = "auto"
    """How hidden states are kept; auto is float32 up to 4 GB of them, then float16."""


@dataclass(frozen=True)
class Tuning:
    """Which numbers of the trained layers change: a method with its settings."""

    name: str = "full"
    settings: MethodSettings = field(default_factory=full.TuningSettings)
    attach: Callable[[Encoder, int, Any], Attached] = full.attach

    def rate(self, own: float) -> float:
        """The highest rate of what learns in the layers: the tuning's, or the rung's own."""
        return self.settings.learning_rate or own


def form_tokens(task: Task, form: Form, table: Table, tokenizer: Tokenizer, max_tokens: int) -> TokenTable:
    """The tokens of a table in a form of a task, made once."""
    second = ("deep", *form.about.items()) if form.encoder is not task.form.encoder else ()
    chosen = task.settings.model_dump(exclude_defaults=True) if task.settings is not None else {}
    key = (tokenizer.fingerprint, max_tokens, task.name, *second, *([chosen] if chosen else []))
    return tokenise(table, form.encoder(tokenizer, max_tokens), key=key)


@dataclass(frozen=True)
class Work:
    """One climb: the task, the rows and the model. Rungs read it and never change it.

    `say` prints a line for the user; `deadline` is the moment (`time.monotonic`) at which the budget is spent;
    `reached` is the validation score of the encoder below, None where there is none; `descriptions` say of some labels
    what they mean; `weights_C` is how much a row of each label counts, None where all count the same.
    """

    task: Task
    labels: tuple[str, ...]
    train: Part
    validation: Part
    model: Pretrained
    model_settings: ModelSettings
    folder: Path
    seed: int
    say: Callable[[str], None]
    deadline: float | None = None
    reached: float | None = None
    tuning: Tuning = field(default_factory=Tuning)
    descriptions: Mapping[str, str] = field(default_factory=dict)
    weights_C: np.ndarray | None = None

    def __post_init__(self) -> None:
        """Raises SettingError if head or encoder have no place for what was set."""
        if self.model_settings.head == "mlp" and not self.form.head.bends:
            raise SettingError(f"model.head=mlp: the head of {self.task.name} can't have a hidden layer")
        if 2 * self.tuning.settings.positions > self.model.num_positions:
            taken, there = self.tuning.settings.positions, self.model.num_positions
            raise SettingError(f"tunings.{self.tuning.name}.num_vectors is {taken}: the encoder has {there} positions")

    @property
    def num_outputs(self) -> int:
        """C: how many logits a unit has."""
        return len(self.labels)

    @property
    def max_tokens(self) -> int:
        """The longest sequence. With vectors that stand before the texts, these have so many positions less."""
        left = self.model.num_positions - self.tuning.settings.positions
        return min(self.model_settings.max_tokens or 512, self.model.tokenizer.max_tokens, left)

    @property
    def first_top_layer(self) -> int:
        """The lowest layer that the rung `top_layers` trains: below the top third of them."""
        return self.model.num_layers - max(1, round(self.model.num_layers / 3))

    @property
    def form(self) -> Form:
        """How rows are read."""
        return self._chosen(self.task.form)

    @property
    def deep_form(self) -> Form:
        """How they are read in the rung `full`."""
        return self._chosen(self.task.deep or self.task.form)

    def _chosen(self, form: Form) -> Form:
        name = self.model_settings.pooling
        return replace(form, head=shelf()[name]) if name and form.head.is_row else form

    @cached_property
    def train_targets(self) -> Targets:
        """What is right for the training rows."""
        return self.task.targets(self.train, self.labels)

    @cached_property
    def validation_targets(self) -> Targets:
        """What is right for the validation rows."""
        return self.task.targets(self.validation, self.labels)

    @cached_property
    def language(self) -> Literal["en", "zh"]:
        """What most of the first training texts are written in: Chinese, or what words are told apart by spaces in."""
        some = self.train.take(np.arange(min(_LANGUAGE_ROWS, len(self.train))))
        return "zh" if mostly_chinese(map(str, some.values(self.train.table.inputs[0]))) else "en"

    def tokens(self, table: Table, form: Form | None = None) -> TokenTable:
        """The tokens of a table, made once, in a form; None is the first form."""
        return form_tokens(self.task, form or self.form, table, self.model.tokenizer, self.max_tokens)

    def attach(self, encoder: Encoder, first_layer: int, rung: str) -> Attached:
        """Puts the tuning on the layers from `first_layer` on; what it draws at random comes from the seed."""
        with torch.random.fork_rng():
            torch.manual_seed(derive(self.seed, "attach", rung))
            return self.tuning.attach(encoder, first_layer, self.tuning.settings)

    def rung_folder(self, name: str) -> Path:
        """Where a rung keeps its files."""
        return self.folder / "rungs" / name


@dataclass(frozen=True)
class Dynamics:
    """Margin and loss of every training example in every epoch, as diagnosis reads them. E epochs, N examples."""

    margins_EN: np.ndarray
    losses_EN: np.ndarray


@dataclass(frozen=True)
class Climbed:
    """A rung that has been climbed.

    Attributes:
        predictor: The model.
        validation: Its outputs on the validation rows, not calibrated.
        num_trained_parameters: How many numbers were learned.
        ran: What really ran, to be written into the recipe so that it can be repeated.
        won: What was chosen by the validation rows, as settings that choose it without them.
        reason: A sentence for the table.
        stopped: Whether it ended before its planned end.
        before: Outputs of the untouched encoder, where the rung made them.
        dynamics: Per-example training records, where there are any.
        curve: Rows for metrics.jsonl: step, name, value, seconds.
        fitted: The score on training rows, where they are so many that it says how much is left to learn from them.
    """

    predictor: Predictor
    validation: Outputs
    num_trained_parameters: int
    ran: dict[str, Any] = field(default_factory=dict)
    won: dict[str, Any] = field(default_factory=dict)
    reason: str = ""
    stopped: bool = False
    before: Outputs | None = None
    dynamics: Dynamics | None = None
    curve: tuple[dict[str, Any], ...] = ()
    fitted: float | None = None
