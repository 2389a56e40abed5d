"""Rows that the rung below knows already are visited less often, and count for more when they are.

Shape legend: N training rows.
"""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np

from deepen.core.files import read_jsonl
from deepen.problem.work import Work

_SURE = 0.95


def easy_rows(work: Work, below: Path | None) -> np.ndarray:
    """Which training rows the trained rung below had right: all units at once, with a probability of 0.95.

    What counts is what it said at the last visit, before it learned from it.

    Args:
        work: The climb.
        below: The model folder of that rung; its record lies beside it.

    Returns:
        easy_N: bool; nothing is easy where there is no record.
    """
    easy_N = np.zeros(len(work.train), bool)
    path = below.parent / "training.jsonl" if below is not None else None
    if path is None or not path.is_file():
        return easy_N
    losses = {line["id"]: float(line["loss"]) for line in read_jsonl(path)}  # the last visit of each row
    units_N = np.diff(work.train_targets.offsets_N1)
    for at, name in enumerate(work.train.values("id")):
        easy_N[at] = losses.get(name, math.inf) * units_N[at] < -math.log(_SURE)
    return easy_N


def draw(easy_N: np.ndarray, share: float, *, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """The rows of one visit.

    Args:
        easy_N: Which rows are easy.
        share: How many of those are visited, in (0, 1]; the others all are.
        seed: A seed for this visit.

    Returns:
        Their places, rising, and weights_N that make the expected sum over the visit that of all rows.
    """
    weights_N = np.ones(len(easy_N), np.float32)
    if share >= 1:
        return np.arange(len(easy_N)), weights_N
    weights_N[easy_N] = 1 / share
    chance = np.random.default_rng(seed)
    return np.flatnonzero(~easy_N | (chance.random(len(easy_N)) < share)), weights_N
