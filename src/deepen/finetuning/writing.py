"""A trained rung where the answer is text: the top layers of the decoder, or the whole network, learn what to write.

Only the tokens of answers are learned: what stands before them costs nothing and teaches nothing.

Shape legend: N training rows, B rows of a batch, T tokens.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from deepen.core.files import read_object
from deepen.core.progress import progress
from deepen.core.seed import derive
from deepen.core.types import LossSum
from deepen.data.batches import shuffled_batches
from deepen.data.table import Part
from deepen.finetuning.finetune import deadline
from deepen.finetuning.settings import TrainedSettings
from deepen.finetuning.writer_tuning import attach_to_writer
from deepen.generation.decode import Given, packable
from deepen.generation.writer import Writer, general_of, writer_of
from deepen.models.precision import multiplying_in
from deepen.problem.climbed import Climbed
from deepen.problem.text_answers import SOURCE, answers
from deepen.problem.work import Work
from deepen.training.loop import ENOUGH, Backward, Plan, Step, fit
from deepen.training.optimizer import parameter_groups

_LONGEST_ANSWER = 512
_TIMED, _LEARNING = 12, 0.8  # steps; the share of what is left of a budget, since answers are written too


def _rows(writer: Writer, part: Part) -> Given:
    """Rows as token ids: what is read, and what is to be written."""
    sources, right = list(part.values(SOURCE)), answers(part)
    return writer.given(writer.prompts(sources), [ids[:_LONGEST_ANSWER] for ids in writer.ids.answers(sources, right)])


def climb_written(
    work: Work, *, name: str, depth: int | None, settings: TrainedSettings, below: Path | None
) -> Climbed:
    """Trains a network that writes, starting from the model of the rung below.

    Args:
        name: The rung's name; its checkpoint lies in its folder.
        depth: How many layers of the decoder learn, from the top; None is the whole network.
        settings: Steps, rates and stopping; validation is judged by the loss of its answers.
        below: The model folder to start from, where the weights themselves learn; None is the pretrained model, where
            every other method begins.

    Returns:
        The trained rung; on the way it leaves checkpoints and goes on from one if there is one.
    """
    from accelerate import Accelerator

    problem, tuning = work.problem, work.base.tuning
    writer = writer_of(work, below if tuning.name == "full" else None, trains=True)
    train, held = _rows(writer, problem.train), _rows(writer, problem.validation)
    forgets = _forgetting(work, writer, name)
    attached = attach_to_writer(writer.network, work, depth=depth, name=name, words=settings.embeddings)
    _set_dropout(writer.network, settings.dropout)
    share = sum(map(len, train.answers)) / int(train.lengths_N.sum())
    work.context.say(f"  {name}: {100 * share:.1f} % of the tokens are answers, and no others are learned")
    network = attached.network
    if packable(network, train):
        train, held = (replace(rows, packed=True) for rows in (train, held))
        work.context.say(
            f"  {name}: rows are packed one after the other, without padding and without attention between them"
        )
    with multiplying_in(work.base.precision, network):
        plan = _plan(work, network, train, settings)
    score = _minus_loss(network, held)
    evaluations = plan.num_epochs * max(1, settings.evaluations_per_epoch)
    plan = replace(
        plan,
        evaluate=score if settings.evaluations_per_epoch else None,
        evaluate_every=max(1, -(-plan.num_steps // evaluations)),
        patience=settings.patience,
        checkpoint=work.context.rung_folder(name) / "checkpoint",
    )
    rate = tuning.rate(settings.rate(work.base.model.num_layers))
    groups = parameter_groups(network, {}, settings.model_copy(update={"head_learning_rate": None}), network, rate)
    title = f"{name}: {plan.num_steps} steps"
    with progress(title, plan.num_steps, unit="steps") as advance, multiplying_in(work.base.precision, network):
        plan = replace(
            plan, after_step=(lambda now: advance(), deadline(work.context)), after_update=attached.after_update
        )
        now = fit(network, groups, plan, settings, Accelerator(device_placement=False))
    network.eval()
    num = sum(p.numel() for p in network.parameters() if p.requires_grad)
    writer.network, writer.adapter, writer.num_parameters = attached.done(), attached.save, num
    return Climbed(
        predictor=writer,
        validation=writer.predict(problem.validation),
        num_trained_parameters=num,
        ran=({"num_epochs": plan.num_epochs} if work.base.scratch else {})
        | ({"max_steps": now.step} if now.step < now.num_steps and now.stop != ENOUGH else {}),
        won={
            "max_steps": now.best_step or now.step,
            "num_epochs": plan.num_epochs,
            "batch_tokens": settings.step_tokens(train.lengths_N),
            "evaluations_per_epoch": 0,
        },
        reason="; ".join(filter(None, ("" if now.stop == ENOUGH else now.stop, forgets()))),
        stopped=bool(now.stop) and now.stop != ENOUGH and not now.stop.startswith("no better"),
        curve=tuple(now.curve),
    )


def _forgetting(work: Work, writer: Writer, name: str) -> Callable[[], str]:
    """Gives a sentence on what the training took from the network, once it is over; empty if no text was named."""
    general = general_of(work, writer.reader, writer.asking)
    if general is None:
        return lambda: ""
    before = general.bits(writer.network)

    def told() -> str:
        after = general.bits(writer.network.eval())
        sentence = f"bits per byte of general text: {before:.3f} before, {after:.3f} after"
        work.context.say(f"  {name}: {sentence}")
        return sentence

    return told


def _set_dropout(network: Any, share: float | None) -> None:
    """Sets it in modules made for it, and where a layer keeps its share as a number, as T5's attention and BART do."""
    if share is None:
        return
    for module in network.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = share
        for name in ("dropout", "attention_dropout", "activation_dropout"):
            if isinstance(vars(module).get(name), float):
                setattr(module, name, share)


