"""Multinomial logistic regression on dense features, solved to convergence: the head of a frozen encoder.

Shape legend: M units, F features, C classes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch
    from torch import Tensor

_ENOUGH = 1e-5
"""An iteration that lowers the mean loss by fewer nats than this is the last: 1e-7 takes three times as long for losses
that are a third of a percent lower (LOG.md)."""


@dataclass(frozen=True)
class Solved:
    """A solved head on the raw features, and the strength that gave it."""

    weight_CF: Tensor
    bias_C: Tensor
    strength: float


Losses = Callable[[Any, Any], Any]
"""Logits and what is right to a loss for each unit, all tensors."""


def _cross_entropy(logits_MC: Tensor, labels_M: Tensor) -> Tensor:
    from torch.nn import functional

    return functional.cross_entropy(logits_MC, labels_M, reduction="none")


def solve_path(
    features_MF: Tensor,
    labels_M: Tensor,
    num_classes: int,
    *,
    strengths: Sequence[float],
    max_iterations: int = 100,
    losses: Losses = _cross_entropy,
    one_scale: bool = False,
) -> Iterator[Solved]:
    """Solves for one regularisation strength after the other, each starting from the one before.

    Minimises the mean loss plus |W|^2 / (2 C M) on standardised features (C is the strength, as in
    scikit-learn; the bias is free) by L-BFGS with a strong-Wolfe line search. The standardisation is folded into the
    weights, so they apply to raw features.

    Args:
        features_MF: Features of the scored units, float32.
        labels_M: Their classes, int64, or what `losses` takes.
        num_classes: C, at least 2.
        strengths: Values of C, from strong regularisation (small) to weak.
        max_iterations: L-BFGS iterations for each strength.
        losses: Logits and labels to a loss for each unit; cross-entropy unless told.
        one_scale: Divide all features by one number instead of each by its own, so that those which vary most weigh
            most, as they should once an encoder has learned to tell the classes apart.

    Yields:
        One solution a strength.
    """
    import torch

    mean_F = features_MF.mean(0)
    scale_F = features_MF.std(0, correction=0).clamp_min(1e-6)
    if one_scale:
        scale_F = scale_F.square().mean().sqrt().expand_as(scale_F)
    standard_MF = (features_MF - mean_F) / scale_F
    weight = torch.zeros(num_classes, features_MF.shape[1], requires_grad=True)
    bias = torch.zeros(num_classes, requires_grad=True)
    for strength in strengths:
        penalty = 0.5 / (strength * len(labels_M))
        solver = torch.optim.LBFGS(
            [weight, bias],
            max_iter=max_iterations,
            history_size=10,
            tolerance_grad=1e-5,
            tolerance_change=_ENOUGH,
            line_search_fn="strong_wolfe",
        )

        def closure(solver: torch.optim.LBFGS = solver, penalty: float = penalty) -> Tensor:
            solver.zero_grad()
            loss = losses(torch.addmm(bias, standard_MF, weight.T), labels_M).mean()
            loss = loss + penalty * weight.square().sum()
            loss.backward()
            return loss

        solver.step(closure)
        with torch.no_grad():
            folded_CF = weight / scale_F
            yield Solved(folded_CF, bias - folded_CF @ mean_F, strength)


def ridge_path(features_MF: Tensor, scores_M: Tensor, *, strengths: Sequence[float]) -> Iterator[Solved]:
    """Ridge regression for one regularisation strength after the other, in closed form.

    Minimises the mean squared error plus |w|^2 / (C M) on standardised features and scores; the bias is free.

    Args:
        features_MF: Features of the scored units, float32.
        strengths: Values of C, from strong regularisation (small) to weak.

    Yields:
        One solution a strength, with C = 1 output.
    """
    import torch

    mean_F, scale_F = features_MF.mean(0), features_MF.std(0, correction=0).clamp_min(1e-6)
    standard_MF = ((features_MF - mean_F) / scale_F).double()
    mean, size = scores_M.double().mean(), scores_M.double().std(correction=0).clamp_min(1e-12)
    values, vectors_FF = torch.linalg.eigh(standard_MF.T @ standard_MF)
    along_F = vectors_FF.T @ (standard_MF.T @ ((scores_M.double() - mean) / size))
    for strength in strengths:
        weight_F = vectors_FF @ (along_F / (values.clamp_min(0) + 1 / strength))
        folded_1F = (size * weight_F / scale_F).float()[None]
        yield Solved(folded_1F, mean.float() - folded_1F @ mean_F, strength)


def centroid_head(features_MF: Tensor, labels_M: Tensor, num_classes: int) -> Solved:
    """The head that picks the nearest class centroid by cosine: what the features know before any head is trained.

    Args:
        features_MF: Features of the scored units.
        labels_M: Their classes, int64.
        num_classes: C.

    Returns:
        Weights whose logits rank classes by the dot product with their unit-length, centred centroid.
    """
    import torch
    from torch.nn import functional

    mean_F = features_MF.mean(0)
    unit_MF = functional.normalize(features_MF - mean_F, dim=1)
    sums_CF = torch.zeros(num_classes, features_MF.shape[1]).index_add_(0, labels_M, unit_MF)
    weight_CF = functional.normalize(sums_CF, dim=1)
    return Solved(weight_CF, -weight_CF @ mean_F, 0.0)
