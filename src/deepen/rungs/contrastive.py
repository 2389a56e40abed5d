"""For few examples per class: rows of one label are put together by the encoder, then a head is solved on its features.

Every row meets many others, so a few say much; with some hundred a label, training with a head says more.

Shape legend: N rows, B rows of a batch.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch
from pydantic import Field
from torch import Tensor, nn

from deepen.core.errors import SettingError
from deepen.core.progress import progress
from deepen.core.seed import derive
from deepen.core.types import LossSum
from deepen.data.batches import grouped_batches
from deepen.finetuning.forecast import seconds_per_token
from deepen.finetuning.hidden_cache import batch_inputs
from deepen.finetuning.predictor import load_predictor, reader_of
from deepen.finetuning.solved_head import headed
from deepen.models.linear import solve_path
from deepen.models.network import Network
from deepen.problem.climbed import Climbed
from deepen.problem.problem import Problem
from deepen.problem.rung import Rung
from deepen.problem.work import Work
from deepen.training.loop import Backward, Plan, fit
from deepen.training.optimizer import OptimizerSettings, parameter_groups

_ROWS_A_LABEL = 30
_START_SECONDS = 2.0


class RungSettings(OptimizerSettings):
    """How the encoder learns to tell labels apart, and the head on it."""

    earlier: ClassVar = {"visited_rows": "examples_seen", "most_visits": "max_epochs"}
    learning_rate: float = Field(default=2e-5, gt=0)
    """The highest rate, per step."""
    examples_seen: int = Field(default=4_000, ge=1)
    """Training examples that go by in all: as many epochs as that takes."""
    max_epochs: int = Field(default=80, ge=1)
    """But no more epochs than this."""
    batch_rows: int = Field(default=64, ge=4)
    """Rows of one step: what a row is told from. All go through the network at once."""
    batch_tokens: int = Field(default=8192, ge=1)
    """The most tokens of a step: long rows are fewer, since memory is not endless."""
    together: int = Field(default=4, ge=2)
    """Rows of one label that are put into a batch together, so that each has partners."""
    dropout: float | None = Field(default=None, ge=0, lt=1)
    """In the encoder; None takes the network's own. So few rows are soon known by heart without any."""
    strength: float = Field(default=0.1, gt=0)
    """The head's C. Not chosen by the validation rows, which are few where this rung is climbed."""
    max_iterations: int = 100
    """L-BFGS iterations of the head."""


def suits(work: Work) -> bool:
    """Whether a climb takes it by itself: with up to thirty examples per class."""
    return _applies(work) and len(work.problem.train) <= _ROWS_A_LABEL * work.problem.num_outputs


def _applies(work: Work) -> bool:
    return work.form.head.is_row and work.problem.task.target.is_class


def climb(work: Work, settings: RungSettings, below: Path | None) -> Climbed:
    """Trains the encoder by contrast, from the pretrained one, then solves the head.

    Raises:
        SettingError: If rows do not have one label each.
    """
    problem = work.problem
    from accelerate import Accelerator

    if not _applies(work):
        raise SettingError("the rung contrastive is for rows with one label each")
    encoder = work.base.model.encoder()
    network = Network(
        encoder, nn.Linear(encoder.hidden_size, problem.num_outputs).requires_grad_(False), work.form.head
    )
    attached = work.base.attach(encoder, 0, seed=work.context.seed, rung="contrastive")
    encoder.dropout = settings.dropout
    plan = _plan(work, settings, network)
    groups = parameter_groups(network, {}, settings, network.head, work.base.tuning.rate(settings.learning_rate))
    accelerator = Accelerator(device_placement=False)
    with progress(f"contrastive: {plan.num_steps} steps", plan.num_steps, unit="steps") as advance:
        hooks = (lambda now: advance(),)
        fit(network, groups, replace(plan, after_step=hooks, after_update=attached.after_update), settings, accelerator)
    network.eval()
    learned = sum(p.numel() for p in encoder.parameters() if p.requires_grad)
    adapter = attached.adapter(work.base.tuning.name, str(work.base.model.name), 0, work.base.tuning.settings)
    attached.merge()
    reader = reader_of(work, network)
    features_NF, labels_N = (
        torch.from_numpy(reader.features(problem.train)),
        torch.from_numpy(problem.train_targets.labels_M),
    )
    (head,) = solve_path(
        features_NF,
        labels_N,
        problem.num_outputs,
        strengths=[settings.strength],
        max_iterations=settings.max_iterations,
        losses=problem.task.losses,
        one_scale=True,
    )
    predictor = headed(work, encoder, head)
    predictor.num_parameters += learned
    predictor.adapter = adapter if work.base.tuning.name != "full" else None
    return Climbed(
        predictor=predictor,
        validation=predictor.predict(problem.validation),
        num_trained_parameters=predictor.num_parameters,
    )