def _plan(work: Work, network: Any, rows: Given, settings: TrainedSettings) -> Plan:
    lengths_N = rows.lengths_N
    batch_tokens = settings.step_tokens(lengths_N)

    def epoch(number: int) -> list[list[np.ndarray]]:
        seed = derive(work.context.seed, "batches", number)
        whole = shuffled_batches(lengths_N, max_tokens=batch_tokens, seed=seed)
        return [[some[few] for few in rows.batches(some, settings.micro_batch_tokens)] for some in whole]

    def count(places: np.ndarray) -> float:
        return float(sum(len(rows.answers[at]) for at in places))

    def step(places: np.ndarray, backward: Backward) -> dict[str, LossSum]:
        total = rows.losses(network, places, smoothing=settings.label_smoothing).sum()
        backward(total)
        return {"loss": LossSum(total.detach(), count(places))}

    steps = [len(epoch(number)) for number in range(settings.epochs(len(rows.answers)))]
    if work.base.scratch:
        steps = steps[: _affordable(work, network, np.cumsum(steps), epoch(0), step)]
    return Plan(
        batches=epoch,
        count=count,
        step=step,
        num_epochs=len(steps),
        num_steps=sum(steps),
        max_steps=settings.max_steps,
        seed=work.context.seed,
    )


def _affordable(work: Work, network: Any, steps: np.ndarray, batches: list[list[np.ndarray]], step: Step) -> int:
    """How many epochs the budget has time for: a schedule that it cuts would never come down from its highest rate.

    Args:
        steps: Made at the end of each epoch.
        batches: Some to be timed.

    Returns:
        As many as in the checkpoint of a training that goes on; else by the speed of a few steps.
    """
    state, deadline = work.context.rung_folder("full") / "checkpoint" / "state.json", work.context.deadline
    if state.is_file():
        return int(np.searchsorted(steps, read_object(state)["num_steps"])) + 1
    if deadline is None:
        return len(steps)
    seconds = []
    network.train()
    for batch in batches[:_TIMED]:
        began = time.monotonic()
        for micro in batch:
            step(micro, lambda total: total.backward())
        seconds.append(time.monotonic() - began)
    network.zero_grad(set_to_none=True)
    each = float(np.mean(seconds[1:] or seconds))
    there = max(1, int((steps * each <= _LEARNING * (deadline - time.monotonic())).sum()))
    if there < len(steps):
        work.context.say(f"  full: the budget has time for {there} of {len(steps)} epochs, at {1 / each:.2f} steps/s")
    return there


def _minus_loss(network: Any, held: Given) -> Callable[[], float]:
    """The log likelihood of a token of the validation answers."""
    tokens = sum(map(len, held.answers))
    return lambda: -float(held.nats(network).sum()) / max(1, tokens)
