"""A network with fewer layers that learns from the whole one: its logits, and its states above each layer that is left.

Shape legend: T tokens, D hidden size, M units, C outputs, K layers that are left.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor, nn

from deepen.core.progress import progress
from deepen.core.seed import derive
from deepen.core.types import LossSum
from deepen.data.batches import shuffled_batches
from deepen.data.table import Part
from deepen.data.tokens import TokenTable
from deepen.finetuning.hidden_cache import batch_inputs
from deepen.finetuning.predictor import EncoderPredictor
from deepen.finetuning.settings import rate_for
from deepen.models.encoder import Encoder, layout
from deepen.models.head import Inputs
from deepen.models.linear import Solved, solve_path
from deepen.models.network import Network
from deepen.training.loop import Backward, Plan, Progress, fit
from deepen.training.optimizer import OptimizerSettings, parameter_groups

_SEEN = 40_000  # rows, in all epochs together
_MOST_EPOCHS = 12
_ROWS = 16  # of a step
_RATE = 4e-4  # of a network of up to six layers
_STATES = 1.0  # what a state counts beside the logits
MOST_ROWS = 20_000
"""Of more rows, so many are enough for a head to be solved on."""
_STRENGTHS = (0.003, 0.01, 0.03, 0.1, 0.3, 1.0)


def spread(whole: int, left: int) -> tuple[int, ...]:
    """The layers, from 0, whose states those that are left shall have: evenly, the last one with them.

    Example:
        >>> spread(6, 3), spread(12, 6), spread(2, 1), spread(6, 4)
        ((1, 3, 5), (1, 3, 5, 7, 9, 11), (1,), (1, 2, 4, 5))
    """
    return tuple(-(-(at + 1) * whole // left) - 1 for at in range(left))


def with_layers(network: Network, kept: Sequence[int]) -> Network:
    """A copy of a network with some of its layers; the others are gone."""
    made = deepcopy(network)
    encoder = made.encoder
    layers = nn.ModuleList(encoder.layers[at] for at in kept)
    path, _, name = encoder.names.layers.rpartition(".")
    setattr(encoder.network.get_submodule(path), name, layers)
    encoder.config.num_hidden_layers = len(layers)
    made.encoder = type(encoder)(encoder.network)
    return made


@dataclass(frozen=True)
class Rows:
    """Rows of several tables to learn from, by one number each."""

    parts: tuple[tuple[TokenTable, np.ndarray], ...]

    @classmethod
    def of(cls, predictor: EncoderPredictor, parts: Sequence[Part]) -> Rows:
        """Rows as a network reads them."""
        return cls(tuple((predictor.tokens(part.table), part.rows_N) for part in parts))

    def epoch(self, seed: int) -> list[list[tuple[int, np.ndarray]]]:
        """Batches, each of the rows of one table, in an order of their own."""
        found = []
        for at, (tokens, rows_N) in enumerate(self.parts):
            lengths_N = np.asarray(tokens.lengths_N[rows_N])
            most = max(1, round(_ROWS * float(lengths_N.mean())))
            batches = shuffled_batches(lengths_N, max_tokens=most, seed=derive(seed, "table", at))
            found += [[(at, rows_N[batch])] for batch in batches]
        return [found[at] for at in np.random.default_rng(seed).permutation(len(found))]

    def inputs(self, batch: tuple[int, np.ndarray], network: Network) -> Inputs:
        """What the network reads of a batch."""
        at, rows = batch
        return batch_inputs(self.parts[at][0], rows, shares=network.kind.shares).to(network.device)

    def __len__(self) -> int:
        return sum(len(rows_N) for _, rows_N in self.parts)


def read(network: Network, inputs: Inputs, stops: Sequence[int]) -> tuple[list[Tensor], Tensor]:
    """The states after each of so many layers, of which the last is all of them, and the logits."""
    encoder, where = network.encoder, layout(inputs.lengths_B)
    assert inputs.ids_T is not None  # noqa: S101 - rows are read from their tokens
    hidden_TD, states, at = encoder.embed(inputs.ids_T, inputs.segments_T, where), [], 0
    for stop in stops:
        hidden_TD, at = encoder.run(hidden_TD, where, at, stop), stop
        states.append(hidden_TD)
    return states, network(replace(inputs, hidden_TD=hidden_TD, start=encoder.num_layers))


Objective = Callable[[tuple[int, np.ndarray], Inputs], Tensor]
"""A batch and what the network reads of it to the mean loss of its rows."""


def imitating(student: Network, teacher: Network) -> Objective:
    """The loss by which a student learns from a teacher: how far its logits are off, and its states.

    Source:
        Ba and Caruana 2014, Do Deep Nets Really Need to be Deep? (logits); Sanh et al. 2019, DistilBERT, and Jiao et
        al. 2020, TinyBERT, section 3 (states).
    """
    left = student.encoder.num_layers
    above = [at + 1 for at in spread(teacher.encoder.num_layers, left)]

    def loss(batch: tuple[int, np.ndarray], inputs: Inputs) -> Tensor:
        with torch.no_grad():
            wanted, logits_MC = read(teacher, inputs, above)
        states, own_MC = read(student, inputs, range(1, left + 1))
        off = (own_MC - logits_MC).square().mean() / logits_MC.square().mean().clamp_min(1e-6)
        far = [(a - b).square().mean() / b.square().mean().clamp_min(1e-6) for a, b in zip(states, wanted, strict=True)]
        return off + _STATES * torch.stack(far).mean()

    return loss


def learn(student: Network, rows: Rows, objective: Objective, *, seed: int, title: str) -> None:
    """Trains the layers and the head of a network; its word vectors stay."""
    from accelerate import Accelerator

    encoder: Encoder = student.encoder
    student.requires_grad_(True)
    encoder.network.get_submodule(encoder.names.embeddings).requires_grad_(False)
    encoder.dropout = 0.0
    num_epochs = int(np.clip(round(_SEEN / max(1, len(rows))), 1, _MOST_EPOCHS))
    settings = OptimizerSettings()
    groups = parameter_groups(student, {}, settings, student.head, rate_for(_RATE, encoder.num_layers))

    def step(batch: tuple[int, np.ndarray], backward: Backward) -> dict[str, LossSum]:
        total = objective(batch, rows.inputs(batch, student)) * len(batch[1])
        backward(total)
        return {"loss": LossSum(total.detach(), len(batch[1]))}

    def batches(epoch: int) -> list[list[tuple[int, np.ndarray]]]:
        return rows.epoch(derive(seed, "student", epoch))

    num_steps = num_epochs * len(batches(0))
    with progress(title, num_steps, unit="steps") as advance:

        def after(now: Progress) -> None:
            advance()

        plan = Plan(
            batches=batches,
            count=lambda batch: float(len(batch[1])),
            step=step,
            num_epochs=num_epochs,
            num_steps=num_steps,
            after_step=(after,),
            seed=seed,
        )
        fit(student, groups, plan, settings, Accelerator(device_placement=False))
    student.eval().requires_grad_(False)


def solved_head(features_NF: Tensor, wanted_NC: Tensor, learning: Tensor, held: Tensor) -> nn.Linear:
    """The head whose probabilities on held-out rows are nearest to those of the whole network.

    Args:
        features_NF: What it reads of each row.
        wanted_NC: The probabilities.
        learning: The rows that it learns from, by number.
        held: Those that tell the best of several strengths of regularisation.
    """
    best: Solved | None = None
    least = float("inf")
    for solved in solve_path(features_NF[learning], wanted_NC[learning], wanted_NC.shape[1], strengths=_STRENGTHS):
        logits_NC = torch.addmm(solved.bias_C, features_NF[held], solved.weight_CF.T)
        loss = float(nn.functional.cross_entropy(logits_NC, wanted_NC[held]))
        if best is None or loss < least:
            best, least = Solved(solved.weight_CF.clone(), solved.bias_C.clone(), solved.strength), loss
    assert best is not None  # noqa: S101 - there is at least one strength
    head = nn.Linear(features_NF.shape[1], wanted_NC.shape[1]).requires_grad_(False)
    head.weight.copy_(best.weight_CF)
    head.bias.copy_(best.bias_C)
    return head
