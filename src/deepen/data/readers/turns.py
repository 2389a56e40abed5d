"""Cells that hold a source and its answer: a `translation` in two languages, `messages` with roles."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from deepen.data.columns import plain_name
from deepen.data.source import Fault, Row, Source, clip
from deepen.data.turns import ROLES, joined_turns

_LOOKED_ROWS = 200
_KEYS = (("role", "content"), ("from", "value"))
Pair = tuple[str | None, str | None]


def as_pairs(source: Source) -> Source:
    """A table with such a column has two more, the source and the answer; others are as they are."""
    for at, name in enumerate(source.names or ()):
        cells = [cell for cell in source.cells(at)[:_LOOKED_ROWS] if cell is not None]
        found = _translation(name, cells) or _messages(name, cells)
        if found is not None and not {*found[0]} & {*(source.names or ())}:
            return _with(source, at, *found)
    return source


def _translation(name: str, cells: Sequence[Any]) -> tuple[tuple[str, str], Callable[[Any], Pair | Fault], str] | None:
    """A column of Hugging Face's kind `Translation`: a mapping from two languages to texts."""
    keys = list(cells[0]) if cells and isinstance(cells[0], Mapping) else []
    same = all(isinstance(cell, Mapping) and set(cell) == set(keys) for cell in cells)
    if not plain_name(name).startswith("translation") or len(keys) != 2 or not same:
        return None
    one, two = keys

    def pair(cell: Any) -> Pair | Fault:
        return (cell.get(one), cell.get(two)) if isinstance(cell, Mapping) else (None, None)

    told = f"{one} is the source and {two} the answer; --columns source={name}.{two},label={name}.{one} turns it round"
    return ("source", "target"), pair, told


def _messages(name: str, cells: Sequence[Any]) -> tuple[tuple[str, str], Callable[[Any], Pair | Fault], str] | None:
    """A column of conversations: lists of turns, each with a role and what was said."""
    turns = [turn for cell in cells if isinstance(cell, list | tuple) for turn in cell]
    for role, content in _KEYS:
        if turns and all(isinstance(turn, Mapping) and role in turn and content in turn for turn in turns):
            told = "the last turn, the assistant's, is the answer to those before"
            return ("context", "response"), partial(_last_turn, role, content, name), told
    return None


def _last_turn(role: str, content: str, name: str, cell: Any) -> Pair | Fault:
    """What was said before the last turn, and the last turn if it is the assistant's."""
    turns: list[tuple[str, str]] = []
    for number, turn in enumerate(cell if isinstance(cell, list | tuple) else (), 1):
        said = turn.get(content) if isinstance(turn, Mapping) else None
        known = ROLES.get(str(turn.get(role)).lower()) if isinstance(turn, Mapping) else None
        if known is None:
            given = clip(str(turn.get(role) if isinstance(turn, Mapping) else turn))
            return Fault(f"{name}: turn {number} has the role '{given}'; it must be one of {', '.join(ROLES)}")
        if not isinstance(said, str):
            return Fault(f"{name}: turn {number} says nothing that is text")
        turns.append((known, said))
    if turns and turns[-1][0] == "assistant":
        return joined_turns(turns[:-1]), turns[-1][1]
    return joined_turns(turns), None


def _with(source: Source, at: int, names: tuple[str, str], pair: Callable[[Any], Pair | Fault], told: str) -> Source:
    width = source.width

    def rows(asked: Sequence[int]) -> Iterator[Row]:
        plain = tuple(dict.fromkeys([index for index in asked if index < width] + [at]))
        places = {index: place for place, index in enumerate(plain)}
        for file, line, cells in source.read(plain):
            if isinstance(cells, Fault):
                yield file, line, cells
                continue
            found = pair(cells[places[at]])
            if isinstance(found, Fault):
                yield file, line, found
            else:
                yield file, line, [cells[places[one]] if one < width else found[one - width] for one in asked]

    sample = []
    for row in source.sample:
        found = pair(row[at]) if at < len(row) else (None, None)
        sample.append([*row, *((None, None) if isinstance(found, Fault) else found)])
    note = f"{source.name}: column '{clip((source.names or ())[at])}': {told}"
    made: dict[str, Any] = {
        "names": (*(source.names or ()), *names),
        "width": width + 2,
        "sample": sample,
        "read": rows,
    }
    return replace(source, notes=(*source.notes, note), **made)
