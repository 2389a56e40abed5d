"""The one training loop, for tuning and for pretraining.

It is handed what to train, which batches, and a `step` that owns its forward and backward pass; it knows no task and no
method. Losses are sums with their counts, so micro-batches of unequal size add up to the batch they were cut from.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from deepen.core.seed import derive
from deepen.core.types import LossSum
from deepen.training.checkpoint import load_checkpoint, save_checkpoint
from deepen.training.optimizer import OptimizerSettings, clip, rate_factor

Backward = Callable[[Tensor], None]
Step = Callable[[Any, Backward], dict[str, LossSum]]


@dataclass
class Progress:
    """Where a training is. The loop owns it; `after_step` functions read it and may set `stop`.

    `step` counts optimizer updates made, `epoch` full passes, `in_epoch` the updates of the pass under way; `factor` is the
    plateau schedule's share of the rate.
    """

    step: int = 0
    epoch: int = 0
    in_epoch: int = 0
    num_steps: int = 0
    factor: float = 1.0
    best_score: float = float("-inf")
    best_step: int = 0
    stop: str = ""
    curve: list[dict[str, Any]] = field(default_factory=list)


@dataclass(frozen=True)
class Plan:
    """What the loop is to do.

    Attributes:
        batches: An epoch's batches, each a list of micro-batches; the same for the same epoch.
        count: How many units of a micro-batch are scored; the loss is divided by the sum over the batch.
        step: Runs a micro-batch forward and backward.
        num_epochs: How often all batches are visited.
        after_step: Called after every optimizer update.
        evaluate: The validation score; None for none.
        evaluate_every: Optimizer updates between two evaluations.
        patience: Evaluations without a better score after which the training stops; 0 never stops.
        max_steps: Stop after this many updates whatever happens; None for no limit. The schedule is not changed by it.
        arrays: Records that `step` writes to and that must survive an interruption.
        checkpoint: Where to keep a checkpoint; None for none.
        checkpoint_seconds: How often.
        seed: For what chance the step uses.
    """

    batches: Callable[[int], Sequence[Sequence[Any]]]
    count: Callable[[Any], int]
    step: Step
    num_epochs: int
    num_steps: int
    after_step: Sequence[Callable[[Progress], None]] = ()
    evaluate: Callable[[], float] | None = None
    evaluate_every: int = 0
    patience: int = 0
    max_steps: int | None = None
    arrays: dict[str, np.ndarray] = field(default_factory=dict)
    checkpoint: Path | None = None
    checkpoint_seconds: float = 45.0
    seed: int = 0


def fit(
    model: nn.Module, groups: list[dict[str, Any]], plan: Plan, settings: OptimizerSettings, accelerator: Any
) -> Progress:
    """Trains until the plan ends or something says stop, and leaves the best parameters in the model.

    Args:
        model: The network; only parameters that need a gradient are touched.
        groups: Its parameters, as `parameter_groups` makes them.
        plan: Batches, step, evaluation, checkpoints.
        settings: Schedule and clipping.
        accelerator: An `accelerate.Accelerator`: device, precision and processes.

    Returns:
        Where the training ended, with the curve of the validation score.
    """
    from deepen.training.optimizer import make_optimizer

    optimizer = accelerator.prepare(make_optimizer(groups, settings))
    named = {name: p for name, p in model.named_parameters() if p.requires_grad}
    now = Progress(num_steps=plan.num_steps)
    best: dict[str, Tensor] = {}
    torch.manual_seed(derive(plan.seed, "training"))
    restored = load_checkpoint(plan.checkpoint, named, optimizer.optimizer) if plan.checkpoint else None
    if restored:
        best, arrays, state = restored
        for name, array in arrays.items():
            plan.arrays[name][...] = array
        now = Progress(**state)
    keeper = _Keeper(model, named, optimizer, plan, best)
    model.train()
    while now.epoch < plan.num_epochs and not now.stop:
        batches = plan.batches(now.epoch)
        for micros in batches[now.in_epoch :]:
            rate = now.factor * rate_factor(now.step, plan.num_steps, settings)
            for group in optimizer.param_groups:
                group["lr"] = group["peak"] * rate
            _update(model, micros, plan, accelerator)
            clip(named.values(), settings.max_grad_norm)
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
            now.step += 1
            now.in_epoch += 1
            keeper.after(now, settings)
            if now.stop:
                break
        else:
            now.epoch, now.in_epoch = now.epoch + 1, 0
    keeper.restore_best(now)
    return now


def _update(model: nn.Module, micros: Sequence[Any], plan: Plan, accelerator: Any) -> None:
    """Gradients of one batch: each micro-batch's loss is divided by the count of the whole batch, over all processes."""
    count = torch.tensor(float(sum(plan.count(micro) for micro in micros)))
    if accelerator.num_processes > 1:
        count = accelerator.reduce(count.to(accelerator.device), "sum") / accelerator.num_processes
    denominator = max(float(count), 1.0)
    for position, micro in enumerate(micros):
        backward = lambda total: accelerator.backward(total / denominator)  # noqa: E731
        if position + 1 < len(micros):
            with accelerator.no_sync(model):
                plan.step(micro, backward)
        else:
            plan.step(micro, backward)


