"""The one training loop, for tuning and for pretraining.

It is handed what to train, which batches, and a `step` that owns its forward and backward pass; it knows no task and no
method. Losses are sums with their counts, so micro-batches of unequal size add up to the batch they were cut from, in
one process or several.
"""

from __future__ import annotations

import time
from bisect import bisect_right
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
from deepen.training.optimizer import OptimizerSettings, clip, make_optimizer, rate_factor
from deepen.training.processes import Team

ENOUGH = "enough"
"""Why a training stops after a round that gained too little for another: that is its planned end."""
Backward = Callable[[Tensor], None]
Step = Callable[[Any, Backward], dict[str, LossSum]]


@dataclass
class Progress:
    """Where a training is. The loop owns it; `after_step` functions read it and may set `stop`.

    `step` counts optimizer updates made, `epoch` full passes, `in_epoch` the updates of the pass under way; `factor` is
    the plateau schedule's share of the rate, `began_score` the best score when the round under way began.
    """

    step: int = 0
    epoch: int = 0
    in_epoch: int = 0
    num_steps: int = 0
    factor: float = 1.0
    best_score: float = float("-inf")
    best_step: int = 0
    began_score: float = float("-inf")
    stop: str = ""
    curve: list[dict[str, Any]] = field(default_factory=list)


@dataclass(frozen=True)
class Plan:
    """What the loop is to do.

    Attributes:
        batches: An epoch's batches, each a list of micro-batches; the same for the same epoch, and in every process,
            which take turns at the micro-batches of a batch.
        count: How many units of a micro-batch are scored; the loss is divided by the sum over the batch.
        step: Runs a micro-batch forward and backward.
        num_epochs: How often all batches are visited.
        after_step: Called after every optimizer update.
        after_update: Called before that, while gradients are still there, with the updates made and those of a round.
        evaluate: The validation score; None for none.
        evaluate_every: Optimizer updates between two evaluations.
        patience: Evaluations without a better score after which the training stops; 0 never stops.
        max_steps: Stop after this many updates whatever happens; None for no limit. The schedule is not changed by it.
        round_ends: The updates after which the schedule starts anew, rising; the last is `num_steps`. Empty: one.
        began_score: The validation score before the first step; None if it is not known.
        round_worth: What a round must have gained for another one to follow.
        arrays: Records that `step` writes to and that must survive an interruption.
        checkpoint: Where to keep a checkpoint; None for none.
        checkpoint_seconds: How often.
        seed: For what chance the step uses.
    """

    batches: Callable[[int], Sequence[Sequence[Any]]]
    count: Callable[[Any], float]
    step: Step
    num_epochs: int
    num_steps: int
    after_step: Sequence[Callable[[Progress], None]] = ()
    after_update: Callable[[int, int], None] | None = None
    evaluate: Callable[[], float] | None = None
    evaluate_every: int = 0
    patience: int = 0
    max_steps: int | None = None
    round_ends: Sequence[int] = ()
    began_score: float | None = None
    round_worth: float = 0.0
    arrays: dict[str, np.ndarray] = field(default_factory=dict)
    checkpoint: Path | None = None
    checkpoint_seconds: float = 20.0
    seed: int = 0


