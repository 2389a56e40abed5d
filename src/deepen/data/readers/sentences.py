"""Tables with one word a row: the words of a sentence are joined to one row, as `Sentence #,Word,POS,Tag` means it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

from deepen.core.errors import DataError
from deepen.data.columns import WORD_NAMES, numbers_sentences, plain_name
from deepen.data.source import Fault, Row, Source, as_text, first_rows, picked
from deepen.data.targets.tag_forms import tag_form

_TAG_NAMES = tuple(
    "ner_tags ner_tag tags tag ner bio_tags bio iob iob_tag ner_label entity_tag label labels "
    "entity pos upos 标签".split()
)
_SHARE = 0.98
_LOOKED_ROWS = 5000


@dataclass(frozen=True)
class _Plan:
    """Which columns hold the word and the number of its sentence; `marks` if that is on the first word only."""

    word: int
    sentence: int | None
    marks: bool = False


def as_sentences(source: Source) -> Source:
    """A table of words with tags as one of sentences, a list in every column; other tables as they are."""
    plan = _plan_of(source)
    if plan is None or source.names is None:
        return source
    every = tuple(range(source.width))
    blank = plan.sentence is None

    sample = first_rows(_grouped(source.read(every), plan), 2000)
    if blank and len(sample) < 2:
        raise DataError(
            f"{source.name}: every row is one word with its tag, and nothing says where a sentence ends: add a column "
            "'sentence' with its number, or a blank line after each"
        )
    how = "up to a blank line" if blank else f"by column {source.called(plan.sentence or 0)}"
    told = f"{source.name}: one word a row; words are joined to sentences {how}"
    read = lambda wanted: picked(_grouped(source.read(every), plan), wanted)  # noqa: E731
    return replace(source, sample=sample, read=read, notes=(*source.notes, told))


def _plan_of(source: Source) -> _Plan | None:
    if source.names is None or source.width < 2:
        return None
    names = [plain_name(name) for name in source.names]
    rows = source.sample[:_LOOKED_ROWS]
    words = [at for at, name in enumerate(names) if name in WORD_NAMES and _are_words(rows, at)]
    tags = [names.index(name) for name in _TAG_NAMES if name in names]
    if len(rows) < 2 or len(words) != 1 or not tags:
        return None
    column = [[text for row in rows if (text := _text(row, at))] for at in tags]
    forms = [tag_form([cells]) for cells in column]
    sentence = next((at for at, name in enumerate(names) if numbers_sentences(name)), None)
    if sentence is not None:
        numbers = [_text(row, sentence) for row in rows]
        filled = sum(map(bool, numbers))
        runs = 1 + sum(after != before for before, after in pairwise(numbers))
        marks = filled < len(rows)
        good = bool(numbers[0]) and (2 * filled <= len(rows) if marks else 1.5 * runs <= len(rows))
        return _Plan(words[0], sentence, marks) if good and any(forms) else None
    if not any(form in ("prefix", "suffix") and len(set(cells)) > 1 for form, cells in zip(forms, column, strict=True)):
        return None
    return _Plan(words[0], None)


def _text(row: Sequence[Any], at: int) -> str:
    cell = row[at] if at < len(row) else None
    return "" if isinstance(cell, list | dict) else (as_text(cell) or "").strip()


def _are_words(rows: Sequence[Sequence[Any]], at: int) -> bool:
    """Whether the cells of a column are single words."""
    if any(isinstance(row[at], list | dict) for row in rows if at < len(row)):
        return False
    texts = [text for row in rows if (text := _text(row, at))]
    return bool(texts) and sum(" " not in text for text in texts) >= _SHARE * len(texts)


def _grouped(rows: Iterator[Row], plan: _Plan) -> Iterator[Row]:
    """The rows of each sentence as one; a bad row spoils its sentence and no other."""
    held: list[Sequence[Any]] = []
    start: tuple[str, int] = ("", 0)
    fault: Row | None = None
    before, last = "", 0

    def joined() -> Iterator[Row]:
        if fault is not None:
            yield fault
        elif held:
            yield *start, [list(column) for column in zip(*held, strict=True)]

    for file, line, cells in rows:
        empty = not isinstance(cells, Fault) and not _text(cells, plan.word) and not any(map(as_text, cells))
        number = "" if plan.sentence is None or isinstance(cells, Fault) else _text(cells, plan.sentence)
        if plan.sentence is None:
            new = empty or line > last + 1
        else:
            new = bool(number) if plan.marks else number != before and not isinstance(cells, Fault)
        last, before = line, number or before
        if new and (held or fault):
            yield from joined()
            held, fault = [], None
        if isinstance(cells, Fault):
            fault = fault or (file, line, cells)
        elif not empty:
            start = start if held else (file, line)
            held.append(cells)
    yield from joined()
