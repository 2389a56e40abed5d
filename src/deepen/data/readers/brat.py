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

NAMES = ("text", "entities")
_ENTITY = re.compile(r"T\S*\t(\S+) (\d+ \d+(?:;\d+ \d+)*)(?:\t(.*))?")
_SAMPLE_ROWS = 2000


@dataclass
class _Seen:
    """What was passed over."""

    parts: int = 0
    others: int = 0
    example: str = ""


@dataclass(frozen=True)
class _Entity:
    start: int
    end: int
    label: str


def brat_pairs(files: Sequence[Path]) -> list[Path]:
    """The texts of a folder of brat, each with its annotations after it; nothing if it is no such folder."""
    names = {file.name: file for file in files}
    pairs = [
        (names[file.stem + ".txt"], file)
        for file in sorted(files)
        if file.suffix == ".ann" and file.stem + ".txt" in names
    ]
    return [file for pair in pairs for file in pair]


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
    warned: tuple[str, ...] = ()
    if seen.parts:
        said = f"{name}: entities in several parts are read from the first to the last character, as {seen.example}"
        warned = (said,)
    read = lambda wanted: picked(rows(_Seen()), wanted)  # noqa: E731
    return Source(name, NAMES, 2, sample, read, (told,), form=Form("folder", 2), warnings=warned)


def _document(path: Path, notes: Path, folder: str, encoding: str, seen: _Seen) -> Iterator[Row]:
    called, beside = f"{folder}/{path.name}", f"{folder}/{notes.name}"
    text = "".join(lines(text_file(path, called, encoding))) if path.stat().st_size else ""
    found: list[_Entity] = []
    for row in _entities(notes, beside, text, encoding, seen):
        if isinstance(row, _Entity):
            found.append(row)
        else:
            yield row
    found.sort(key=lambda entity: (entity.start, entity.end))
    begin = 0
    while begin < len(text):
        end = _line_end(text, begin)
        inside = [entity for entity in found if begin <= entity.start < end]
        while inside and max(entity.end for entity in inside) > end:
            end = _line_end(text, end)
            inside = [entity for entity in found if begin <= entity.start < end]
        if text[begin:end].strip():
            spans = [[entity.start - begin, entity.end - begin, entity.label] for entity in inside]
            yield called, 1 + text.count("\n", 0, begin), [text[begin:end].rstrip("\r\n"), spans]
        begin = end


def _line_end(text: str, begin: int) -> int:
    return text.find("\n", begin) + 1 or len(text)


def _entities(notes: Path, name: str, text: str, encoding: str, seen: _Seen) -> Iterator[_Entity | Row]:
    """The entities of a document, and what is wrong with the others."""
    if not notes.stat().st_size:
        return
    for number, line in enumerate(lines(text_file(notes, name, encoding)), 1):
        line = line.rstrip("\r\n")
        if not line.startswith("T"):
            seen.others += bool(line.strip()) and not line.startswith("#")
            continue
        match = _ENTITY.fullmatch(line)
        if match is None:
            yield name, number, Fault(f"'{clip(line, 40)}' is no entity: T1, tab, label, start and end, tab, text")
            continue
        places = [int(place) for place in re.split(r"[ ;]", match[2])]
        start, end = places[0], places[-1]
        if not 0 <= start < end <= len(text):
            said = f"the span {start}-{end} {clip(match[1])} is out of range: the text has {len(text)} characters"
            yield name, number, Fault(said)
            continue
        if len(places) > 2:
            seen.parts += 1
            seen.example = seen.example or f"{match[1]} {match[2]} in {name} line {number}"
        elif match[3] is not None and "".join(match[3].split()) != "".join(text[start:end].split()):
            said = f"'{clip(match[3], 30)}' does not stand at {start}-{end}: there is '{clip(text[start:end], 30)}'"
            yield name, number, Fault(said)
            continue
        yield _Entity(start, end, match[1])
