"""The losses that tasks share: what is minimised, and by how much the right answer leads.

Shape legend: M units, C outputs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from deepen.evaluation.calibration import NOT_SCORED

if TYPE_CHECKING:
    from torch import Tensor


def cross_entropy(logits_MC: Tensor, labels_M: Tensor) -> Tensor:
    """The log loss of each unit.

    Args:
        labels_M: The right class; -100 is not scored.

    Returns:
        losses_M in nats; 0 where nothing is scored.
    """
    from torch.nn import functional

    return functional.cross_entropy(logits_MC, labels_M, ignore_index=NOT_SCORED, reduction="none")


def margins(logits_MC: Tensor, labels_M: Tensor) -> Tensor:
    """The right class's lead over the best wrong one, in probability.

    Returns:
        margins_M in [-1, 1].
    """
    probs_MC = logits_MC.softmax(-1)
    right_M = probs_MC.gather(1, labels_M.clamp_min(0)[:, None])[:, 0]
    others_MC = probs_MC.scatter(1, labels_M.clamp_min(0)[:, None], -1.0)
    return right_M - others_MC.max(-1).values


def binary_cross_entropy(logits_MC: Tensor, many_MC: Tensor) -> Tensor:
    """The log losses of each unit's outputs, each of which is true or not, summed.

    Args:
        many_MC: Zeros and ones.

    Returns:
        losses_M in nats.
    """
    from torch.nn import functional

    return functional.binary_cross_entropy_with_logits(logits_MC, many_MC.to(logits_MC.dtype), reduction="none").sum(1)


def least_margins(logits_MC: Tensor, many_MC: Tensor) -> Tensor:
    """The right answer's lead over the wrong one, in probability, for the output where it is least.

    Args:
        many_MC: Zeros and ones.

    Returns:
        margins_M in [-1, 1].
    """
    sign_MC = 2 * many_MC.to(logits_MC.dtype) - 1
    return (logits_MC * sign_MC / 2).tanh().amin(1)  # p - (1 - p)


def squared_error(logits_MC: Tensor, scores_M: Tensor) -> Tensor:
    """Half the squared error of each unit's score.

    Args:
        logits_MC: One output a unit: the score that is said.
        scores_M: The right score; NaN is not scored.

    Returns:
        losses_M; 0 where nothing is scored.
    """
    return 0.5 * (logits_MC[:, 0] - scores_M).nan_to_num(0.0).square()


def nearness(logits_MC: Tensor, scores_M: Tensor) -> Tensor:
    """How near a score is: 1 at the right one, falling with the distance and never below -1.

    Args:
        logits_MC: One output a unit: the score that is said.
        scores_M: The right score, standardised.

    Returns:
        margins_M in [-1, 1].
    """
    return 1 - (logits_MC[:, 0] - scores_M).abs().nan_to_num(0.0).clamp_max(2.0)
