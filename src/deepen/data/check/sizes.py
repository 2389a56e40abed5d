"""How many rows and labels there are, and how long the texts are: in characters, words and, where told, tokens."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from deepen.data.check.problem import Problem, Splits, place, rows
from deepen.data.near import row_texts
from deepen.data.source import clip
from deepen.data.table import Part
from deepen.data.targets.labels import target_counts

_FEW = 100
_GLUED_CHARS, _GLUED_TIMES = 2_000, 20
_CUT_SHARE = 0.01
_MOST_CHARS_A_WORD = 15


def find(splits: Splits) -> Iterator[Problem]:
    """Counts and lengths as notes; warnings for few rows, texts far longer than the others, and much that is cut."""
    for name, part in splits.parts.items():
        if splits.has_labels and part.table.has_target:
            counts = sorted(target_counts(part).items(), key=lambda item: -item[1])
            each = [f"{clip(label, 30)} ({count:,})" for label, count in counts]
            more = f", ... {each[-1]}" if len(each) > 8 else ""
            message = f"{len(part):,} rows, {len(counts):,} labels: {', '.join(each[:8])}{more}"
            yield Problem("note", "label_table", part.table.name, None, len(counts), message)
        if len(part) < _FEW:
            wide = 100 / max(len(part), 1) ** 0.5
            doubt = "" if name == "train" else f": a score on them is uncertain by about {wide:.0f} points"
            held = ", or leave --validation out so that a share of the training rows is held out"
            remedy = "more rows" + (held if name == "validation" else "")
            message = f"{name} has {rows(len(part))}{doubt}"
            yield Problem("warning", "few_rows", part.table.name, None, len(part), message, remedy)
        yield from _lengths(name, part)
        if name in splits.tokens:
            yield from _tokens(name, splits)


def _lengths(name: str, part: Part) -> Iterator[Problem]:
    chars, words = np.empty((2, len(part)), dtype=np.int64)
    for at, text in enumerate(row_texts(part)):
        chars[at], words[at] = len(text), text.count(" ") + text.count("\n") + 1
    middle, high = np.quantile(chars, [0.5, 0.95])
    longest = int(chars.argmax())
    spaced = np.median(words) * _MOST_CHARS_A_WORD > middle
    message = (
        f"{name}: half of the texts have at most {middle:,.0f} characters"
        + (f" ({np.median(words):,.0f} words)" if spaced else "")
        + f", 95 % at most {high:,.0f}, the longest {chars[longest]:,}"
    )
    yield Problem("note", "text_lengths", part.table.name, place(part, longest), len(part), message)
    glued = np.flatnonzero((chars > _GLUED_CHARS) & (chars > _GLUED_TIMES * high))
    if len(glued):
        first = int(glued[0])
        message = (
            f"{rows(len(glued))} of {name} over {_GLUED_TIMES} times as long as 95 % of the others "
            f"({chars[first]:,} characters): rows glued together by a quote that is never closed?"
        )
        remedy = "look at the line; --set data.quoting=false reads quotes as plain characters"
        yield Problem("warning", "glued_rows", part.table.name, place(part, first), len(glued), message, remedy)


def _tokens(name: str, splits: Splits) -> Iterator[Problem]:
    part, tokens = splits.parts[name], splits.tokens[name]
    lengths_N, limit = tokens.lengths_N, tokens.max_tokens
    middle, high = np.quantile(lengths_N, [0.5, 0.95])
    cut = np.flatnonzero(lengths_N > limit)
    share = len(cut) / max(len(lengths_N), 1)
    longer = f"{share:.1%} are" if len(cut) else "none is"
    message = (
        f"{name}: half of the texts have at most {middle:,.0f} tokens of {tokens.model}, 95 % at most {high:,.0f}, the "
        f"longest {lengths_N.max():,}; {longer} longer than the {limit:,} it reads"
    )
    yield Problem("note", "token_lengths", part.table.name, None, len(part), message)
    if share > _CUT_SHARE and not splits.has_tags:  # tagging reads long rows in several windows
        message = f"{name}: {rows(len(cut))} ({share:.1%}) are cut at {limit:,} tokens: the model never sees their ends"
        remedy = "--model with one that reads more (--set model.max_tokens=N can only read less), or shorten the texts"
        yield Problem("warning", "truncated", part.table.name, place(part, int(cut[0])), len(cut), message, remedy)
