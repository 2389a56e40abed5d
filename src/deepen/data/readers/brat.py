"""brat's standoff files: a text beside a file of the same name with the places of its entities in characters.

    T1	PER 0 4	Mara

A row is a line of the text, or several where an entity goes over a line's end.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from deepen.core.errors import DataError
from deepen.data.readers.sniff import lines, text_file
from deepen.data.source import Fault, Form, Row, Source, clip, first_rows, picked

_ENTITY = re.compile(r"T\S*\t(\S+) (\d+ \d+(?:;\d+ \d+)*)(?:\t(.*))?")
_SAMPLE_ROWS = 2000


@dataclass
class _Seen:
    """What was passed over: relations and the like, and an entity in several parts."""

    others: bool = False
    example: str = ""


Entity = tuple[int, int, str]


def brat_pairs(files: Sequence[Path]) -> list[Path]:
    """The texts of a folder of brat, each with its annotations after it; nothing if it is no such folder."""
    there = set(files)
    annotated = [file for file in sorted(files) if file.suffix == ".ann" and file.with_suffix(".txt") in there]
    return [path for file in annotated for path in (file.with_suffix(".txt"), file)]


def open_brat(files: Sequence[Path], name: str, encoding: str) -> Source:
    """Texts with brat's annotations as a source with the columns `text` and `entities`; relations are left aside."""

    def rows(seen: _Seen) -> Iterator[Row]:
        for text, notes in zip(files[::2], files[1::2], strict=True):
            yield from _document(text, notes, name.rstrip("/"), encoding, seen)

    seen = _Seen()
    sample = first_rows(rows(seen), _SAMPLE_ROWS)
    if not sample:
        raise DataError(f"{name} is empty: no text beside the annotations holds a line")
    told = f"{name}: {len(files) // 2} texts with brat's annotations, a row for each line"
    if seen.others:
        told += "; relations, events and attributes are left aside"
    parts = f"{name}: entities in several parts are read from the first to the last character, as {seen.example}"
    warned = (parts,) if seen.example else ()
    read = lambda wanted: picked(rows(_Seen()), wanted)  # noqa: E731
    return Source(name, ("text", "entities"), 2, sample, read, (told,), form=Form("folder", 2), warnings=warned)


def _document(path: Path, notes: Path, folder: str, encoding: str, seen: _Seen) -> Iterator[Row]:
    called, beside = f"{folder}/{path.name}", f"{folder}/{notes.name}"
    text = "".join(lines(text_file(path, called, encoding))) if path.stat().st_size else ""
    found: list[Entity] = []
    if notes.stat().st_size:
        for number, line in enumerate(lines(text_file(notes, beside, encoding)), 1):
            line = line.rstrip("\r\n")
            if not line.startswith("T"):
                seen.others |= bool(line.strip()) and not line.startswith("#")
                continue
            entity = _entity(line, text, seen, f"{beside} line {number}")
            if isinstance(entity, Fault):
                yield beside, number, entity
            else:
                found.append(entity)
    found.sort(key=lambda entity: entity[:2])
    begin = 0
    while begin < len(text):
        end, last = begin, begin + 1
        while end < last:
            end = text.find("\n", end) + 1 or len(text)
            inside = [entity for entity in found if begin <= entity[0] < end]
            last = max((entity[1] for entity in inside), default=end)
        if text[begin:end].strip():
            spans = [[start - begin, stop - begin, label] for start, stop, label in inside]
            yield called, 1 + text.count("\n", 0, begin), [text[begin:end].rstrip("\r\n"), spans]
        begin = end


def _entity(line: str, text: str, seen: _Seen, where: str) -> Entity | Fault:
    match = _ENTITY.fullmatch(line)
    if match is None:
        return Fault(f"'{clip(line, 40)}' is no entity: T1, tab, label, start and end, tab, text")
    places = [int(place) for place in re.split(r"[ ;]", match[2])]
    start, end = places[0], places[-1]
    if not 0 <= start < end <= len(text):
        return Fault(f"the span {start}-{end} {clip(match[1])} is out of range: the text has {len(text)} characters")
    if len(places) > 2:
        seen.example = seen.example or f"{match[1]} {match[2]} in {where}"
    elif match[3] is not None and "".join(match[3].split()) != "".join(text[start:end].split()):
        there = clip(text[start:end], 30)
        return Fault(f"'{clip(match[3], 30)}' does not stand at {start}-{end}: there is '{there}'")
    return start, end, match[1]
