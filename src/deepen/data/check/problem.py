"""What a check is given and what it finds. Shape legend: N rows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

import numpy as np
import pyarrow as pa

from deepen.data.near import Groups, NearSettings, answers_alone, near_duplicates, united
from deepen.data.source import clip
from deepen.data.table import Part

Severity = Literal["error", "warning", "note"]


@dataclass(frozen=True, slots=True)
class Problem:
    """One finding about data: what kind, where it was seen first, how often, and what to do.

    An error stops `deepen train`; a warning would make a score or the model worse than it looks; a note is good to
    know. `line` is where the first row of it starts, None where it is about the whole file. `remedy` is a command or a
    setting where there is one.
    """

    severity: Severity
    code: str
    file: str
    line: int | None
    count: int
    message: str
    remedy: str = ""


@dataclass(frozen=True)
class TokenLengths:
    """How many tokens each row would have if nothing was cut, and where a model cuts."""

    lengths_N: np.ndarray
    max_tokens: int
    model: str


@dataclass(frozen=True)
class Splits:
    """The splits checked together, `train` first; those `stopping` training by bad rows, token lengths where known.

    `scores` and `texts` say that targets are numbers, or answers in words.
    """

    parts: Mapping[str, Part]
    near: NearSettings = field(default_factory=NearSettings)
    tokens: Mapping[str, TokenLengths] = field(default_factory=dict)
    max_labels: int | None = None
    stopping: frozenset[str] = frozenset()
    scores: bool = False
    texts: bool = False

    @property
    def train(self) -> Part:
        """The training rows."""
        return self.parts["train"]

    @cached_property
    def groups(self) -> Groups:
        """Equal and nearly equal rows over all splits, in their order; where answers are text, by these too."""
        parts = list(self.parts.values())
        found = near_duplicates(parts, self.near)
        if not self.texts:
            return found
        theirs = near_duplicates([answers_alone(part) for part in parts], self.near)
        long_N = np.array([len(text[0]) >= self.near.min_chars for part in parts for text in part.values("target")])
        near_N, same_N = (np.where(long_N, groups, -1) for groups in (theirs.near_N, theirs.same_N))
        return Groups(found.same_N, united(found.near_N, np.where(near_N < 0, same_N, near_N)), found.searched)

    @property
    def has_labels(self) -> bool:
        """Whether the training rows have one label each."""
        return self.train.table.has_target and not self._has_lists and not self.scores

    @property
    def has_tags(self) -> bool:
        """Whether the training rows have a label for each token."""
        return self._has_lists and "tokens" in self.train.table.inputs

    @property
    def has_answers(self) -> bool:
        """Whether the targets are answers; rows that share the text differ in the question, or have several."""
        return self.texts or "starts" in self.train.table.arrow.column_names

    @property
    def _has_lists(self) -> bool:
        arrow = self.train.table.arrow
        return self.train.table.has_target and pa.types.is_list(arrow.schema.field("target").type)


def place(part: Part, at: int) -> int:
    """The line where a row of a part starts."""
    return int(part.table.arrow.column("line")[int(part.rows_N[at])].as_py())


def targets(part: Part) -> Iterable[Any]:
    """The targets of a part; None for each row if it has none."""
    return part.values("target") if part.table.has_target else [None] * len(part)


def rows(count: int) -> str:
    """`1 row`, `2 rows`."""
    return f"{count:,} row" + ("" if count == 1 else "s")


def verb(count: int, plural: str) -> str:
    """A verb for so many rows.

    Example:
        >>> verb(1, "copy"), verb(2, "copy"), verb(1, "are")
        ('copies', 'copy', 'is')
    """
    if count != 1:
        return plural
    if plural in ("are", "have"):
        return "is" if plural == "are" else "has"
    first, *rest = plural.split(" ")
    if first == "nearly":
        return f"nearly {verb(1, ' '.join(rest))}"
    ending = first[:-1] + "ies" if first.endswith("y") else first + ("es" if first.endswith("x") else "s")
    return " ".join([ending, *rest])


def shown(text: str, chars: int = 60) -> str:
    """A text, short enough for a message."""
    return f"'{clip(text, chars)}'"
