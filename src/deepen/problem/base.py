"""What learns it: a pretrained model, how texts go into it, and which of its numbers may change."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import torch
from pydantic import Field

from deepen.core.errors import SettingError
from deepen.core.seed import derive
from deepen.core.settings import Settings
from deepen.models.adapters import Attached, Linears, MethodSettings, OnWriter
from deepen.models.asked import pooling_of
from deepen.models.encoder import Encoder
from deepen.models.generator import Generator
from deepen.models.load import Pretrained
from deepen.models.precision import Precision
from deepen.models.save import shelf
from deepen.problem.task import Form
from deepen.tuning import full


class ModelSettings(Settings):
    """Which pretrained model, and how texts go into it."""

    name: str = "sentence-transformers/all-MiniLM-L6-v2"
    """A folder or a hub id. The default is small, quick on a laptop, and for English. For a task whose answer is text
    `t5:tiny`, `t5:small`, `llama:tiny` and `llama:small` begin with random weights (docs/decisions/0055)."""
    vocabulary: int = Field(default=8000, ge=300)
    """Of a network that begins with random weights: the most tokens that its tokenizer makes of the training rows."""
    max_tokens: int | None = Field(default=None, ge=4)
    """The longest sequence, special tokens included; None takes what the model was made for. Shorter is faster."""
    pooling: Literal["mean", "cls", "last"] | None = None
    """How token vectors become one; None takes the model's own if its folder says, else the task's. Mean is better
    frozen than cls (banking77 0.924 to 0.919); `last` is for decoders, whose last token alone has seen the whole
    text."""
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
    peft: Callable[[Linears, Any], OnWriter] | None = None

    def rate(self, own: float) -> float:
        """The highest rate of what learns in the layers: the tuning's, or the rung's own."""
        return self.settings.learning_rate or own


@dataclass(frozen=True)
class Base:
    """A pretrained model on its device, and what a person chose about it; `precision` is that of training steps."""

    model: Pretrained
    settings: ModelSettings = field(default_factory=ModelSettings)
    tuning: Tuning = field(default_factory=Tuning)
    precision: Precision = "float32"

    def __post_init__(self) -> None:
        """Raises SettingError if the tuning takes more positions than the encoder has."""
        if 2 * self.tuning.settings.positions > self.model.num_positions:
            taken, there = self.tuning.settings.positions, self.model.num_positions
            raise SettingError(
                f"tunings.{self.tuning.name}.num_virtual_tokens is {taken}: the encoder has {there} positions"
            )

    @property
    def scratch(self) -> bool:
        """Whether the model begins with random weights."""
        return isinstance(self.model, Generator) and self.model.scratch

    @property
    def max_tokens(self) -> int:
        """The longest sequence. With vectors that stand before the texts, these have so many positions less."""
        return min(self.settings.max_tokens or 512, self.most_tokens)

    @property
    def most_tokens(self) -> int:
        """The longest sequence that a setting may ask for."""
        return min(self.model.tokenizer.max_tokens, self.model.num_positions - self.tuning.settings.positions)

    @property
    def first_top_layer(self) -> int:
        """The lowest layer that the rung `top_layers` trains: below the top third of them."""
        return self.model.num_layers - max(1, round(self.model.num_layers / 3))

    def read_by(self, form: Form) -> Form:
        """A form with the head that was chosen for it, where one may be chosen."""
        name = self.settings.pooling or pooling_of(self.model.folder)
        return replace(form, head=shelf()[name]) if name and form.head.is_row else form

    def attach(self, encoder: Encoder, first_layer: int, *, seed: int, rung: str) -> Attached:
        """Puts the tuning on the layers from `first_layer` on; what it draws at random comes from the seed."""
        with torch.random.fork_rng():
            torch.manual_seed(derive(seed, "attach", rung))
            return self.tuning.attach(encoder, first_layer, self.tuning.settings)