def fit(
    model: nn.Module, groups: list[dict[str, Any]], plan: Plan, settings: OptimizerSettings, accelerator: Any
) -> Progress:
    """Trains until the plan ends or something says stop, and leaves the best parameters in the model.

    Only parameters that need a gradient are touched; `groups` are as `parameter_groups` makes them, `accelerator` is an
    `accelerate.Accelerator`: device, precision and processes.
    """
    optimizer = accelerator.prepare(make_optimizer(groups, settings))
    named = {name: p for name, p in model.named_parameters() if p.requires_grad}
    now = Progress(num_steps=plan.num_steps)
    now.began_score = now.began_score if plan.began_score is None else plan.began_score
    best: dict[str, Tensor] = {}
    torch.manual_seed(derive(plan.seed, "training"))
    restored = load_checkpoint(plan.checkpoint, named, optimizer.optimizer) if plan.checkpoint else None
    if restored:
        best, arrays, state = restored
        for name, array in arrays.items():
            plan.arrays[name][...] = array
        now = Progress(**state)
    team = Team(accelerator, plan.arrays)
    if team.rank:  # each process draws its own dropout
        torch.manual_seed(derive(plan.seed, "training", team.rank, now.step))
    keeper = _Keeper(model, named, optimizer, plan, best, team)
    ends = list(plan.round_ends) or [plan.num_steps]
    model.train()
    while now.epoch < plan.num_epochs and not now.stop:
        batches = plan.batches(now.epoch)
        for micros in batches[now.in_epoch :]:
            at = bisect_right(ends, now.step)
            first = ends[at - 1] if at else 0
            rate = now.factor * rate_factor(now.step - first, ends[at] - first, settings)
            for group in optimizer.param_groups:
                group["lr"] = group["peak"] * rate
            _update(team, micros, plan)
            team.sum_gradients(named.values())
            clip(named.values(), settings.max_grad_norm)
            optimizer.step()
            now.step += 1
            if plan.after_update is not None:
                plan.after_update(now.step, ends[0])
            optimizer.zero_grad(set_to_none=True)
            now.in_epoch += 1
            if keeper.after(now, settings):
                break
        else:
            now.epoch, now.in_epoch = now.epoch + 1, 0
        team.merge()
    keeper.restore_best(now)
    return now


def _update(team: Team, micros: Sequence[Any], plan: Plan) -> None:
    """This process's gradients of one batch: every micro-batch's loss is divided by the count of the whole batch."""
    denominator = max(float(sum(plan.count(micro) for micro in micros)), 1.0)
    for micro in team.mine(micros):
        plan.step(micro, lambda total: team.accelerator.backward(total / denominator))


@dataclass
class _Keeper:
    """What happens between steps: evaluation, the best parameters, patience, checkpoints."""

    model: nn.Module
    named: dict[str, nn.Parameter]
    optimizer: Any
    plan: Plan
    best: dict[str, Tensor]
    team: Team
    began: float = field(default_factory=time.monotonic)
    saved: float = field(default_factory=time.monotonic)

    def after(self, now: Progress, settings: OptimizerSettings) -> bool:
        """Whether the training stops here."""
        plan = self.plan
        for function in plan.after_step:
            function(now)
        now.stop = self.team.agree(now.stop)
        cut = plan.max_steps is not None and plan.max_steps <= now.step < plan.num_steps
        ends = now.step in plan.round_ends
        last = bool(now.stop) or cut or now.step >= plan.num_steps  # whatever ends it: a recipe must repeat it
        if plan.evaluate and plan.evaluate_every and (ends or last or self._due(now.step)):
            self._evaluate(now, settings)
        if ends and now.step < plan.num_steps and not now.stop and plan.evaluate:
            if now.best_score - now.began_score < plan.round_worth:
                now.stop = ENOUGH
            now.began_score = now.best_score
        if cut:
            now.stop = now.stop or f"stopped after {now.step} of {plan.num_steps} steps"
        if plan.checkpoint and self.team.agree(time.monotonic() - self.saved > plan.checkpoint_seconds):
            self._save(now)
        return bool(now.stop)

    def _due(self, step: int) -> bool:
        """Whether it is time to evaluate; the end of a round that is a few steps away is soon enough."""
        every, ends = self.plan.evaluate_every, self.plan.round_ends
        soon = any(0 < end - step < every / 4 for end in ends)
        return step % every == 0 and not soon

    def _evaluate(self, now: Progress, settings: OptimizerSettings) -> None:
        assert self.plan.evaluate  # noqa: S101 - the caller looked
        random = torch.get_rng_state()
        self.model.eval()
        score = self.team.agree(self.plan.evaluate())
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
            now.stop = now.stop or f"no better for {behind} evaluations"

    def _save(self, now: Progress) -> None:
        assert self.plan.checkpoint  # noqa: S101 - the caller looked
        self.team.merge()
        if self.team.rank == 0:
            given = self.plan.checkpoint, dict[str, Tensor](self.named), self.optimizer.optimizer
            save_checkpoint(*given, best=self.best, arrays=self.plan.arrays, state=vars(now))
        self.saved = time.monotonic()

    def restore_best(self, now: Progress) -> None:
        if self.best and now.best_step != now.step:
            with torch.no_grad():
                for name, parameter in self.named.items():
                    parameter.copy_(self.best[name])
