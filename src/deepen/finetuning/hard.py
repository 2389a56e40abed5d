"""Hard negatives: rows whose documents look right for each other's queries are told apart in one batch.

Shape legend: N training rows, F features of a text.
"""

from __future__ import annotations

import numpy as np

_BLOCK = 256


def hard_groups(
    queries_NF: np.ndarray, documents_NF: np.ndarray, ids_N: np.ndarray, *, size: int, seed: int
) -> list[np.ndarray]:
    """Groups of rows: one drawn at random, and those whose documents fit its query best after its own.

    A document that fits better than the right one is left out: often it is right too, and nobody said so.

    Args:
        queries_NF: A unit vector of each row's query.
        documents_NF: One of its document.
        ids_N: Which document it is; rows with the same one are no negatives of each other.
        size: The most rows of a group.
        seed: A seed for this visit.

    Returns:
        Places in [0, N), each in one group.

    Source:
        Xiong et al. 2021 (https://arxiv.org/abs/2007.00808) for negatives that the model itself finds near; Qu et al.
        2021 (https://arxiv.org/abs/2010.08191) for leaving out those that may be right.
    """
    order_N = np.random.default_rng(seed).permutation(len(ids_N))
    free_N = np.ones(len(ids_N), bool)
    groups: list[np.ndarray] = []
    at = 0
    while at < len(order_N):
        firsts = order_N[at : at + _BLOCK]
        at += _BLOCK
        firsts = firsts[free_N[firsts]]
        fits_KN = np.asarray(queries_NF[firsts] @ documents_NF.T)
        for first, fits_N in zip(firsts, fits_KN, strict=True):
            if not free_N[first]:
                continue
            near_N = np.flatnonzero(free_N & (ids_N != ids_N[first]) & (fits_N < fits_N[first]))
            most = min(size - 1, len(near_N))
            best = near_N[np.argpartition(-fits_N[near_N], most - 1)[:most]] if most > 0 else near_N[:0]
            groups.append(np.concatenate([[first], best]))
            free_N[groups[-1]] = False
    return groups
