"""A head solved on features, at the strength of regularisation that the validation rows like best.

Shape legend: M units, F features of a unit, C outputs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import torch
from torch import Tensor, nn

from deepen.core.progress import progress
from deepen.finetuning.predictor import EncoderPredictor, reader_of
from deepen.models.encoder import Encoder
from deepen.models.linear import Solved
from deepen.models.network import Network
from deepen.problem.problem import Problem
from deepen.problem.work import Work


def best_head(
    problem: Problem,
    solve: Callable[..., Iterator[Solved]],
    train: tuple[Tensor, Tensor],
    held: tuple[Tensor, Tensor],
    *,
    strengths: Sequence[float],
    max_iterations: int,
    title: str,
) -> Solved:
    """The head whose loss on the held-out units is lowest; the path ends when it has risen twice in a row.

    Args:
        train: features_MF and labels_M of the units to learn from.
        max_iterations: L-BFGS iterations for each.
    """
    best: Solved | None = None
    best_loss, risen = float("inf"), 0
    rising = sorted(strengths)
    how = {"strengths": rising, "max_iterations": max_iterations, "losses": problem.task.losses}
    path = solve(*train, problem.num_outputs, **how)
    with progress(title, len(rising), unit="heads") as advance:
        for solved in path:
            logits_MC = torch.addmm(solved.bias_C, held[0], solved.weight_CF.T)
            loss = float(problem.task.losses(logits_MC, held[1]).mean())
            risen = risen + 1 if loss > best_loss else 0
            if loss < best_loss:
                best, best_loss = Solved(solved.weight_CF.clone(), solved.bias_C.clone(), solved.strength), loss
            advance()
            if risen == 2:
                break
    assert best is not None  # noqa: S101 - there is at least one strength
    return best


def headed(work: Work, encoder: Encoder, head: Solved) -> EncoderPredictor:
    """An encoder with a solved head.

    Returns:
        The predictor; the head's numbers count as learned.
    """
    linear = nn.Linear(head.weight_CF.shape[1], head.weight_CF.shape[0])
    with torch.no_grad():
        linear.weight.copy_(head.weight_CF)
        linear.bias.copy_(head.bias_C)
    made = reader_of(work, Network(encoder, linear, work.form.head).eval())
    made.num_parameters = head.weight_CF.numel() + head.bias_C.numel()
    return made
