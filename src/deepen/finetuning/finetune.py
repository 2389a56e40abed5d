"""A trained rung: a depth (how many layers from the top) times a method (which of their numbers change).

Shape legend: N training rows, M units of a batch, C outputs.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from deepen.core.errors import SettingError
from deepen.core.progress import progress
from deepen.core.types import LossSum, Outputs
from deepen.finetuning.adversary import entered, moved
from deepen.finetuning.anchor import Anchor
from deepen.finetuning.average import Average
from deepen.finetuning.batches import Feed
from deepen.finetuning.hidden_cache import frozen_pass
from deepen.finetuning.memory import tell_of_memory
from deepen.finetuning.objective import Objective, divergence
from deepen.finetuning.predictor import reader_of
from deepen.finetuning.settings import TrainedSettings
from deepen.models.adapters import Attached
from deepen.models.network import Network, fresh_network
from deepen.models.precision import multiplying_in
from deepen.models.save import load_adapter, load_network
from deepen.problem.base import Base
from deepen.problem.climbed import Climbed, Dynamics
from deepen.problem.context import Context
from deepen.problem.task import Form
from deepen.problem.work import Work
from deepen.training.loop import ENOUGH, Backward, Plan, Progress, fit
from deepen.training.optimizer import parameter_groups

_FIRST_ROWS = 64  # their features say how large the head may be


def climb_trained(
    work: Work,
    *,
    name: str,
    depth: int,
    settings: TrainedSettings,
    below: Path | None,
    form: Form | None = None,
    start: Network | None = None,
) -> Climbed:
    """Trains the top `depth` layers, starting from the model of the rung below.

    Args:
        name: The rung's name; its checkpoint lies in its folder.
        depth: How many layers from the top learn.
        below: The model folder to start from; None starts from the pretrained encoder.
        form: How rows are read; None is the first form, in which the model below reads them.
        start: A network on the pretrained encoder to start from in place of `below`.

    Returns:
        The trained rung; on the way it leaves checkpoints and goes on from one if there is one.
    """
    from accelerate import Accelerator

    problem, tuning, form = work.problem, work.base.tuning, form or work.form
    if settings.batch_rows is settings.batch_tokens is None:
        settings = settings.model_copy(update={"batch_rows": form.head.batch_rows})
    network = start or _from(work, form, below)
    first = network.encoder.num_layers - depth
    attached = _attach(work, network, first, below, name)
    _set(network, settings, words=first == 0)
    frozen = frozen_pass(work, problem.train.table, cut=first) if first > 0 else None
    tokens = frozen.tokens if frozen else work.tokens(problem.train.table, form)
    same = problem.validation.table is problem.train.table
    held = frozen if same else (frozen_pass(work, problem.validation.table, cut=first) if first > 0 else None)
    predictor, scale = reader_of(work, network, form), problem.task.target.scale(problem.train_targets)
    scale.enter(network.head)
    feed = Feed(work, tokens, frozen, settings, scale, network.kind)
    _start_head(work.base, network, feed, settings.max_initial_logit)
    dynamics = Dynamics(*(np.full((feed.num_epochs, len(problem.train)), np.nan, np.float32) for _ in range(2)))
    plan = _bent(_plan(work, feed, network, settings, dynamics, attached.penalty), network, settings)
    best = _Best(work, lambda: predictor.predict(problem.validation, held))
    plan = _watched(plan, work, name, best, settings.evaluations_per_epoch, settings.patience)
    tell_of_memory(network, feed, name=name, say=work.context.say)
    learning = multiplying_in(work.base.precision, network.encoder)
    with progress(f"{name}: {plan.round_ends[0]} steps", plan.round_ends[0], unit="steps") as advance, learning:
        hooks = (*plan.after_step, lambda now: advance(), deadline(work.context))
        plan = replace(plan, after_step=hooks, after_update=attached.after_update)
        now = fit(network, _groups(work.base, network, settings), plan, settings, Accelerator(device_placement=False))
    network.eval()
    scale.leave(network.head)
    predictor.num_parameters = sum(p.numel() for p in network.parameters() if p.requires_grad)
    if tuning.name != "full":
        predictor.adapter = attached.adapter(tuning.name, str(work.base.model.name), first, tuning.settings)
        attached.merge()
    return Climbed(
        predictor=predictor,
        validation=scale.whole(best.outputs) if best.outputs else predictor.predict(problem.validation, held),
        num_trained_parameters=predictor.num_parameters,
        ran=_ran(now, feed),
        won={
            "max_steps": now.best_step or now.step,
            "num_epochs": feed.round_epochs,
            "rounds": feed.num_epochs // feed.round_epochs,
            "batch_tokens": feed.batch_tokens,
            "evaluations_per_epoch": 0,
        },
        reason="" if now.stop == ENOUGH else now.stop,
        stopped=bool(now.stop) and now.stop != ENOUGH and not now.stop.startswith("no better"),
        dynamics=Dynamics(*(values[: _epochs_seen(dynamics)] for values in (dynamics.margins_EN, dynamics.losses_EN))),
        curve=tuple(now.curve),
    )


def _from(work: Work, form: Form, below: Path | None) -> Network:
    """The network of the rung below, or the pretrained encoder with a head that says nothing."""
    if below is not None:
        return load_network(below, form.head)
    return fresh_network(work.base.model.encoder(), form.head, work.problem.num_outputs)


def _attach(work: Work, network: Network, first: int, below: Path | None, name: str) -> Attached:
    """Puts the method on the layers from `first` on; what the rung below learned goes on, on the untouched encoder."""
    known = load_adapter(below) if below is not None and work.base.tuning.name != "full" else None
    if known is not None:
        network.encoder = work.base.model.encoder()
    attached = work.base.attach(network.encoder, first, seed=work.context.seed, rung=name)
    if known is not None:
        attached.take(known.tensors)
    return attached


def _set(network: Network, settings: TrainedSettings, *, words: bool) -> None:
    """Dropout; and word vectors learn too, if asked for."""
    encoder = network.encoder
    encoder.dropout = settings.dropout
    if settings.r_drop and settings.dropout == 0:
        raise SettingError("r_drop compares two passes with other dropout: set dropout=0.1 too, or dropout=null")
    network.checkpointing = settings.activation_checkpointing
    if network.checkpointing and any(getattr(layer, "prompt", None) is not None for layer in encoder.layers):
        raise SettingError("activation_checkpointing: a soft prompt goes through all layers at once; leave it at false")
    if settings.embeddings and words:
        encoder.network.get_submodule(encoder.names.embeddings).requires_grad_(True)


def _groups(base: Base, network: Network, settings: TrainedSettings) -> list[dict[str, Any]]:
    """What learns, by rate; a tuning may have a rate of its own."""
    rate = base.tuning.rate(settings.rate(network.encoder.num_layers, tags=network.kind.is_units))
    return parameter_groups(network, _depths(network), settings, network.head, rate)


def _start_head(base: Base, network: Network, feed: Feed, reach: float) -> None:
    """Gives the head its hidden layer and scales it down to `reach`, judged by the features of the first rows."""
    few = feed.get(np.arange(min(_FIRST_ROWS, len(feed.lengths_N)))).inputs.to(network.device)
    if base.settings.head == "mlp" and network.hidden is None:
        network.bend(few)
    if reach <= 0:
        return
    with torch.no_grad():
        norm = network.eval().features(few).norm(dim=-1).median()
        now = network.head.weight.norm(dim=-1).mean() * norm
        if now > reach:
            network.head.weight.mul_(reach / now)
            network.head.bias.mul_(reach / now)


def deadline(context: Context) -> Callable[[Progress], None]:
    """A function that stops a training when the budget is spent."""

    def watch(now: Progress) -> None:
        if context.deadline is not None and time.monotonic() > context.deadline and now.step < now.num_steps:
            now.stop = f"the budget ended after {now.step} of {now.num_steps} steps"

    return watch


def _ran(now: Progress, feed: Feed) -> dict[str, int]:
    """What a recipe must say to repeat a training that was cut short, or for which the memory was too small."""
    ran = {"max_steps": now.step} if now.step < now.num_steps and now.stop != ENOUGH else {}
    if now.halvings:
        ran["micro_batch_tokens"] = max(1, min(feed.settings.micro_batch_tokens, feed.batch_tokens) >> now.halvings)
    return ran


def _epochs_seen(dynamics: Dynamics) -> int:
    return int((~np.isnan(dynamics.losses_EN)).any(axis=1).sum())


def _depths(network: Network) -> dict[int, int]:
    depths: dict[int, int] = {}
    for distance, layer in enumerate(reversed(network.encoder.layers)):
        depths |= {id(p): distance for p in layer.parameters()}
    for parameter in network.encoder.network.get_submodule(network.encoder.names.embeddings).parameters():
        depths[id(parameter)] = network.encoder.num_layers
    return depths


def _plan(
    work: Work,
    feed: Feed,
    network: Network,
    settings: TrainedSettings,
    dynamics: Dynamics,
    penalty: Callable[[], Tensor] | None,
) -> Plan:
    problem = work.problem
    current = {"epoch": 0}
    owners = np.diff(problem.train_targets.offsets_N1)
    objective = Objective(problem.task, settings)

    def step(places: np.ndarray, backward: Backward) -> dict[str, LossSum]:
        batch = feed.get(places)
        inputs, labels_M = batch.inputs.to(network.device), batch.labels_M.to(network.device)
        inputs = entered(network, inputs) if settings.fgm else inputs
        logits_MC = network(inputs)
        total = objective.losses(logits_MC, labels_M).sum()
        if settings.r_drop:
            again_MC = network(inputs)
            total = (total + objective.losses(again_MC, labels_M).sum()) / 2
            total = total + settings.r_drop * divergence(logits_MC, again_MC, labels_M).sum()
        backward(total if penalty is None else total + penalty() * feed.count(places))
        if settings.fgm:
            backward(objective.losses(network(moved(inputs, settings.fgm)), labels_M).sum())
        with torch.no_grad():
            losses_M = problem.task.losses(logits_MC, labels_M)
            epoch = current["epoch"]
            counts = owners[places]
            dynamics.losses_EN[epoch, places] = _by_example(losses_M.float().cpu().numpy(), counts)
            margins_M = problem.task.margins(logits_MC.float(), labels_M).cpu().numpy()
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
        round_ends=ends[feed.round_epochs - 1 :: feed.round_epochs].tolist(),
        began_score=work.context.reached,
        round_worth=feed.worth / 100,
        arrays={"margins": dynamics.margins_EN, "losses": dynamics.losses_EN},
        seed=work.context.seed,
        halves=lambda places: [half for half in np.array_split(places, 2) if len(half)],
        scaled=work.base.precision == "float16",
        say=work.context.say,
    )


def _bent(plan: Plan, network: Network, settings: TrainedSettings) -> Plan:
    """The plan with what else moves the weights: a pull to where they started, and the mean of the last."""
    if settings.l2_to_start:
        anchor = Anchor(network.encoder.parameters(), settings.l2_to_start)
        plan = replace(plan, before_update=anchor.pull)
    if settings.average_last:
        mean = Average(dict(network.named_parameters()), plan.round_ends, settings.average_last)
        plan = replace(plan, after_step=(mean.after_step,), arrays=plan.arrays | mean.arrays)
    return plan


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
        problem = work.problem
        self.work, self.predict = work, predict
        num_outputs = problem.task.num_outputs(problem.validation, problem.labels)
        shape = (len(problem.validation_targets.labels_M), num_outputs)
        self.arrays = {"best_score": np.full(1, -np.inf), "best_outputs": np.zeros(shape, np.float32)}

    @property
    def outputs(self) -> Outputs | None:
        """The outputs of the best weights; None if they were never scored."""
        if self.arrays["best_score"][0] == -np.inf:
            return None
        return Outputs(self.arrays["best_outputs"], self.work.problem.validation_targets.offsets_N1)

    def evaluate(self) -> float:
        """The score now."""
        outputs = self.predict()
        score = self.work.problem.task.score(outputs, self.work.problem.validation_targets)
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
        checkpoint=work.context.rung_folder(name) / "checkpoint",
    )
