"""A trained rung: a depth (how many layers from the top) times a method (which of their numbers change).

Shape legend: N training rows, M units of a batch, C outputs.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from pydantic import Field
from torch import nn

from deepen.core.progress import progress
from deepen.core.seed import derive
from deepen.core.types import LossSum, Outputs
from deepen.data.batches import flat_positions, shuffled_batches
from deepen.data.tokens import TokenTable
from deepen.models.heads import Inputs, Network, Pooling, ranked_head, width_of
from deepen.models.save import load_network
from deepen.training.cache import Frozen, batch_inputs, frozen_pass
from deepen.training.easy import draw, easy_rows
from deepen.training.loop import ENOUGH, Backward, Plan, Progress, fit
from deepen.training.optimizer import OptimizerSettings, parameter_groups
from deepen.training.predictor import EncoderPredictor
from deepen.training.scale import Scale, scale_of
from deepen.training.work import Climbed, Dynamics, Work
from deepen.tuning import full

_VISITED_ROWS = 6400  # with fewer training rows, each is visited more than once
_MOST_VISITS = 10
_VISITS_IN_ROUNDS, _LONG_VISIT_TOKENS = 3, 200_000
_FEW_ROWS = 4000
_FIRST_ROWS = 64  # their features say how large the head may be
_RANKED_ROWS = 64  # the other documents of a batch are what a document is told from


class TrainedSettings(OptimizerSettings):
    """How a rung is trained."""

    num_epochs: int | None = Field(default=None, ge=1)
    """How often every training row is visited. None is once, since each rung starts where the one below ended; fewer
    than 6,400 rows are visited more often, up to ten times, so that about as many go by (docs/decisions/0005)."""
    batch_rows: int | None = Field(default=None, ge=1)
    """Rows of one optimizer step, on average; None is 16, or 8 with fewer than 4,000 rows. More and smaller steps learn
    more from a visit, and a few hundred tokens already keep a CPU busy."""
    batch_tokens: int | None = None
    """Tokens of one optimizer step, in place of `batch_rows`; a text that is longer is a step of its own."""
    micro_batch_tokens: int = 4096
    """The most tokens that go through the network at once; a larger batch is cut. Bounds memory."""
    dropout: float | None = 0.0
    """Dropout while training; None takes the network's own. In two or three visits it only slows learning (LOG.md)."""
    embeddings: bool = False
    """Whether word vectors learn too, when all layers do. They are half of a small encoder's numbers, a batch touches
    few of them, and scores don't gain by it (LOG.md)."""
    evaluations_per_epoch: int = Field(default=1, ge=0)
    """How often validation is scored within an epoch; 0 is never, and then the last weights are kept."""
    patience: int = 3
    """Evaluations without a better score after which the rung stops; 0 never stops."""
    label_smoothing: float = 0.0
    """The share of probability spread over all labels in the training target."""
    easy_share: float = Field(default=1.0, gt=0, le=1)
    """How many of the rows that the rung below has surely right are visited, drawn anew each time; they count for as
    much more, so that the expected objective stays what it is."""
    easy_from: float = Field(default=0.5, ge=0, le=1)
    """With a smaller share of such rows all are visited: there is little to save, and it costs points (LOG.md)."""
    rounds: int = Field(default=1, ge=1)
    """How often the whole schedule may be gone through where it is one visit, each time from where it ended."""
    visit_worth: float = Field(default=5.0, ge=0)
    """Where `num_epochs` comes to two or three visits of 200,000 tokens or more: points that one must have gained for
    the next to follow. Each then has a schedule of its own. Short visits are made anyway: they cost little."""
    round_worth: float = Field(default=10.0, ge=0)
    """Points of the validation score that a round must have gained for another to follow: what learned so much was far
    from its end."""
    head_reach: float = 32.0
    """The largest logit the head may reach at the start: norm of its weights times norm of the features. A steeper head
    is scaled down: solved on frozen features it is so steep that a small movement of the encoder throws its logits
    about, and training from it as it is ends points lower (LOG.md). 0 leaves it as it is."""
    max_steps: int | None = None
    """Stop after this many steps, with the schedule of the whole: how a recipe repeats a run that was cut short."""

    def visits(self, num_rows: int) -> int:
        """How often every training row is visited: `num_epochs`, or what None stands for with so many rows."""
        return self.num_epochs or min(max(1, round(_VISITED_ROWS / max(1, num_rows))), _MOST_VISITS)

    def rounds_of(self, lengths_N: np.ndarray) -> tuple[int, int, float]:
        """Visits of one schedule, how often it may be gone through, and the points a round must gain for the next.

        Once if it has many visits, or if nothing tells their gain; two or three long visits are rounds of their own.

        Args:
            lengths_N: Tokens of each training row.
        """
        visits = self.visits(len(lengths_N))
        if self.evaluations_per_epoch == 0 and self.max_steps is None:
            return visits, 1, 0.0
        long = float(lengths_N.sum()) >= _LONG_VISIT_TOKENS
        if self.num_epochs is None and 1 < visits <= _VISITS_IN_ROUNDS and long:
            return 1, visits, self.visit_worth
        return visits, self.rounds if visits == 1 else 1, self.round_worth

    def step_tokens(self, lengths_N: np.ndarray) -> int:
        """Tokens of one optimizer step.

        Args:
            lengths_N: Tokens of each training row.

        Returns:
            `batch_tokens`, or as many as `batch_rows` rows have on average.
        """
        rows = self.batch_rows or (8 if len(lengths_N) < _FEW_ROWS else 16)
        return self.batch_tokens or max(1, round(rows * float(lengths_N.mean() if len(lengths_N) else 1)))


