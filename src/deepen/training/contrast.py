"""Rows of one label are drawn together and those of others apart: the cosine of every pair of a batch is trained.

Shape legend: B rows of a batch, F features of a row.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from torch import Tensor, nn


def contrast_losses(features_BF: Tensor, labels_B: Tensor) -> Tensor:
    """How far each row's cosines are from 1, with rows of its label, and from 0, with others.

    Args:
        features_BF: A vector of each row; its length does not matter.
        labels_B: The label of each.

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
