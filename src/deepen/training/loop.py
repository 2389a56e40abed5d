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

    `halvings` says how often micro-batches were cut in two, `scaler` how float16 losses are scaled.
    `step` counts optimizer updates made, `epoch` full passes, `in_epoch` the updates of the pass under way; `factor` is
    the plateau schedule's share of the rate, `began_score` the best score when the round under way began. `loss` and
    `counted` sum the training loss of this process since the last evaluation.
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
    loss: float = 0.0
    counted: float = 0.0
    halvings: int = 0
    scaler: dict[str, Any] = field(default_factory=dict)
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
        before_update: Called before every update, with the whole gradients, which it may change.
        halves: A micro-batch in two, or by itself where it can't be parted: what is done where memory runs out.
        scaled: Whether losses are scaled so that their gradients don't vanish in float16.
        say: Told what a person should know of.
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
    before_update: Callable[[], None] | None = None
    halves: Callable[[Any], Sequence[Any]] | None = None
    scaled: bool = False
    say: Callable[[str], None] = lambda line: None
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
    scaler = torch.amp.GradScaler(accelerator.device.type, enabled=plan.scaled)
    if now.scaler:
        scaler.load_state_dict(now.scaler)
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
            _gradients(team, micros, plan, now=now, scaler=scaler, optimizer=optimizer)
            team.sum_gradients(named.values())
            scaler.unscale_(optimizer.optimizer)
            if plan.before_update is not None:
                plan.before_update()
            clip(named.values(), settings.max_grad_norm)
            scaler.step(optimizer.optimizer)
            scaler.update()
            now.step, now.scaler = now.step + 1, scaler.state_dict()
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


def _gradients(team: Team, micros: Sequence[Any], plan: Plan, *, now: Progress, scaler: Any, optimizer: Any) -> None:
    """This process's gradients of one batch: every micro-batch's loss is divided by the count of the whole batch.

    Where memory runs out, all is done again in micro-batches of half the size, and so in every batch from then on.
    """
    from accelerate.utils.memory import should_reduce_batch_size

    denominator = max(float(sum(plan.count(micro) for micro in micros)), 1.0)
    mine = list(team.mine(micros))
    for _ in range(now.halvings):
        mine = _halved(mine, plan)
    backward = lambda total: team.accelerator.backward(scaler.scale(total / denominator))  # noqa: E731
    while True:
        try:
            parts = [plan.step(micro, backward) for micro in mine]
            break
        except (MemoryError, RuntimeError) as error:
            smaller = _halved(mine, plan)
            full = isinstance(error, MemoryError) or should_reduce_batch_size(error)
            if not full or len(smaller) == len(mine):
                raise
        optimizer.zero_grad(set_to_none=True)  # what was added up before the memory was full
        mine, now.halvings = smaller, now.halvings + 1
        plan.say(f"  out of memory: {len(mine)} micro-batches a step from now on")
    for losses in parts:
        if (part := losses.get("loss")) is not None:
            now.loss, now.counted = now.loss + float(part.total), now.counted + part.count


def _halved(micros: list[Any], plan: Plan) -> list[Any]:
    return [half for micro in micros for half in (plan.halves(micro) if plan.halves is not None else [micro])]


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
        loss = round(now.loss / now.counted, 6) if now.counted else None
        now.loss = now.counted = 0.0
        now.curve.append({"step": now.step, "name": "validation", "value": score, "loss": loss, "seconds": seconds})
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
            kept: dict[str, torch.Tensor] = dict(self.named)
            optimizer = self.optimizer.optimizer
            arrays = self.plan.arrays
            save_checkpoint(self.plan.checkpoint, kept, optimizer, best=self.best, arrays=arrays, state=vars(now))
        self.saved = time.monotonic()

    def restore_best(self, now: Progress) -> None:
        if self.best and now.best_step != now.step:
            with torch.no_grad():
                for name, parameter in self.named.items():
                    parameter.copy_(self.best[name])