@dataclass
class _Batch:
    """A micro-batch: places in the training part and the labels of their units."""

    places_B: np.ndarray
    inputs: Inputs
    labels_M: torch.Tensor


def climb_trained(
    work: Work,
    *,
    name: str,
    depth: int,
    settings: TrainedSettings,
    below: Path | None,
    pooling: Pooling | None = None,
) -> Climbed:
    """Trains the top `depth` layers, starting from the model of the rung below.

    Args:
        work: The climb.
        name: The rung's name; its checkpoint lies in its folder.
        depth: How many layers from the top learn.
        settings: Steps, rates and stopping.
        below: The model folder to start from; None starts from the pretrained encoder with a head of zeros.
        pooling: The form of the rows for a fresh start; None is the first.

    Returns:
        The trained rung; on the way it leaves checkpoints and goes on from one if there is one.
    """
    from accelerate import Accelerator

    if work.task.documents is not None and settings.batch_rows is settings.batch_tokens is None:
        settings = settings.model_copy(update={"batch_rows": _RANKED_ROWS})
    network = load_network(below) if below else _fresh(work, pooling or work.pooling)
    first = network.encoder.num_layers - depth
    full.attach(network.encoder, first, embeddings=settings.embeddings)
    network.encoder.dropout = settings.dropout
    frozen = frozen_pass(work, work.train.table, cut=first) if first > 0 else None
    tokens = frozen.tokens if frozen else work.tokens(work.train.table, network.pooling)
    same = work.validation.table is work.train.table
    held = frozen if same else (frozen_pass(work, work.validation.table, cut=first) if first > 0 else None)
    predictor = EncoderPredictor(network, work.model.tokenizer, work.task, work.labels, work.max_tokens)
    scale = scale_of(work.train_targets)
    scale.enter(network.head)
    easy_N = easy_rows(work, below if settings.easy_share < 1 else None)
    easy_N &= easy_N.mean() >= settings.easy_from
    feed = _Feed(work, tokens, frozen, settings, scale, easy_N, network.pooling)
    if work.model_settings.head == "mlp" and network.hidden is None:
        network.bend(feed.get(np.arange(min(_FIRST_ROWS, len(work.train)))).inputs)
    _flatten_head(network, feed, settings.head_reach)
    accelerator = Accelerator()
    network.to(accelerator.device)
    dynamics = Dynamics(*(np.full((feed.num_epochs, len(work.train)), np.nan, np.float32) for _ in range(2)))
    plan = _plan(work, feed, network, settings, dynamics)
    best = _Best(work, lambda: predictor.predict(work.validation, held))
    plan = _watched(plan, work, name, best, settings.evaluations_per_epoch, settings.patience)
    title = f"{name}: {plan.round_ends[0]} steps"
    with progress(title, plan.round_ends[0], unit="steps") as advance:
        plan = replace(plan, after_step=(lambda now: advance(), _deadline(work)))
        groups = parameter_groups(network, _depths(network), settings, network.head)
        now = fit(network, groups, plan, settings, accelerator)
    network.cpu().eval()
    scale.leave(network.head)
    predictor.num_parameters = sum(p.numel() for p in network.parameters() if p.requires_grad)
    return Climbed(
        predictor=predictor,
        validation=scale.whole(best.outputs) if best.outputs else predictor.predict(work.validation, held),
        num_trained_parameters=predictor.num_parameters,
        ran={"max_steps": now.step} if now.step < now.num_steps and now.stop != ENOUGH else {},
        won={
            "max_steps": now.best_step or now.step,
            "num_epochs": feed.num_visits,
            "rounds": feed.num_epochs // feed.num_visits,
            "batch_tokens": feed.batch_tokens,
            "evaluations_per_epoch": 0,
        },
        reason="" if now.stop == ENOUGH else now.stop,
        stopped=bool(now.stop) and now.stop != ENOUGH and not now.stop.startswith("no better"),
        dynamics=Dynamics(*(values[: _epochs_seen(dynamics)] for values in (dynamics.margins_EN, dynamics.losses_EN))),
        curve=tuple(now.curve),
    )


