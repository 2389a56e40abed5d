"""Files of blocks in the form of SemEval-2010 task 8: a numbered sentence with two marked spans, then its relation.

    1   "The <e1>child</e1> was wrapped into the <e2>cradle</e2>."
    Entity-Destination(e1,e2)
    Comment: ...

A blank line ends a block; comments are left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain

from deepen.data.readers.sniff import Head, source_of_lines
from deepen.data.source import Fault, Form, Source, clip

_SENTENCE = re.compile(r'^\d+\s+"?(.*?)"?\s*$')


def is_marked(sample: Sequence[str]) -> bool:
    """Whether lines are blocks of a marked sentence and a relation."""
    filled = [line.strip() for line in sample if line.strip()][:2]
    return len(filled) == 2 and _is_sentence(filled[0]) and "\t" not in filled[1] and "<e1>" not in filled[1]


def _is_sentence(line: str) -> bool:
    return bool(_SENTENCE.match(line)) and all(mark in line for mark in ("<e1>", "</e1>", "<e2>", "</e2>"))


def open_marked(head: Head) -> Source:
    """A file of blocks as a source with the columns `text` and `label`. The marks stay in the text."""
    told = "blocks of a marked sentence and its relation"
    empty = ": no marked sentence with its relation can be read"
    return source_of_lines(head, ("text", "label"), _blocks, form=Form("marked", 2), told=told, empty=empty)


def _blocks(source: Iterable[str]) -> Iterator[tuple[int, list[str] | Fault]]:
    block: list[str] = []
    first = 1
    for number, raw in enumerate(chain(source, [""]), 1):
        line = raw.strip()
        if line:
            first = number if not block else first
            block.append(line)
        elif block:
            yield first, _cells(block)
            block = []


def _cells(block: list[str]) -> list[str] | Fault:
    found = _SENTENCE.match(block[0])
    if found is None or not _is_sentence(block[0]):
        return Fault(f"'{clip(block[0], 40)}' is no numbered sentence with <e1> and <e2>")
    if len(block) < 2 or block[1].startswith("Comment"):
        return Fault("the line with the relation is missing", "empty_label")
    return [found.group(1), block[1]]
