"""Rows of one label are drawn together and those of others apart: supervised contrast within a batch.

Shape legend: B rows of a batch, F features of a row.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn


def contrast_losses(features_BF: Tensor, labels_B: Tensor, *, temperature: float) -> Tensor:
    """How surprising each row's partners of its own label are among all other rows of the batch.

    Args:
        features_BF: A vector of each row; its length does not matter.
        labels_B: The label of each.
        temperature: By which cosines are divided.

    Returns:
        losses_B in nats, the mean over a row's partners; 0 for a row without one.

    Source:
        Khosla et al. 2020 (https://arxiv.org/abs/2004.11362), equation 2.
    """
    units_BF = nn.functional.normalize(features_BF, dim=1)
    own_BB = torch.eye(len(labels_B), dtype=torch.bool, device=labels_B.device)
    logits_BB = (units_BF @ units_BF.T / temperature).masked_fill(own_BB, -torch.inf)
    partners_BB = (labels_B[:, None] == labels_B[None, :]) & ~own_BB
    log_probs_BB = logits_BB - logits_BB.logsumexp(1, keepdim=True)
    sums_B = torch.where(partners_BB, log_probs_BB, torch.zeros_like(log_probs_BB)).sum(1)
    return -sums_B / partners_BB.sum(1).clamp(min=1)


def label_groups(labels_N: np.ndarray, *, size: int, seed: int) -> Sequence[np.ndarray]:
    """Groups of rows with one label, which go into one batch together.

    Args:
        labels_N: The label of each row.
        size: Rows of a group; the last one of a label may be smaller.
        seed: A seed for this visit.

    Returns:
        Places in [0, N), each in one group.
    """
    chance = np.random.default_rng(seed)
    groups: list[np.ndarray] = []
    for label in np.unique(labels_N):
        rows = chance.permutation(np.flatnonzero(labels_N == label))
        groups += np.array_split(rows, -(-len(rows) // size))
    return groups
