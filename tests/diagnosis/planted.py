"""Models whose verdict is known before anybody asks, and the cases they stand trial in.

A planted model answers from what it was built to look at: an oracle knows the answer, a reader looks for a cue, a
constant says one thing, a memoriser knows the rows it has seen. They answer altered rows too, as any model does.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from deepen.core.types import Outputs
from deepen.data.load import load_table
from deepen.data.settings import DataSettings
from deepen.data.table import Part
from deepen.diagnosis.case import Case
from deepen.preparation.catalog import load_task

SURE = 6.0
MANY = (25, pytest.param(200, marks=pytest.mark.services))
"""Planted models by which the share of wrong verdicts is counted: enough to see it, and enough to be sure of it."""


@dataclass
class Planted:
    """A model of a text's label: `answer` maps a text to a label; `seen` collects every text it was ever shown."""

    labels: tuple[str, ...]
    answer: Callable[[str], str]
    seen: list[str] = field(default_factory=list)
    num_parameters: int = 0

    def predict(self, part: Part) -> Outputs:
        texts = list(part.values("text"))
        self.seen += texts
        values = np.zeros((len(texts), len(self.labels)), np.float32)
        for row, text in enumerate(texts):
            values[row, self.labels.index(self.answer(text))] = SURE
        return Outputs(values, np.arange(len(texts) + 1))

    def calibrate(self, temperature: float) -> None:
        raise AssertionError("a diagnosis must not touch the model")

    def save(self, folder: Path) -> None:
        raise AssertionError("a diagnosis must not save the model")


def constant(labels: Sequence[str]) -> Planted:
    """Says the first label, whatever it is shown."""
    return Planted(tuple(labels), lambda text: labels[0])


def reader(labels: Sequence[str], cues: Mapping[str, str], otherwise: Callable[[str], str]) -> Planted:
    """Looks for a cue word and says the label that goes with it; without one it asks `otherwise`."""

    def answer(text: str) -> str:
        words = set(text.lower().split())
        return next((label for cue, label in cues.items() if cue in words), "") or otherwise(text)

    return Planted(tuple(labels), answer)


def memoriser(labels: Sequence[str], known: Mapping[str, str]) -> Planted:
    """Knows the rows it has seen, by heart; says the first label of any other."""
    return Planted(tuple(labels), lambda text: known.get(text, labels[0]))


def part_of(rows: Sequence[Mapping[str, Any]], task: str = "classification") -> Part:
    """Rows as a part."""
    return load_table(list(rows), load_task(task).needs, DataSettings())[0].all_rows()


def case_of(
    rows: Sequence[Mapping[str, Any]],
    ladder: Mapping[str, Any],
    *,
    train: Sequence[Mapping[str, Any]] | None = None,
    task: str = "classification",
    seed: int = 0,
    **more: Any,
) -> Case:
    """A case of planted models; the last of `ladder` is on trial, and all have the label table of the rows."""
    known = load_task(task)
    part = part_of(rows, task)
    learned = part_of(train, task) if train is not None else None
    labels = known.labels(learned if learned is not None else part, None)
    predictors = {name: (lambda model=model: model) for name, model in ladder.items()}
    return Case(
        known, labels, part, "test", list(ladder)[-1], predictors, train=learned, missing="none", seed=seed, **more
    )