def _fresh(work: Work, pooling: Pooling) -> Network:
    encoder = work.model.encoder()
    if pooling == "ranked":
        return Network(encoder, ranked_head(encoder.hidden_size), pooling)
    head = nn.Linear(width_of(pooling, encoder.hidden_size), work.num_outputs)
    nn.init.zeros_(head.weight)
    nn.init.zeros_(head.bias)
    return Network(encoder, head, pooling)


def _flatten_head(network: Network, feed: _Feed, reach: float) -> None:
    """Scales the head down to `reach`, judged by the features of the first training rows."""
    if reach <= 0:
        return
    few = np.arange(min(_FIRST_ROWS, len(feed.lengths_N)))
    with torch.no_grad():
        norm = network.eval().features(feed.get(few).inputs).norm(dim=-1).median()
        now = network.head.weight.norm(dim=-1).mean() * norm
        if now > reach:
            network.head.weight.mul_(reach / now)
            network.head.bias.mul_(reach / now)


def _deadline(work: Work) -> Callable[[Progress], None]:
    def watch(now: Progress) -> None:
        if work.deadline is not None and time.monotonic() > work.deadline and now.step < now.num_steps:
            now.stop = f"the budget ended after {now.step} of {now.num_steps} steps"

    return watch


def _epochs_seen(dynamics: Dynamics) -> int:
    return int((~np.isnan(dynamics.losses_EN)).any(axis=1).sum())


def _depths(network: Network) -> dict[int, int]:
    depths: dict[int, int] = {}
    for distance, layer in enumerate(reversed(network.encoder.layers)):
        depths |= {id(p): distance for p in layer.parameters()}
    for parameter in network.encoder.network.get_submodule("embeddings").parameters():
        depths[id(parameter)] = network.encoder.num_layers
    return depths


class _Feed:
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

    def epoch(self, epoch: int, name: str) -> list[list[np.ndarray]]:
        """An epoch's batches, each cut into micro-batches of places in the training part."""
        seed = derive(self.work.seed, name, epoch)
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

    def get(self, places: np.ndarray) -> _Batch:
        """The micro-batch itself."""
        rows = self.work.train.rows_N[places]
        inputs = batch_inputs(self.tokens, rows, frozen=self.frozen, pooling=self.pooling)
        return _Batch(places, inputs, torch.from_numpy(self._labels(places)))


