"""How a trained rung is trained: how many epochs there are, in which batches, and when it stops.

Shape legend: N training rows.
"""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from deepen.core.settings import Settings
from deepen.training.optimizer import OptimizerSettings

_EXAMPLES_SEEN = 6400  # with fewer training rows, there is more than one epoch
_MOST_EPOCHS = 10
_EPOCHS_IN_ROUNDS, _LONG_EPOCH_TOKENS = 3, 200_000
_FEW_ROWS = 4000
_SHALLOW = 6  # layers


def rate_for(rate: float, num_layers: int) -> float:
    """What a learning rate that six layers bear comes to in a deeper encoder: less by the square.

    Example:
        >>> rate_for(2e-4, 6), rate_for(2e-4, 12), rate_for(2e-4, 3)
        (0.0002, 5e-05, 0.0002)
    """
    return rate * min(1.0, (_SHALLOW / num_layers) ** 2)


class ScratchSettings(Settings):
    """How a network that writes is trained from random weights, where the rung's own settings name nothing else."""

    optimizer: Literal["adamw", "adafactor", "sgd"] = "adafactor"
    """This one steps in proportion to the weights, as suits T5, whose word vectors begin many times as large as what is
    in its layers (docs/decisions/0055)."""
    learning_rate: float = Field(default=2e-2, gt=0)
    """The highest rate, of that optimizer."""
    num_epochs: int = Field(default=40, ge=1)
    """Epochs; with a budget so many of them as there is time for, and with `patience` no more than help."""
    batch_tokens: int = Field(default=2000, ge=1)
    """Tokens of one optimizer step, sources and answers together."""
    dropout: float = Field(default=0.1, ge=0, lt=1)
    """Dropout while training."""
    label_smoothing: float = Field(default=0.1, ge=0, lt=1)
    """The share of probability spread over all tokens in the training target."""


