"""CoNLL-U: ten columns a word, comments, a blank line between sentences; entities, where there are any, in MISC.

`# global.columns = ID FORM ...` on the first line names other columns (CoNLL-U Plus).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from deepen.data.readers.conll import JUDGED_LINES, SHARE, in_blocks
from deepen.data.readers.sniff import Head, source_of_lines
from deepen.data.source import Fault, Form, Source, clip
from deepen.data.targets.tags import OUTSIDE, is_tag

_COLUMNS = ("id", "tokens", "lemma", "upos", "xpos", "feats", "head", "deprel", "deps", "misc")
_PLUS = "# global.columns ="
_ID = re.compile(r"\d+(-\d+|\.\d+)?")
_USUAL_KEYS = ("NER", "NE", "BIO")


@dataclass(frozen=True)
class ConlluForm:
    """The names of the columns, and where the tags stand: in a column, or under a key of MISC."""

    names: tuple[str, ...]
    tags: int
    key: str = ""

    def tag(self, cells: Sequence[str]) -> str:
        """The tag of a word."""
        if not self.key:
            return cells[self.tags].strip()
        return _keys(cells[self.tags]).get(self.key, OUTSIDE)


def conllu_form(sample: Sequence[str]) -> ConlluForm | None:
    """The form of CoNLL-U lines; None unless nearly all are words with an id and as many cells as there are columns."""
    names: tuple[str, ...] = _COLUMNS
    if sample and sample[0].startswith(_PLUS):
        given = sample[0].removeprefix(_PLUS).split()
        names = tuple("tokens" if name == "FORM" else name.lower() for name in given)
    rows = [cells for line in sample[:JUDGED_LINES] if (cells := _cells(line))]
    fits = sum(len(cells) == len(names) and _ID.fullmatch(cells[0]) is not None for cells in rows)
    if "tokens" not in names or names[0] != "id" or not rows or fits < SHARE * len(rows):
        return None
    words = [cells for cells in rows if len(cells) == len(names) and cells[0].isdecimal()]
    if "misc" in names and (key := _entity_key(_keys(cells[names.index("misc")]) for cells in words)):
        return ConlluForm(names, names.index("misc"), key)
    named = [at for at, name in enumerate(names) if "ner" in re.split(r"\W+", name)]
    named += [names.index(name) for name in ("upos", "xpos") if name in names]
    return ConlluForm(names, named[0]) if named else None


def _cells(line: str) -> list[str]:
    """The cells of a word's line; nothing of a comment or a blank line."""
    said = line.strip() and (not line.startswith("#") or "\t" in line)
    return line.rstrip("\r\n").split("\t") if said else []


def _keys(misc: str) -> dict[str, str]:
    return {name: value for name, sep, value in (part.partition("=") for part in misc.split("|")) if sep}


def _entity_key(found: Iterable[dict[str, str]]) -> str:
    """The key of MISC under which the tags of entities stand: a usual one, or one whose values are all tags."""
    values: dict[str, Counter[str]] = {}
    for pairs in found:
        for name, value in pairs.items():
            values.setdefault(name, Counter())[value] += 1
    tags = [name for name, seen in values.items() if all(map(is_tag, seen)) and set(seen) != {OUTSIDE}]
    usual = [name for name in values if name.upper() in _USUAL_KEYS]
    return next(iter([*tags, *usual]), "")


def open_conllu(head: Head, form: ConlluForm) -> Source:
    """A CoNLL-U file as a source, a sentence a row, a list in every column; `tags` come last."""
    names = (*form.names, "tags")
    where = f"{form.key}= in MISC" if form.key else f"the column {form.names[form.tags].upper()}"
    told = f"CoNLL-U; tags are {where}, words those with a whole number (not 1-2 and 1.1)"
    if not form.key and form.names[form.tags] in ("upos", "xpos"):
        told += ", as MISC holds no entities"
    written = Form("columns", len(names), header=False, delimiter="\t")
    empty = " is empty: no line holds a word"
    rows = lambda text_lines: in_blocks(_words(text_lines, form))  # noqa: E731
    return source_of_lines(head, names, rows, form=written, told=told, empty=empty)


def _words(text_lines: Iterable[str], form: ConlluForm) -> Iterator[tuple[int, list[str] | Fault | None]]:
    """The cells of each word, what is wrong with a line, or None where a sentence ends."""
    for number, line in enumerate(text_lines, 1):
        cells = _cells(line)
        if not line.strip():
            yield number, None
        elif cells and (len(cells) != len(form.names) or not _ID.fullmatch(cells[0])):
            yield number, Fault(f"'{clip(line, 40)}' is no word with {len(form.names)} columns, an id first")
        elif cells and cells[0].isdecimal():
            yield number, [*cells, form.tag(cells)]
