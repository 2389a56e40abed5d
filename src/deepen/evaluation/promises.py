"""A promise as it is kept with its run: what was promised, what backs it, and whether it still holds.

`bounds.py` makes them.
"""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Literal, get_args

from deepen.core.errors import DataError, SettingError
from deepen.core.files import read_object, write_json

Kind = Literal["disagreement", "error", "harm"]
Counted = Literal["all", "answered"]
FOLDER = "bounds"
"""Where a run keeps them."""
NONE_OF_THESE = "none-of-these"
"""The promise of a run that gives some rows no answer; what tells them is in the same file."""
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,60}")


@dataclass(frozen=True)
class Slice:
    """A promise for the rows of one kind; as in `Bound`."""

    name: str
    rows: int
    threshold: float | None
    coverage: float
    wrong: int
    upper: float


@dataclass(frozen=True)
class Bound:
    """A promise with what backs it.

    Attributes:
        promise: What is counted as wrong: `error`, `disagreement` with another model, or `harm`.
        at_most: The share that was promised, e.
        confidence: 1 - d.
        rows: How many held-out rows back it.
        threshold: Answers whose score is this or more are given; None where the promise can't be made, and where no
            threshold was asked for.
        coverage: The share of those rows that is answered.
        since: When it was made, in UTC.
        expired: Whether it holds no longer.
        why: What it rests on, what is lacking, or why it expired, in a sentence.
        kept: Whether the promise could be made.
        counted: The share is one of `all` rows, or only of those that are `answered`.
        wrong: Answered rows that were wrong.
        upper: The bound itself: no larger share of wrong answers fits these rows, at this confidence.
        slices: The same for each kind of rows, if asked for; the confidence holds for all of them together.
    """

    promise: Kind
    at_most: float
    confidence: float
    rows: int
    threshold: float | None
    coverage: float
    since: str
    expired: bool
    why: str
    kept: bool
    counted: Counted
    wrong: int
    upper: float
    slices: tuple[Slice, ...] = ()


def expired(bound: Bound, why: str) -> Bound:
    """A promise that holds no longer; `why` says in a sentence what has changed."""
    return replace(bound, expired=True, why=why)


def bound_file(run: Path, name: str) -> Path:
    """Where a run's folder keeps a promise. SettingError unless its name is of small letters, digits, `-` and `_`."""
    if not _NAME.fullmatch(name):
        raise SettingError(f"'{name[:80]}' is no name for a bound: small letters, digits, - and _")
    return run / FOLDER / f"{name}.json"


def write_bound(run: Path, name: str, bound: Bound) -> Path:
    """Stores a promise with its run, in the file that it returns."""
    path = bound_file(run, name)
    write_json(path, asdict(bound))
    return path


def read_bound(run: Path, name: str) -> Bound:
    """What `write_bound` wrote; fields of a later release are left out. DataError if it is missing or damaged."""
    path = bound_file(run, name)
    found = read_object(path)
    try:
        known = {key: found[key] for key in Bound.__dataclass_fields__ if key in found}
        slices = [{key: one[key] for key in Slice.__dataclass_fields__} for one in known["slices"]]
        bound = Bound(**known | {"slices": tuple(Slice(**one) for one in slices)})
        numbers = (bound.at_most, bound.confidence, bound.coverage, bound.upper, *(one.upper for one in bound.slices))
        right = all(0 <= number <= 1 for number in numbers) and isinstance(bound.expired, bool)
        if not right or bound.promise not in get_args(Kind) or bound.counted not in get_args(Counted):
            raise ValueError
    except (TypeError, KeyError, ValueError):
        raise DataError(f"{path} is damaged: it holds no bound", file=str(path)) from None
    return bound