def _plan(work: Work, settings: RungSettings, network: Network) -> Plan:
    problem = work.problem
    tokens, labels_N = work.tokens(problem.train.table), problem.train_targets.labels_M
    epochs = _epochs(problem, settings)
    lengths_N = np.asarray(tokens.lengths_N)[problem.train.rows_N]
    shares_N = np.maximum(1, -(-lengths_N * settings.batch_rows // settings.batch_tokens))  # of a batch, for each row

    def batches(epoch: int) -> list[list[np.ndarray]]:
        seed = derive(work.context.seed, "contrastive", epoch)
        groups = label_groups(labels_N, size=settings.together, seed=seed)
        found = grouped_batches(groups, shares_N, max_tokens=settings.batch_rows, seed=seed)
        return [[places] for places in found]

    def count(places: np.ndarray) -> float:
        return float(len(places))

    def step(places: np.ndarray, backward: Backward) -> dict[str, LossSum]:
        device = network.device
        inputs = batch_inputs(tokens, problem.train.rows_N[places]).to(device)
        labels_B = torch.from_numpy(labels_N[places]).to(device)
        losses_B = contrast_losses(network.features(inputs), labels_B)
        backward(losses_B.sum())
        return {"loss": LossSum(losses_B.detach().sum(), count(places))}

    num_steps = sum(len(batches(epoch)) for epoch in range(epochs))
    return Plan(
        batches=batches,
        count=count,
        step=step,
        num_epochs=epochs,
        num_steps=num_steps,
        checkpoint=work.context.rung_folder("contrastive") / "checkpoint",
        seed=work.context.seed,
    )


def _epochs(problem: Problem, settings: RungSettings) -> int:
    return min(settings.max_epochs, max(1, round(settings.examples_seen / len(problem.train))))


def forecast(work: Work, settings: RungSettings) -> float | None:
    """Seconds, from the measured speed of the frozen pass: forward and backward are three of it."""
    lengths = np.asarray(work.tokens(work.problem.train.table).lengths_N)[work.problem.train.rows_N]
    epochs = _epochs(work.problem, settings)
    return 3 * epochs * float(lengths.sum()) * seconds_per_token(work) + _START_SECONDS


# Rows of one label are drawn together and those of others apart: the cosine of every pair of a batch is trained.


def contrast_losses(features_BF: Tensor, labels_B: Tensor) -> Tensor:
    """How far each row's cosines are from 1, with rows of its label, and from 0, with others.

    Args:
        features_BF: A vector of each row; its length does not matter.

    Returns:
        losses_B: mean squared distances, half from the rows of its own label and half from the others.

    Source:
        Reimers and Gurevych 2019 (https://arxiv.org/abs/1908.10084), the regression objective on the cosine, as SetFit
        trains with it (Tunstall et al. 2022, https://arxiv.org/abs/2209.11055); here over all pairs of a batch.
    """
    units_BF = nn.functional.normalize(features_BF, dim=1)
    same_BB = labels_B[:, None] == labels_B[None, :]
    squares_BB = (units_BF @ units_BF.T - same_BB.float()) ** 2
    partners_BB = same_BB.fill_diagonal_(False)
    others_BB = (~same_BB).fill_diagonal_(False)
    near_B, far_B = ((squares_BB * of_BB).sum(1) / of_BB.sum(1).clamp(min=1) for of_BB in (partners_BB, others_BB))
    return (near_B + far_B) / 2


def label_groups(labels_N: np.ndarray, *, size: int, seed: int) -> Sequence[np.ndarray]:
    """Groups of rows with one label, which go into one batch together.

    Args:
        size: Rows of a group; the last one of a label may be smaller.

    Returns:
        Places in [0, N), each in one group.
    """
    chance = np.random.default_rng(seed)
    groups: list[np.ndarray] = []
    for label in np.unique(labels_N):
        rows = chance.permutation(np.flatnonzero(labels_N == label))
        groups += np.array_split(rows, -(-len(rows) // size))
    return groups


RUNG = Rung(
    about=__doc__,
    order=18,
    warm_starts=False,  # all its layers are others, and the rungs above build on the cache of the untouched ones
    self_trainable=True,
    few_shot=True,
    settings=RungSettings,
    suits=suits,
    climb=climb,
    forecast=forecast,
    load=load_predictor,
)
