"""Runs the checks, cheap ones first."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from deepen.data.check import duplicates, labels, likeness, personal, reading, scripts, sizes, tags, texts
from deepen.data.check.problem import Problem, Splits

Check = Callable[[Splits], Iterable[Problem]]
# What `deepen train` runs before it starts: linear in the rows, and what it says changes what a score is worth.
QUICK: tuple[Check, ...] = (labels.find, texts.find, duplicates.find, personal.find)
ALL: tuple[Check, ...] = (
    *(reading.find, sizes.find, labels.find, tags.find, texts.find, scripts.find, duplicates.find, likeness.find),
    personal.find,
)
_ORDER = ("error", "warning", "note")


def examine(splits: Splits, checks: Sequence[Check] = ALL) -> list[Problem]:
    """Everything that is to be said about the data: errors first, then warnings, then notes."""
    found = [problem for check in checks for problem in check(splits)]
    return sorted(found, key=lambda problem: _ORDER.index(problem.severity))
