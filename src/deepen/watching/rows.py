"""Rows as they are watched: what a run said of them and, where there are texts, what it made of them.

Shape legend: N rows, C labels, R cheaper rungs, F numbers of a state.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Rows:
    """Answered rows.

    Attributes:
        ids: By which labels come back.
        probabilities_NC: Of each label.
        texts: All that each row says; None where only answers were kept.
        states_NF: What the model's head reads, dense or sparse; None without texts, or if the model has none.
        cheaper_RNC: Probabilities by the run's cheaper rungs, of which there may be none; None without texts.
        num_tokens_N: None where it was not kept.
        truncated_N: Whether the model read a part only; None as above.
        targets_N: The number of the right label; None without labels.
        refused_N: Whether each looks like none of the labels; None if the run does not tell, or without texts.
        strange_NE: How strange rows are beside a reference, as `evidence.py` found it; None before.
    """

    ids: Sequence[str]
    probabilities_NC: np.ndarray
    texts: Sequence[str] | None = None
    states_NF: Any = None
    cheaper_RNC: np.ndarray | None = None
    num_tokens_N: np.ndarray | None = None
    truncated_N: np.ndarray | None = None
    targets_N: np.ndarray | None = None
    refused_N: np.ndarray | None = None
    strange_NE: np.ndarray | None = None

    def __len__(self) -> int:
        """The number of rows, N."""
        return len(self.probabilities_NC)

    @property
    def answers_N(self) -> np.ndarray:
        """The number of the label that was answered."""
        return np.asarray(self.probabilities_NC.argmax(1))

    @property
    def confidences_N(self) -> np.ndarray:
        """The probability of the label that was answered."""
        return np.asarray(self.probabilities_NC.max(1))

    @property
    def right_N(self) -> np.ndarray:
        """Whether each answer is right; only with targets."""
        return np.asarray(self.answers_N == self.targets_N)

    def take(self, at_N: np.ndarray) -> Rows:
        """Some of the rows."""

        def some(values: Any) -> Any:
            return None if values is None else values[at_N]

        return replace(
            self,
            ids=[self.ids[at] for at in at_N],
            probabilities_NC=self.probabilities_NC[at_N],
            texts=None if self.texts is None else [self.texts[at] for at in at_N],
            states_NF=some(self.states_NF),
            cheaper_RNC=None if self.cheaper_RNC is None else self.cheaper_RNC[:, at_N],
            num_tokens_N=some(self.num_tokens_N),
            truncated_N=some(self.truncated_N),
            targets_N=some(self.targets_N),
            refused_N=some(self.refused_N),
            strange_NE=some(self.strange_NE),
        )


def joined(parts: Sequence[Rows]) -> Rows:
    """Rows of several parts that hold the same things."""
    from scipy.sparse import issparse, vstack

    first = parts[0]

    def all_of(name: str, axis: int = 0) -> Any:
        values = [getattr(part, name) for part in parts]
        if any(value is None for value in values):
            return None
        return vstack(values, format="csr") if issparse(values[0]) else np.concatenate(values, axis=axis)

    return replace(
        first,
        ids=[one for part in parts for one in part.ids],
        probabilities_NC=all_of("probabilities_NC"),
        texts=None
        if any(part.texts is None for part in parts)
        else [one for part in parts for one in part.texts or ()],
        states_NF=all_of("states_NF"),
        cheaper_RNC=all_of("cheaper_RNC", 1),
        num_tokens_N=all_of("num_tokens_N"),
        truncated_N=all_of("truncated_N"),
        targets_N=all_of("targets_N"),
        refused_N=all_of("refused_N"),
        strange_NE=all_of("strange_NE"),
    )
