"""The rows of a run, on their way from what a person gave to what a climb learns from: each step gives new ones."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from deepen.core.files import fingerprint
from deepen.data.columns import Columns
from deepen.data.label_names import LabelNames
from deepen.data.marks import ForSplit
from deepen.data.masking import Kind
from deepen.data.table import Part
from deepen.preparation.told import Told
from deepen.problem.problem import Problem
from deepen.problem.task import Task
from deepen.problem.threshold import Wish


@dataclass(frozen=True)
class Rows:
    """The rows of a run, as far as it is prepared.

    Attributes:
        columns: Which columns of the data are what.
        names: Names of the label codes; None if nothing names them.
        validation: Those that decide; None before they were held out.
        wish: What is wanted of one of two labels.
        unmasked: Kinds of personal data that stay, since the task must find them.
        scored: Where the test rows are, or else the validation rows.
        amended: Marks what lists of ids changed and what was added; empty if nothing.
        told: What there is to say of how they came about.
        fold_N: The fold in which each row of the training data decides, -1 for none: `validation` has all that do, and
            they are training rows too. None where other rows decide.
        outside: The label of rows that belong to none of the labels; None where no such rows are wanted.
    """

    task: Task
    labels: tuple[str, ...]
    columns: Columns
    names: LabelNames | None
    train: Part
    validation: Part | None
    test: Part | None
    wish: Wish | None = None
    scored: ForSplit | None = None
    unmasked: tuple[Kind, ...] = ()
    unlabelled: Part | None = None
    amended: str = ""
    told: Told = field(default_factory=Told)
    fold_N: np.ndarray | None = None
    outside: str | None = None

    @property
    def given(self) -> dict[str, Part]:
        """The parts with labels that are there, by name."""
        parts = {"train": self.train, "validation": self.validation, "test": self.test}
        return {name: part for name, part in parts.items() if part is not None}

    def without_fold(self, fold: int, train: Part) -> Part:
        """Of the training rows, as they were amended, those that are not held out with a fold."""
        assert self.fold_N is not None  # noqa: S101 - there are folds
        amended_N = np.append(self.fold_N, np.full(len(train.table) - len(self.fold_N), -1))
        return train.take(np.flatnonzero(amended_N[train.rows_N] != fold))

    @property
    def problem(self) -> Problem:
        """What is learned from them."""
        assert self.validation is not None  # noqa: S101 - `split` has held them out
        descriptions = dict(self.names.descriptions) if self.names is not None else {}
        return Problem(self.task, self.labels, self.train, self.validation, descriptions)

    @property
    def mark(self) -> str:
        """Equal for equal rows and labels in every part: a run goes on with the data it began with."""
        parts = (self.train, self.validation, self.test, *([self.unlabelled] if self.unlabelled else []))
        prints = [part.table.fingerprint if part else None for part in parts]
        return fingerprint(prints, list(self.labels), *([self.amended] if self.amended else []))

    def noting(self, *notes: str) -> Rows:
        """The same with more to say."""
        return replace(self, told=self.told.and_notes(*notes))

    def warning(self, *warnings: str) -> Rows:
        """The same with more to warn of."""
        return replace(self, told=self.told.and_warnings(*warnings))
