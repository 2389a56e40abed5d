"""A score of some rows from their predictions alone, whatever the task: the share that is right, F1, or an error.

Shape legend: N rows, K sums of a score, B resamples.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from deepen.evaluation.answers import answer_statistics, mean_f1
from deepen.evaluation.statistics import Statistic, bootstrap, share, wilson
from deepen.evaluation.tagging import entity_f1, entity_statistics
from deepen.reporting import words


@dataclass(frozen=True, slots=True)
class RowScores:
    """Sums of a score, a row an example, and how a value comes from them; `is_share` if rows are right or wrong."""

    name: str
    stats_NK: np.ndarray
    value_of: Statistic
    is_share: bool = False

    def of(self, rows: np.ndarray) -> words.Record:
        """The score of some rows, by number, with its 95 % interval."""
        stats_NK = self.stats_NK[rows]
        if self.is_share:
            right, n = float(stats_NK[:, 0].sum()), len(rows)
            low, high = wilson(right, n)
            return {"name": self.name, "value": right / n, "low": low, "high": high, "n": n}
        found, n = bootstrap(stats_NK, self.value_of, seed=0), len(rows)
        low, high = found.low, found.high
        if low == high and found.value in (0, 1):  # nothing varies, and yet another draw of rows might
            low, high = wilson(found.value * n, n)
        return {"name": self.name, "value": found.value, "low": low, "high": high, "n": n}


def row_scores(answer: str, pairs: Sequence[tuple[Any, Any]]) -> RowScores:
    """The score of rows, at least one, of which each has what is right and what was answered.

    `answer` is what an answer is, as in `Shown`. The score is the one that means the same for a few rows as for all:
    not macro F1, which misses the labels a few rows lack.
    """
    if answer == "tags":
        return RowScores("entity_f1", _entities(pairs), entity_f1)
    if answer == "many":
        counts = [(len({*said} & {*gold}), len({*said}), len({*gold})) for gold, said in pairs]
        return RowScores("micro_f1", np.array(counts, np.float64), entity_f1)
    if answer == "span":
        stats_NK = answer_statistics([said for _, said in pairs], [gold for gold, _ in pairs])
        return RowScores("answer_f1", stats_NK, mean_f1)
    if all(isinstance(said, float) for _, said in pairs):
        errors = [(abs(said - float(gold)), 1.0) for gold, said in pairs]
        return RowScores("mae", np.array(errors), _mean)
    right = [(float(said == gold), 1.0) for gold, said in pairs]
    return RowScores("recall_at_1" if answer == "document" else "accuracy", np.array(right), _mean, is_share=True)


def _mean(sums_BK: np.ndarray) -> np.ndarray:
    return share(sums_BK[:, 0], sums_BK[:, 1])


def _entities(pairs: Sequence[tuple[Any, Any]]) -> np.ndarray:
    """Right, decided and true entities of each row: tags as numbers, odd where an entity begins."""
    types: dict[str, int] = {}
    both: list[list[int]] = [[], []]
    for pair in pairs:
        for numbers, tags in zip(both, pair, strict=True):
            for tag in tags:
                at = 2 * types.setdefault(tag[2:], len(types)) if tag != "O" else 0
                numbers.append(at + (1 if tag.startswith("B-") else 2) if tag != "O" else 0)
    ends = np.cumsum([0, *(len(gold) for gold, _ in pairs)])
    gold_M, said_M = (np.array(numbers, np.int64) for numbers in both)
    return entity_statistics(said_M, gold_M, ends)
