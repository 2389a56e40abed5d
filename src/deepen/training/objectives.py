"""The losses that tasks share: what is minimised, and by how much the right answer leads.

Shape legend: M units, C outputs.
"""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional

from deepen.evaluation.calibration import NOT_SCORED


def cross_entropy(logits_MC: Tensor, labels_M: Tensor) -> Tensor:
    """The log loss of each unit.

    Args:
        logits_MC: Logits.
        labels_M: The right class; -100 is not scored.

    Returns:
        losses_M in nats; 0 where nothing is scored.
    """
    return functional.cross_entropy(logits_MC, labels_M, ignore_index=NOT_SCORED, reduction="none")


def margins(logits_MC: Tensor, labels_M: Tensor) -> Tensor:
    """The right class's lead over the best wrong one, in probability.

    Args:
        logits_MC: Logits.
        labels_M: The right class.

    Returns:
        margins_M in [-1, 1].
    """
    probs_MC = logits_MC.softmax(-1)
    right_M = probs_MC.gather(1, labels_M.clamp_min(0)[:, None])[:, 0]
    others_MC = probs_MC.scatter(1, labels_M.clamp_min(0)[:, None], -1.0)
    return right_M - others_MC.max(-1).values
