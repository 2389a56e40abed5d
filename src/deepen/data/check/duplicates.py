"""Rows that are there twice or nearly: in a split, across splits, in conflict. Shape legend: N rows of all splits."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from deepen.data.check.problem import Problem, Severity, Splits, place, rows, shown, targets, verb
from deepen.data.table import Part

_NEAR_LEAK = "look at a few; --set data.near.threshold=0.8 counts closer ones only"


def find(splits: Splits) -> Iterator[Problem]:
    """Copies and near-copies, and labels that conflict. Texts are compared without case, punctuation and spaces."""
    names = list(splits.parts)
    split_N = np.repeat(np.arange(len(names)), [len(splits.parts[name]) for name in names])
    if not splits.groups.searched and len(split_N) > splits.near.max_rows:
        message = f"{rows(len(split_N))}: only exact copies were looked for, not near-duplicates"
        remedy = f"--set data.near.max_rows={len(split_N)}"
        yield Problem("note", "exact_only", splits.train.table.name, None, len(split_N), message, remedy)
    for at, name in enumerate(names):
        yield from _within(splits, name, np.flatnonzero(split_N == at))
    for later in range(1, len(names)):
        for earlier in range(later):
            yield from _across(splits, split_N, earlier, later)
    yield from _conflicts(splits)


def _within(splits: Splits, name: str, rows_K: np.ndarray) -> Iterator[Problem]:
    part = splits.parts[name]
    same_K, near_K = splits.groups.same_N[rows_K], splits.groups.near_N[rows_K]
    copies_K = _repeats(same_K)
    for code, group_K, extra_K, what in (
        ("exact_duplicates", same_K, copies_K, "copy"),
        ("near_duplicates", near_K, _repeats(near_K) & ~copies_K, "nearly copy"),
    ):
        if not extra_K.any():
            continue
        count, first = int(extra_K.sum()), int(np.flatnonzero(extra_K)[0])
        original = int(np.flatnonzero(group_K == group_K[first])[0])
        if original == first:  # of a near group whose first row comes later in the file
            original = int(np.flatnonzero(group_K == group_K[first])[1])
        message = f"{rows(count)} of {name} {verb(count, what)} an earlier one"
        message += f", the first that of line {place(part, original)}"
        alone = name == "train" and "validation" not in splits.parts
        remedy = "nothing to do: rows that are held out for validation leave no copy behind" if alone else ""
        yield Problem("note", code, part.table.name, place(part, first), count, message, remedy)


def _repeats(group_K: np.ndarray) -> np.ndarray:
    """Rows whose group was seen before."""
    repeat = np.zeros(len(group_K), dtype=bool)
    grouped = np.flatnonzero(group_K >= 0)
    _, first = np.unique(group_K[grouped], return_index=True)
    repeat[grouped] = True
    repeat[grouped[first]] = False
    return repeat


def _across(splits: Splits, split_N: np.ndarray, earlier: int, later: int) -> Iterator[Problem]:
    names = list(splits.parts)
    here, there = np.flatnonzero(split_N == later), np.flatnonzero(split_N == earlier)
    known = np.zeros(len(here), dtype=bool)
    for code, group_N in (("leakage", splits.groups.same_N), ("near_leakage", splits.groups.near_N)):
        group, others = group_N[here], group_N[there]
        seen = np.isin(group, others[others >= 0]) & (group >= 0) & ~known
        known |= seen
        if not seen.any():
            continue
        first = int(np.flatnonzero(seen)[0])
        match = int(np.flatnonzero(others == group[first])[0])
        part, source = splits.parts[names[later]], splits.parts[names[earlier]]
        leak = f"take these rows out of {names[earlier]}; a score on rows that were seen before says nothing"
        how, remedy = ("are", leak) if code == "leakage" else ("have near-duplicates", _NEAR_LEAK)
        count = int(seen.sum())
        message = (
            f"{rows(count)} of {names[later]} ({seen.mean():.1%}) {verb(count, how)} in {names[earlier]}"
            f"{' too' if code == 'leakage' else ''}, the first in line {place(source, match)} there: "
            "the score on them flatters"
        )
        yield Problem("warning", code, part.table.name, place(part, first), count, message, remedy)


def _conflicts(splits: Splits) -> Iterator[Problem]:
    if not splits.train.table.has_target or splits.has_answers:
        return
    codes: dict[str, int] = {}
    values = (value for part in splits.parts.values() for value in targets(part))
    numbered = (-1 if value is None else codes.setdefault(str(value), len(codes)) for value in values)
    code_N = np.fromiter(numbered, dtype=np.int64, count=len(splits.groups.same_N))
    labels = list(codes)
    exact = _conflicting(splits.groups.same_N, code_N)
    near = _conflicting(splits.groups.near_N, code_N) & ~exact
    told: tuple[tuple[Severity, str, np.ndarray, np.ndarray, str], ...] = (
        ("warning", "conflicting_labels", splits.groups.same_N, exact, "copies"),
        ("note", "near_conflicts", splits.groups.near_N, near, "near-duplicates"),
    )
    for severity, code, group_N, rows_N, what in told:
        if not rows_N.any():
            continue
        first = int(np.flatnonzero(rows_N)[0])
        other = int(np.flatnonzero((group_N == group_N[first]) & (code_N != code_N[first]) & (code_N >= 0))[0])
        count, (_, part, at), (name, their, their_at) = int(rows_N.sum()), *(_home(splits, r) for r in (first, other))
        here, there = (shown(labels[code_N[row]]) for row in (first, other))
        how = "other tags; see" if splits.has_tags else f"another label; {here} here, {there} in"
        message = f"{rows(count)} {verb(count, 'have')} {what} with {how} line {place(their, their_at)} of {name}"
        remedy = "decide on one label for each" if severity == "warning" else "look at a few: a slip, or a fine line?"
        yield Problem(severity, code, part.table.name, place(part, at), count, message, remedy)


def _home(splits: Splits, row: int) -> tuple[str, Part, int]:
    """The split that a row is in, its rows, and where."""
    for name, part in splits.parts.items():
        if row < len(part):
            return name, part, row
        row -= len(part)
    raise IndexError(row)


def _conflicting(group_N: np.ndarray, code_N: np.ndarray) -> np.ndarray:
    """Rows whose group has more than one label."""
    size = len(group_N)
    low = np.full(size, np.iinfo(np.int64).max)
    high = np.full(size, -1)
    use = (group_N >= 0) & (code_N >= 0)
    np.minimum.at(low, group_N[use], code_N[use])
    np.maximum.at(high, group_N[use], code_N[use])
    return use & (low[group_N] < high[group_N])