class TrainedSettings(OptimizerSettings):
    """How a rung is trained."""

    earlier: ClassVar = {
        "head_reach": "max_initial_logit",
        "visit_worth": "min_epoch_gain",
        "round_worth": "min_round_gain",
    }
    usual_rate: ClassVar[float] = 1e-4
    """The highest rate of an encoder of up to six layers; a deeper one learns at less (`rate_for`)."""

    learning_rate: float | None = Field(default=None, gt=0)
    """The highest rate, per step; None is the usual one of such a rung for so many layers (docs/decisions/0005)."""
    num_epochs: int | None = Field(default=None, ge=1)
    """Epochs. None is one, since each rung starts where the one below ended; with fewer than 6,400 training examples
    it is more, up to ten, so that about as many examples are seen (docs/decisions/0005)."""
    batch_rows: int | None = Field(default=None, ge=1)
    """Rows of one optimizer step, on average; None is 16, or 8 with fewer than 4,000 rows. More and smaller steps learn
    more from an epoch, and a few hundred tokens already keep a CPU busy."""
    batch_tokens: int | None = None
    """Tokens of one optimizer step, in place of `batch_rows`; a text that is longer is a step of its own."""
    micro_batch_tokens: int = 4096
    """The most tokens that go through the network at once; a larger batch is cut. Bounds memory."""
    dropout: float | None = 0.0
    """Dropout while training; None takes the network's own. In two or three epochs it only slows learning (LOG.md)."""
    embeddings: bool = False
    """Whether word vectors learn too, when all layers do. They are half of a small encoder's numbers, a batch touches
    few of them, and scores don't gain by it (LOG.md)."""
    evaluations_per_epoch: int = Field(default=1, ge=0)
    """How often validation is scored within an epoch; 0 is never, and then the last weights are kept."""
    patience: int = 3
    """Evaluations without a better score after which the rung stops; 0 never stops."""
    label_smoothing: float = 0.0
    """The share of probability spread over all labels, or tokens of an answer, in the training target."""
    focal: float = Field(default=0.0, ge=0)
    """Gamma of the focal loss, usually 2: what is right already counts less. For rare labels, beside
    `ladder.class_weights`; 0 is the plain log loss."""
    r_drop: float = Field(default=0.0, ge=0)
    """What it costs that two passes with other dropout differ (R-Drop), usually 1 to 5; a step takes twice the time.
    Wants `dropout` above 0."""
    fgm: float = Field(default=0.0, ge=0)
    """How far a step's rows are moved to where their loss grows, as a share of the vectors' norm, to be learned once
    more (the fast gradient method), such as 0.03; a step takes twice the time."""
    l2_to_start: float = Field(default=0.0, ge=0)
    """How strongly the encoder's weights are pulled back to where the rung started (L2-SP), such as 0.01."""
    average_last: float = Field(default=0.0, ge=0, le=1)
    """The share of a schedule's last steps whose weights are averaged before its end is judged; 0 takes the last."""
    activation_checkpointing: bool = False
    """Keep only what goes into each layer and compute the rest again in the backward pass: a third more time, for a
    fraction of the memory."""
    rounds: int = Field(default=1, ge=1)
    """How often the whole schedule may be gone through where it is one epoch, each time from where it ended."""
    min_epoch_gain: float = Field(default=5.0, ge=0)
    """Where `num_epochs` comes to two or three epochs of 200,000 tokens or more: points that one must have gained for
    the next to follow. Each then has a schedule of its own. Short epochs are made anyway: they cost little."""
    min_round_gain: float = Field(default=10.0, ge=0)
    """Points of the validation score that a round must have gained for another to follow: what learned so much was far
    from its end."""
    max_initial_logit: float = 32.0
    """The largest logit the head may reach at the start: norm of its weights times norm of the features. A steeper head
    is scaled down: solved on frozen features it is so steep that a small movement of the encoder throws its logits
    about, and training from it as it is ends points lower (LOG.md). 0 leaves it as it is."""
    max_steps: int | None = None
    """Stop after this many steps, with the schedule of the whole: how a recipe repeats a run that was cut short. The
    second training, where unlabelled rows help, has its own: `self_training.steps`."""

    def rate(self, num_layers: int, *, tags: bool = False) -> float:
        """The highest rate for an encoder of so many layers: `learning_rate`, or what None stands for.

        Args:
            tags: Whether each word has a label: a step sees some hundred of them, and bears the usual rate.
        """
        return self.learning_rate or (self.usual_rate if tags else rate_for(self.usual_rate, num_layers))

    def epochs(self, num_rows: int) -> int:
        """Epochs: `num_epochs`, or what None stands for with so many rows."""
        return self.num_epochs or min(max(1, round(_EXAMPLES_SEEN / max(1, num_rows))), _MOST_EPOCHS)

    def rounds_of(self, lengths_N: np.ndarray) -> tuple[int, int, float]:
        """Visits of one schedule, how often it may be gone through, and the points a round must gain for the next.

        Once if it has many epochs, or if nothing tells their gain; two or three long epochs are rounds of their own.

        Args:
            lengths_N: Tokens of each training row.
        """
        epochs = self.epochs(len(lengths_N))
        if self.evaluations_per_epoch == 0 and self.max_steps is None:
            return epochs, 1, 0.0
        long = float(lengths_N.sum()) >= _LONG_EPOCH_TOKENS
        if self.num_epochs is None and 1 < epochs <= _EPOCHS_IN_ROUNDS and long:
            return 1, epochs, self.min_epoch_gain
        return epochs, self.rounds if epochs == 1 else 1, self.min_round_gain

    def step_tokens(self, lengths_N: np.ndarray) -> int:
        """Tokens of one optimizer step.

        Args:
            lengths_N: Tokens of each training row.

        Returns:
            `batch_tokens`, or as many as `batch_rows` rows have on average.
        """
        rows = self.batch_rows or (8 if len(lengths_N) < _FEW_ROWS else 16)
        return self.batch_tokens or max(1, round(rows * float(lengths_N.mean() if len(lengths_N) else 1)))