class _Keeper:
    """What happens between steps: evaluation, the best parameters, patience, checkpoints."""

    def __init__(
        self, model: nn.Module, named: dict[str, nn.Parameter], optimizer: Any, plan: Plan, best: dict[str, Tensor]
    ) -> None:
        self.model, self.named, self.optimizer, self.plan, self.best = model, named, optimizer, plan, best
        self.began = self.saved = time.monotonic()

    def after(self, now: Progress, settings: OptimizerSettings) -> None:
        plan = self.plan
        last = now.step >= plan.num_steps or (plan.max_steps is not None and now.step >= plan.max_steps)
        if plan.evaluate and plan.evaluate_every and (now.step % plan.evaluate_every == 0 or last):
            self._evaluate(now, settings)
        if plan.max_steps is not None and now.step >= plan.max_steps and now.step < plan.num_steps:
            now.stop = now.stop or f"stopped after {now.step} of {plan.num_steps} steps"
        for function in plan.after_step:
            function(now)
        if plan.checkpoint and time.monotonic() - self.saved > plan.checkpoint_seconds:
            self._save(now)

    def _evaluate(self, now: Progress, settings: OptimizerSettings) -> None:
        assert self.plan.evaluate  # noqa: S101 - the caller looked
        random = torch.get_rng_state()
        self.model.eval()
        score = self.plan.evaluate()
        self.model.train()
        torch.set_rng_state(random)
        seconds = round(time.monotonic() - self.began, 3)
        now.curve.append({"step": now.step, "name": "validation", "value": score, "seconds": seconds})
        if score > now.best_score:
            now.best_score, now.best_step = score, now.step
            self.best = {name: p.detach().clone() for name, p in self.named.items()}
            return
        behind = sum(1 for row in now.curve if row["step"] > now.best_step)
        if settings.schedule == "plateau":
            now.factor *= 0.5
        if self.plan.patience and behind >= self.plan.patience:
            now.stop = f"no better for {behind} evaluations"

    def _save(self, now: Progress) -> None:
        assert self.plan.checkpoint  # noqa: S101 - the caller looked
        save_checkpoint(
            self.plan.checkpoint,
            dict(self.named),
            self.optimizer.optimizer,
            best=self.best,
            arrays=self.plan.arrays,
            state=vars(now),
        )
        self.saved = time.monotonic()

    def restore_best(self, now: Progress) -> None:
        if self.best and now.best_step != now.step:
            with torch.no_grad():
                for name, parameter in self.named.items():
                    parameter.copy_(self.best[name])
