"""Cells that hold answers: texts that stand in another text, with the places where they start.

SQuAD writes `[{"text": "308", "answer_start": 34}]`, Hugging Face `{"text": ["308"], "answer_start": [34]}`, a CSV
just `308`. Places are counted again in the text as it is read, so that normalisation moves none, and a wrong one is put
right by the answer's own text.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import isfinite
from typing import Any, NamedTuple

from deepen.data.source import Fault, as_text, clip
from deepen.data.targets.printed import parse_printed

_TEXTS, _STARTS = ("text", "texts", "answer"), ("answer_start", "answer_starts", "start", "starts")


class Answers(NamedTuple):
    """Different answers and where they start in the context; `moved` counts the places that were wrong."""

    texts: list[str]
    starts: list[int]
    moved: int


def read_answers(cell: Any, raw: str, context: str, clean: Callable[[str], str]) -> Answers | Fault | None:
    """The answers of a row with their places in `context`; none if the cell says so, None if it is empty, or a fault.

    Places in the cell count characters of `raw`, the context as it is written.

    Example:
        >>> read_answers({"text": ["is"], "answer_start": [5]}, "This  is it", "This is it", lambda text: text)
        Answers(texts=['is'], starts=[5], moved=1)
    """
    said = _listed(cell)
    if said is None or isinstance(said, Fault):
        return said
    found: dict[int, str] = {}
    moved = 0
    for text, start in said:
        answer = clean(text).strip()
        if not answer:
            return Fault("an answer is empty: where the text holds none, write []", "empty_label")
        there = _places(context, answer)
        if not there:
            return Fault(f"the answer '{clip(answer)}' does not stand in the context", "answer_not_found")
        near = 0 if start is None else len(clean(raw[: max(0, start)]))
        place = min(there, key=lambda at: abs(at - near))
        moved += start is not None and raw[max(0, start) : max(0, start) + len(text)] != text
        found.setdefault(place, context[place : place + len(answer)])
    return Answers(list(found.values()), list(found), moved)


def _places(context: str, answer: str) -> list[int]:
    """Where an answer stands in a context, if need be with other capitals."""
    for text, part in ((context, answer), (context.lower(), answer.lower())):
        found, at = [], text.find(part)
        while at >= 0:
            found.append(at)
            at = text.find(part, at + 1)
        if found and len(text) == len(context):
            return found
    return []


def _listed(cell: Any) -> list[tuple[str, int | None]] | Fault | None:
    if isinstance(cell, str):
        text = cell.strip()
        if not text:
            return None
        parsed = parse_printed(text)
        if parsed is None:
            return [(cell, None)]
        cell = parsed
    if isinstance(cell, Mapping):
        return _paired(cell)
    if isinstance(cell, list | tuple):
        found = [_paired(item) if isinstance(item, Mapping) else [(as_text(item) or "", None)] for item in cell]
        fault = next((some for some in found if isinstance(some, Fault)), None)
        return fault or [pair for some in found if not isinstance(some, Fault) for pair in some]
    told = as_text(cell)
    return None if told is None else [(told, None)]


def _is_place(start: Any) -> bool:
    if isinstance(start, bool) or not isinstance(start, int | float):
        return False
    return abs(start) < 1 << 62 and isfinite(start)


def _paired(cell: Mapping[str, Any]) -> list[tuple[str, int | None]] | Fault:
    texts = next((cell[name] for name in _TEXTS if name in cell), None)
    starts = next((cell[name] for name in _STARTS if name in cell), None)
    if texts is None:
        return Fault(f"an answer needs a 'text'; found: {clip(', '.join(map(str, cell)))}")
    texts, starts = (value if isinstance(value, list | tuple) else [value] for value in (texts, starts))
    if starts == [None]:
        starts = [None] * len(texts)
    if len(starts) != len(texts):
        return Fault(f"{len(texts)} answers have {len(starts)} places")
    out: list[tuple[str, int | None]] = []
    for text, start in zip(texts, starts, strict=True):
        if start is not None and not _is_place(start):
            return Fault(f"an answer starts at '{clip(as_text(start) or '')}', which is no number")
        out.append((as_text(text) or "", None if start is None else int(start)))
    return out
