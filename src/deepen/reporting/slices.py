"""How the chosen rung does on slices of the scored rows: by length, label, its rarity, columns not learned from.

Start with `read_slices`. Shape legend: N rows.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from markupsafe import Markup

from deepen.core.errors import DataError
from deepen.core.files import read_jsonl
from deepen.core.ladder import Ladder
from deepen.core.slices import read_slicing
from deepen.reporting import strips, words
from deepen.reporting.row_scores import RowScores, row_scores
from deepen.reporting.shown import shown

FEW = 30
"""Of fewer rows a score may lie anywhere, and the page says so."""
_MOST_SLICES = 12
_MOST_COLUMNS = 20
_RARE = (1, 10, 50, 200, 1000)
_EMPTY = (math.inf, "(empty)")
_BY_LABEL, _BY_COLUMN = "By label", "By column"


@dataclass(frozen=True, slots=True)
class Slice:
    """Some rows: their score with its interval and `n`; `apart` if there are enough and all rows' score is outside."""

    name: str
    score: words.Record
    apart: str
    picture: Markup

    @property
    def few(self) -> bool:
        """Whether these are too few rows to judge by."""
        return bool(self.score["n"] < FEW)


@dataclass(frozen=True, slots=True)
class Group:
    """All rows, told apart by one thing; `num_left_out` slices are not shown, `named_by_data` says who named them."""

    title: str
    named_by_data: bool
    slices: Sequence[Slice]
    num_left_out: int


@dataclass(frozen=True, slots=True)
class Slices:
    """The groups of a run's scored rows, and the score of all of them."""

    where: str
    whole: words.Record
    groups: Sequence[Group]

    @property
    def num_slices(self) -> int:
        """How many are shown: of so many, a few are apart by chance."""
        return sum(len(group.slices) for group in self.groups)


@dataclass(frozen=True, slots=True)
class _Row:
    place: int
    length: int
    target: Any
    output: Any
    is_cut: bool


Places = Sequence[Sequence[tuple[float, str]]]
"""The slices that each row is in, none, one or several: where they stand among the others, and what they are called."""


def read_slices(run: Path, ladder: Ladder) -> Slices | None:
    """Reads the chosen rung's predictions once more. None if there are none with a target.

    Raises:
        DataError: If a file is damaged.
    """
    for where in ("test", "validation"):
        path = run / "rungs" / str(ladder.chosen) / f"predictions-{where}.jsonl"
        if path.is_file():
            try:
                rows = list(_rows(path, shown(ladder).answer))
                return _slices(run, ladder, where, rows) if rows else None
            except (KeyError, TypeError, ValueError, AttributeError) as error:
                raise DataError(f"{path} is damaged: a line in it is no prediction: {error}") from None
    return None


def _rows(path: Path, answer: str) -> Iterator[_Row]:
    for place, line in enumerate(read_jsonl(path)):
        inputs = line.get("inputs") or {}
        target = inputs.get("answer") if answer == "document" else line.get("target")
        if target is not None and line.get("output") is not None:
            length = sum(len(value) for value in inputs.values() if isinstance(value, str))
            yield _Row(place, length, target, line["output"], bool(line.get("truncated")))


def _slices(run: Path, ladder: Ladder, where: str, rows: Sequence[_Row]) -> Slices:
    slicing = read_slicing(run)
    scores = row_scores(shown(ladder).answer, [(row.target, row.output) for row in rows])
    labels = [_labels(ladder, row.target) for row in rows]
    parts = {"By length of the text, in letters": _by_number([row.length for row in rows])}
    parts["By what the model reads of the text"] = [[(0, "a part")] if row.is_cut else [(1, "all")] for row in rows]
    if scores.name == "mae":
        parts["By what is right"] = _by_number([float(row.target) for row in rows])
    parts[_BY_LABEL] = [[(0, name) for name in names] for names in labels]
    parts["By how many training rows have the rarest of its labels"] = _by_rarity(labels, slicing.training_rows)
    for name, cells in list(slicing.columns.items())[:_MOST_COLUMNS]:
        if len(cells) > rows[-1].place:
            title = f"By column “{words.shorten(name, 60)}”, not learned from"
            parts[title] = _by_cell([cells[row.place] for row in rows])
    whole = scores.of(np.arange(len(rows)))
    groups = [_group(title, places, scores, whole) for title, places in parts.items()]
    return Slices(where, whole, [group for group in groups if len(group.slices) > 1])


