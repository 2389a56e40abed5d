"""Whether a window's answers are wrong more often: learned from planted failures, and tried on kinds left out.

Harm is accuracy down by 5 points and more. Two things are learned: how likely an answer is right, by evidence, and from
windows how far accuracy has fallen and whether that is harm. Each kind of failure is also judged by what was learned
from the others alone: that gives the precision and recall that are told, and the intervals.

Concept shift, where the same text should now get another answer, changes nothing here and can't be seen.

Shape legend: N rows, W windows, E pieces of evidence.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from deepen.watching.evidence import Evidence, Linear, clues, clues_of, logistic, sigmoid
from deepen.watching.planted import Planted
from deepen.watching.rows import Rows, joined

HARM = 0.05
"""Of accuracy, from which on a loss is harm."""
LEAST = 0.5
"""The probability of harm from which on an alarm says so."""


@dataclass(frozen=True)
class Learned:
    """What some kinds have taught: the chance of an answer to be right, and what each clue says of a window's loss."""

    right: Linear
    weight_3: list[float]


@dataclass(frozen=True)
class Harm:
    """What is known of a run's failures; written as JSON into the run.

    Attributes:
        learned: From all kinds, and from all but one, by the name of that one.
        kinds: For each kind: windows, how many were harmed, precision and recall where the kind was left out, and the
            mean absolute error of the accuracy that was estimated.
        spread: Which error of the estimated accuracy 95 % of the windows of kinds left out stay within.
    """

    with_texts: bool
    learned: dict[str, Learned]
    kinds: dict[str, dict[str, float | int | None]]
    spread: float

    def to_json(self) -> dict[str, Any]:
        """As a dictionary."""
        return asdict(self)

    @classmethod
    def of_json(cls, value: dict[str, Any]) -> Harm:
        """Reads it again; KeyError or TypeError if it is damaged."""
        learned = {name: Learned(Linear(**one["right"]), one["weight_3"]) for name, one in value["learned"].items()}
        return cls(value["with_texts"], learned, value["kinds"], value["spread"])


ALL = ""


def calibrate(evidence: Evidence, own: Rows, damaged: dict[str, list[Rows]], planted: Sequence[Planted]) -> Harm:
    """Learns from planted failures.

    Args:
        evidence: As seen from some held-out rows.
        own, damaged: Other held-out rows, and the same with damaged texts; all of them were `seen` by evidence.
        planted: Windows of `own` and `damaged`.
    """
    from scipy.optimize import nnls

    of_kind = {kind: joined(strengths) for kind, strengths in damaged.items()}
    seen = {kind: (evidence(rows), rows.right_N) for kind, rows in {"none": own, **of_kind}.items()}
    windows = [(one, evidence(one.rows)) for one in planted]
    true_W = own.right_N.mean() - np.array([one.rows.right_N.mean() for one in planted])
    kind_W = np.array([one.kind for one in planted])
    made, missed, judged = {}, [], {}
    for left_out in (ALL, *sorted({one.kind for one in planted} - {"none"})):
        right = _right(evidence, [seen[kind] for kind in seen if kind != left_out])
        against = clues_of(own, sigmoid(right(seen["none"][0])))
        values_W3 = np.array([clues(one.rows, sigmoid(right(values)), against) for one, values in windows])
        weight_3, _ = nnls(values_W3[kind_W != left_out], true_W[kind_W != left_out])
        made[left_out] = Learned(right, weight_3.tolist())
        if left_out != ALL:
            loss_W = values_W3 @ weight_3
            at_W = (kind_W == left_out) | (kind_W == "none")
            missed.append(np.abs(loss_W - true_W)[kind_W == left_out])
            judged[left_out] = _told(true_W[at_W], loss_W[at_W])
    return Harm(evidence.with_texts, made, judged, float(np.quantile(np.concatenate(missed), 0.95)))


def _right(evidence: Evidence, seen: Sequence[tuple[np.ndarray, np.ndarray]]) -> Linear:
    """The chance of answers to be right: all kinds weigh the same, and so do the rows evidence is seen from."""
    rows = [(evidence.own_NE, evidence.reference.right_N), *seen]
    weights_N = np.concatenate([np.full(len(right), 1 / len(right)) for _, right in rows])
    weights_N *= len(weights_N) / weights_N.sum()
    return logistic(np.concatenate([one for one, _ in rows]), np.concatenate([one for _, one in rows]), weights_N)


def _told(true_W: np.ndarray, loss_W: np.ndarray) -> dict[str, float | int | None]:
    harmed_W, said_W = true_W >= HARM, loss_W >= HARM
    hits = int((harmed_W & said_W).sum())
    return {
        "windows": len(harmed_W),
        "harmed": int(harmed_W.sum()),
        "precision": hits / int(said_W.sum()) if said_W.any() else None,
        "recall": hits / int(harmed_W.sum()) if harmed_W.any() else None,
        "mean_absolute_error": float(np.abs(loss_W - true_W).mean()),
    }


@dataclass(frozen=True)
class Estimate:
    """What is thought of rows without labels: the probability of harm and accuracy, each with its ends."""

    harm: tuple[float, float, float]
    accuracy: tuple[float, float, float]
    n: int


class Estimator:
    """Estimates of rows without labels, by evidence as seen from all held-out rows of a run."""

    def __init__(self, harm: Harm, evidence: Evidence) -> None:
        self._harm, self._evidence = harm, evidence
        self._against = {
            name: clues_of(evidence.reference, sigmoid(one.right(evidence.own_NE)))
            for name, one in harm.learned.items()
        }
        self.accuracy = float(evidence.reference.right_N.mean())

    def seen(self, rows: Rows) -> Rows:
        """Rows with how strange they are, for `estimate`."""
        return self._evidence.seen(rows)

    def estimate(self, rows: Rows) -> Estimate:
        """What is thought of rows that were `seen`."""
        from scipy.stats import norm

        evidence_NE = self._evidence(rows)
        losses = {
            name: float(clues(rows, sigmoid(one.right(evidence_NE)), self._against[name]) @ one.weight_3)
            for name, one in self._harm.learned.items()
        }
        harms = {name: float(norm.sf(HARM, loss, self._harm.spread / 1.96)) for name, loss in losses.items()}
        n, accuracy = len(rows), float(np.clip(self.accuracy - losses[ALL], 0, 1))
        drawn = np.sqrt(accuracy * (1 - accuracy) * (1 / n + 1 / len(self._evidence.reference)))
        spread = float(np.hypot(self._harm.spread, 1.96 * drawn))
        ends = max(0.0, accuracy - spread), min(1.0, accuracy + spread)
        return Estimate((harms[ALL], min(harms.values()), max(harms.values())), (accuracy, *ends), n)