def _plan(work: Work, feed: _Feed, network: Network, settings: TrainedSettings, dynamics: Dynamics) -> Plan:
    current = {"epoch": 0}
    owners = np.diff(work.train_targets.offsets_N1)

    def step(places: np.ndarray, backward: Backward) -> dict[str, LossSum]:
        batch = feed.get(places)
        device = network.head.weight.device
        labels_M = batch.labels_M.to(device)
        logits_MC = network(batch.inputs.to(device))
        losses_M = work.task.losses(logits_MC, labels_M)
        objective_M = losses_M
        if settings.label_smoothing and logits_MC.shape[1] > 1 and labels_M.ndim == 1:
            spread_M = -nn.functional.log_softmax(logits_MC, -1).mean(-1) * (labels_M >= 0)
            objective_M = (1 - settings.label_smoothing) * losses_M + settings.label_smoothing * spread_M
        if settings.easy_share < 1:
            objective_M = objective_M * torch.from_numpy(feed.weights_of(places)).to(device)
        backward(objective_M.sum())
        with torch.no_grad():
            epoch = current["epoch"]
            counts = owners[places]
            dynamics.losses_EN[epoch, places] = _by_example(losses_M.float().cpu().numpy(), counts)
            margins_M = work.task.margins(logits_MC.float(), labels_M).cpu().numpy()
            dynamics.margins_EN[epoch, places] = _by_example(margins_M, counts)
        return {"loss": LossSum(losses_M.detach().sum(), feed.count(places))}

    def batches(epoch: int) -> list[list[np.ndarray]]:
        current["epoch"] = epoch
        return feed.epoch(epoch, "batches")

    ends = np.cumsum([len(feed.epoch(epoch, "batches")) for epoch in range(feed.num_epochs)])
    return Plan(
        batches=batches,
        count=feed.count,
        step=step,
        num_epochs=feed.num_epochs,
        num_steps=int(ends[-1]),
        max_steps=settings.max_steps,
        round_ends=ends[feed.num_visits - 1 :: feed.num_visits].tolist(),
        began_score=work.reached,
        round_worth=feed.worth / 100,
        arrays={"margins": dynamics.margins_EN, "losses": dynamics.losses_EN},
        seed=work.seed,
    )


def _by_example(values_M: np.ndarray, counts_B: np.ndarray) -> np.ndarray:
    """The mean over each example's units."""
    if len(values_M) == len(counts_B):
        return values_M
    starts = np.cumsum(counts_B) - counts_B
    return np.add.reduceat(values_M, starts) / np.maximum(counts_B, 1)


class _Best:
    """Scores the validation rows and keeps the outputs of the best score, which the rung is judged by.

    They are in `arrays`, which a checkpoint saves: after an interruption they still belong to the best weights.
    """

    def __init__(self, work: Work, predict: Callable[[], Outputs]) -> None:
        self.work, self.predict = work, predict
        num_outputs = work.num_outputs
        if work.task.documents is not None:
            num_outputs = len(work.task.documents(work.validation, work.labels).texts)
        shape = (len(work.validation_targets.labels_M), num_outputs)
        self.arrays = {"best_score": np.full(1, -np.inf), "best_outputs": np.zeros(shape, np.float32)}

    @property
    def outputs(self) -> Outputs | None:
        """The outputs of the best weights; None if they were never scored."""
        if self.arrays["best_score"][0] == -np.inf:
            return None
        return Outputs(self.arrays["best_outputs"], self.work.validation_targets.offsets_N1)

    def evaluate(self) -> float:
        """The score now."""
        outputs = self.predict()
        score = self.work.task.score(outputs, self.work.validation_targets)
        if score > self.arrays["best_score"][0]:
            self.arrays["best_score"][0], self.arrays["best_outputs"][...] = score, outputs.values_MC
        return score


def _watched(plan: Plan, work: Work, name: str, best: _Best, per_epoch: int, patience: int) -> Plan:
    evaluations = plan.num_epochs * max(1, per_epoch)
    return replace(
        plan,
        evaluate=best.evaluate if per_epoch else None,
        arrays=plan.arrays | best.arrays,
        evaluate_every=max(1, -(-plan.num_steps // evaluations)),
        patience=patience,
        checkpoint=work.rung_folder(name) / "checkpoint",
    )