def _labels(ladder: Ladder, target: Any) -> list[str]:
    """The labels that a row has: of tags the types of its entities."""
    answer = shown(ladder).answer
    if answer == "span":
        return ["an answer" if any(target) else "no answer"]
    if answer == "tags":
        return list(dict.fromkeys(tag[2:] for tag in target if tag != "O"))
    if answer == "many":
        return list(target)
    return [target] if target in ladder.labels and answer != "document" else []


def _by_rarity(labels: Sequence[Sequence[str]], training_rows: Mapping[str, int]) -> Places:
    """By how often training rows have the rarest label of a row; of a type of entities, how many words begin one."""
    places: list[list[tuple[float, str]]] = []
    for names in labels:
        counts = [training_rows.get(name) or training_rows.get(f"B-{name}", 0) for name in names]
        known = [count for count in counts if count]
        least = [start for start in _RARE if known and start <= min(known)]
        after = _RARE[len(least)] if len(least) < len(_RARE) else None
        name = f"{least[-1]:,} to {after - 1:,}" if least and after else f"{_RARE[-1]:,} or more"
        places.append([(len(least), name)] if least else [])
    return places


def _by_cell(cells: Sequence[float | str | None]) -> Places:
    if all(isinstance(cell, float) for cell in cells if cell is not None):
        return _by_number(cells)
    return [[_EMPTY if cell is None else (_size(str(cell)), str(cell))] for cell in cells]


def _size(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return 0.0


def _by_number(values: Sequence[Any]) -> Places:
    """Four slices of about as many rows, from low to high."""
    known = np.array([value for value in values if value is not None], np.float64)
    cuts = np.unique(np.quantile(known, [0.25, 0.5, 0.75], method="lower")) if len(known) else known
    cuts = cuts[cuts < known.max()] if len(known) else cuts
    if not len(cuts):
        return []
    if (known == np.round(known)).all():
        lasts = [f"{cut:,.0f}" for cut in cuts]
        firsts = [f"{cut + 1:,.0f}" for cut in cuts]
        between = [
            first if first == last else f"{first} to {last}" for first, last in zip(firsts, lasts[1:], strict=False)
        ]
        names = [f"up to {lasts[0]}", *between, f"{firsts[-1]} or more"]
    else:
        ends = [f"{cut:.4g}" for cut in cuts]
        names = [f"up to {ends[0]}", *(f"above {low} to {high}" for low, high in pairwise(ends)), f"above {ends[-1]}"]
    places = [None if value is None else int(np.searchsorted(cuts, value)) for value in values]
    return [[_EMPTY if at is None else (at, names[at])] for at in places]


def _group(title: str, places: Places, scores: RowScores, whole: words.Record) -> Group:
    """One way to tell rows apart; labels are shown hardest first."""
    rows: dict[tuple[float, str], list[int]] = {}
    for row, of_row in enumerate(places):
        for place in of_row:
            rows.setdefault(place, []).append(row)
    found = {place: scores.of(np.array(numbers)) for place, numbers in sorted(rows.items())}
    if title == _BY_LABEL:
        found = dict(sorted(found.items(), key=lambda item: item[1]["value"]))
    drawn = strips.beside(list(found.values()), whole)
    slices = [
        Slice(words.shorten(name, 80), score, _apart(score, whole), picture)
        for ((_, name), score), picture in zip(found.items(), drawn, strict=True)
    ]
    named_by_data = title == _BY_LABEL or title.startswith(_BY_COLUMN)
    return Group(title, named_by_data, slices[:_MOST_SLICES], max(0, len(slices) - _MOST_SLICES))


def _apart(score: words.Record, whole: words.Record) -> str:
    if score["n"] < FEW:
        return ""
    if score["low"] > whole["value"]:
        return "higher"
    return "lower" if score["high"] < whole["value"] else ""
