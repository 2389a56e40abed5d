"""Rows whose words carry tags: from the cells of any reader to tokens, IOB2 tags and the place of each token in a text.

A tagged row has the text as it was given (or as the tokens make it up), the normalised tokens, two numbers for each
token (where it starts and ends in the text) and one tag a token.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pyarrow as pa

from deepen.core.errors import SettingError
from deepen.data.columns import WORD_NAMES, plain_name
from deepen.data.masked_rows import Masker, mask_words
from deepen.data.normalise import NormaliseSettings, normalise, normalise_label
from deepen.data.settings import DataSettings
from deepen.data.source import Fault, Source, as_text, clip
from deepen.data.targets.printed import parse_printed
from deepen.data.targets.tag_forms import TOLD_OF, TagForm, language_prefix, tag_form, with_prefix
from deepen.data.targets.tags import Survey, cut_at_spans, holds_spans, is_tag, scheme_of, spans_of, to_iob2
from deepen.data.words import join_words, split_words

INPUTS = ("text", "tokens")
_FIELDS = (("text", pa.string()), ("tokens", pa.list_(pa.string())), ("spans", pa.list_(pa.int32())))
_REPLACEMENT = "\ufffd"
_SURROGATES = re.compile("[\ud800-\udfff]")
_LOOKED_ROWS = 200
_FITTING = 0.9
_FEWEST_SPANS, _CUT_SHARE = 10, 0.8
_FORM_ROWS = 2000
_TAG_NAMES = frozenset(
    "ner_tags tags ner labels label ner_labels bio_tags tag pos pos_tags upos xpos ner_tag chunk_tags".split()
)
Places = list[tuple[int, int]]
Taken = tuple[list[Any], int]


@dataclass(frozen=True)
class TaggedPlan:
    """Where the tokens and the tags stand in a row, how both are written, and what names and evens out a tag."""

    tokens: int
    tags: int | None
    need_target: bool
    rename: Callable[[str], str | None] | None = None
    rename_source: str = ""
    form: TagForm = "prefix"
    language: str = ""
    clean: Callable[[str], str] = str


@dataclass
class TaggedTally:
    """What was seen while tagged rows were read."""

    told: list[str] = field(default_factory=list)
    form: TagForm = "prefix"

    survey: Survey = field(default_factory=Survey)
    cut_words: int = 0
    spans: int = 0


def fields(plan: TaggedPlan) -> list[tuple[str, pa.DataType]]:
    """The columns of a table of tagged rows, but for id and line."""
    return [*_FIELDS, *([("target", pa.list_(pa.string()))] if plan.tags is not None else [])]


def tagged_taker(
    plan: TaggedPlan, settings: DataSettings, changed: dict[str, int], tally: TaggedTally
) -> Callable[[Sequence[Any]], Taken | Fault]:
    """A function that makes the values of `fields`, and their length, of a row's cells, or says what is wrong."""
    limit, language, tally.form = settings.max_cell_chars, plan.language, plan.form
    if language:
        tally.told.append(f"'{language}' is taken off every token")
    if TOLD_OF[plan.form]:
        tally.told.append(TOLD_OF[plan.form])
    plan = replace(plan, clean=lambda tag: normalise_label(tag, settings.normalise, changed))
    if settings.hide:
        raise SettingError("data.hide takes words out of a text, and here every word has a tag: leave it out")

    mask = Masker(settings.masked, changed)

    def clean(token: str) -> str:
        out = normalise(token.removeprefix(language), settings.normalise, changed)
        if out and not out.isspace():
            return out
        changed["empty_tokens"] = changed.get("empty_tokens", 0) + 1
        return _REPLACEMENT

    def take(cells: Sequence[Any]) -> Taken | Fault:
        cell, tags = as_words(cells[plan.tokens]), as_list(cells[plan.tags]) if plan.tags is not None else None
        if not plan.need_target and not _may_be_tags(tags):
            tags = None
        counted = isinstance(cell, list) or isinstance(tags, str) or (bool(tags) and not holds_spans(tags))
        if isinstance(cell, list):
            text, places = join_words([clean(as_text(token) or "") for token in cell])
            target = _target(tags, len(places), plan, tally)
        else:
            text = _SURROGATES.sub(_REPLACEMENT, as_text(cell) or "")
            found = _from_text(text, tags, plan, tally)
            if isinstance(found, Fault):
                return found
            places, target = found
        if isinstance(target, Fault):
            return target
        if mask.kinds:
            entities = [place for place, tag in zip(places, target or (), strict=False) if tag != "O"]
            text, places, left = mask_words(text, places, mask(text, keep=entities).spans, merge=not counted)
            target = target and [target[number] for number in left]
        tokens = [text[start:end] if isinstance(cell, list) else clean(text[start:end]) for start, end in places]
        if not tokens or not text.strip():
            return Fault("there is no token" if isinstance(cell, list) else "tokens: the text is empty")
        if len(text) > limit:
            return Fault(f"the text has {len(text):,} characters, more than data.max_cell_chars={limit:,}")
        values: list[Any] = [text, tokens, [edge for place in places for edge in place]]
        return values + ([target] if plan.tags is not None else []), 2 * len(text)

    return take


def _may_be_tags(cell: Any) -> bool:
    if isinstance(cell, str):
        return bool(cell.strip()) and all(map(is_tag, cell.split()))
    return isinstance(cell, list) or holds_spans(cell)


def as_list(cell: Any) -> Any:
    """Arrays, as pandas has them, tuples, and lists printed into a cell, as lists; other cells as they are."""
    if isinstance(cell, str):
        value = parse_printed(cell)
        return cell if value is None else value
    if isinstance(cell, tuple):
        return list(cell)
    return cell.tolist() if hasattr(cell, "tolist") else cell


def as_words(cell: Any) -> Any:
    """As `as_list`, where a text that merely looks like a list of something else than words stays one."""
    value = as_list(cell)
    words = isinstance(value, list) and all(isinstance(item, str) for item in value)
    return cell if isinstance(cell, str) and not words else value


def written_as(
    source: Source, tokens: int, tags: int | None, rename: Callable[[str], str | None] | None
) -> tuple[TagForm, str]:
    """The form of a table's tags, and what every token begins with, by its first rows; `rename` names codes."""
    rows = source.sample[:_FORM_ROWS]
    words = [cell for row in rows if isinstance(cell := as_words(row[tokens]), list)]
    language = language_prefix([as_text(token) or "" for token in cell] for cell in words)
    found = [as_list(row[tags]) for row in rows] if tags is not None else []
    lists = [cell.split() if isinstance(cell, str) else cell for cell in found if not holds_spans(cell)]
    texts = [
        [normalise_label((as_text(tag) or "").strip(), NormaliseSettings(), {}) for tag in cell]
        for cell in lists
        if isinstance(cell, list)
    ]
    if rename is not None:
        texts = [[rename(tag) or tag for tag in cell] for cell in texts]
    return tag_form(([tag for tag in cell if tag] for cell in texts), sure=True) or "prefix", language


def _from_text(
    text: str, tags: Any, plan: TaggedPlan, tally: TaggedTally
) -> tuple[Places, list[str] | Fault | None] | Fault:
    """The words of a raw text and their tags: from spans, or from one tag for each word between white space."""
    if tags is not None and (isinstance(tags, str) or (isinstance(tags, list) and tags and not holds_spans(tags))):
        if isinstance(tags, list) and any(isinstance(tag, Mapping | list) for tag in tags):
            return Fault(str(spans_of(tags)))
        places = [match.span() for match in re.finditer(r"\S+", text)]
        return places, _target(tags.split() if isinstance(tags, str) else tags, len(places), plan, tally)
    places = split_words(text)
    if tags is None:
        return places, Fault("tags are missing") if plan.need_target else None
    spans = spans_of(tags)
    if isinstance(spans, str):
        return Fault(spans)
    rename = plan.rename or str
    spans = [(start, end, rename(plan.clean(label)) or label) for start, end, label in spans]
    cut = cut_at_spans(places, spans, text)
    if isinstance(cut, str):
        return Fault(cut)
    tally.cut_words += len(cut[0]) - len(places)
    tally.spans += len(spans)
    return cut


def _target(tags: Any, num_tokens: int, plan: TaggedPlan, tally: TaggedTally) -> list[str] | Fault | None:
    if tags is None:
        return Fault("tags are missing") if plan.need_target else None
    if isinstance(tags, str):
        tags = tags.split()
    if holds_spans(tags):
        return Fault("the tags are spans of characters, which belong to a text: name it with --columns tokens=text")
    if not isinstance(tags, list):
        return Fault(f"a {type(tags).__name__} where a list of tags is needed")
    if len(tags) != num_tokens:
        return Fault(f"{num_tokens} tokens and {len(tags)} tags")
    named = []
    for place, tag in enumerate(tags, 1):
        raw = plan.clean((as_text(tag) or "").strip())
        name = plan.rename(raw) if plan.rename is not None else raw
        if name is None:
            return Fault(f"tag {place}, '{clip(raw, 40)}', has no name in {plan.rename_source}")
        if not (is_tag(name) or (name and plan.form != "prefix")):
            hint = "; name the codes with --labels FILE" if name.isdecimal() else ""
            said = f"'{clip(name, 40)}', is of no known scheme (IOB1, IOB2, BIOES, BMES: O, B-PER, I-PER){hint}"
            return Fault(f"tag {place}, {said}" if name else f"tag {place} is missing")
        named.append(_SURROGATES.sub(_REPLACEMENT, name))
    named = with_prefix(named, plan.form)
    tally.survey.see(named)
    return to_iob2(named)


def tagged_notes(name: str, tally: TaggedTally) -> list[str]:
    """What there is to say about the tags of a table."""
    notes = [f"{name}: {told}" for told in tally.told]
    if tally.survey.pairs and tally.form not in ("types", "each"):
        scheme = scheme_of(tally.survey, name)
        notes.append(f"{name}: tags are {scheme.name}" + ("" if scheme.name == "IOB2" else ", kept as IOB2"))
        if scheme.broken:
            what = "tag breaks" if scheme.broken == 1 else "tags break"
            example = "B-PER" if scheme.name == "IOB1" else "I-PER"
            notes.append(f"{name}: {scheme.broken:,} {what} the scheme, as {example} after O; each is read as a start")
    if tally.cut_words:
        notes.append(f"{name}: {tally.cut_words:,} words are cut where a span begins or ends inside them")
    return notes


def tagged_warnings(name: str, tally: TaggedTally) -> list[str]:
    """What is likely wrong with the tags of a table, as sentences."""
    said = (
        f"{name}: most of the {tally.spans:,} spans begin or end inside a word: do their ends stand on the last letter "
        "in place of behind it, do they count from 1, or bytes or UTF-16 units in place of characters?"
    )
    return [said] if tally.spans >= _FEWEST_SPANS and tally.cut_words >= _CUT_SHARE * tally.spans else []


def looks_tagged(source: Source) -> str:
    """Whether a table holds tagged words, by its first rows. A sentence that says why; empty if it does not."""
    rows = source.sample[:_LOOKED_ROWS]
    cells = [[as_list(row[at]) for row in rows if at < len(row) and row[at] is not None] for at in range(source.width)]
    lists = [at for at, column in enumerate(cells) if column and all(isinstance(cell, list) for cell in column)]
    texts = [at for at, column in enumerate(cells) if column and all(isinstance(cell, str) for cell in column)]
    words = [at for at in lists if all(isinstance(item, str) for cell in cells[at] for item in cell)]
    words.sort(key=lambda at: source.names is None or plain_name(source.names[at]) not in WORD_NAMES)
    for at in reversed(lists):
        for other in words:
            same = len(cells[other]) == len(cells[at]) and other != at
            if not same or not _are_tags(source, at, cells[at]):
                continue
            # a row that has not as many tags as tokens is a bad row
            fitting = sum(len(a) == len(b) for a, b in zip(cells[other], cells[at], strict=True))
            if fitting >= _FITTING * len(cells[at]):
                return f"column {source.called(at)} holds a tag for each token of column {source.called(other)}"
    for at, column in enumerate(cells):
        spans = column and all(cell == [] or holds_spans(cell) for cell in column) and any(map(holds_spans, column))
        if spans and texts:
            return f"column {source.called(at)} holds labelled spans of characters"
    return ""


def _are_tags(source: Source, at: int, column: list[list[Any]]) -> bool:
    items = [item for cell in column for item in cell]
    if all(isinstance(item, str) for item in items):
        if all(map(is_tag, items)) or source.names is None:
            return bool(items) and all(map(is_tag, items))
        return source.names[at].lower() in _TAG_NAMES and tag_form(column) not in (None, "prefix")
    if source.names is None or not all(isinstance(item, int) for item in items):
        return False
    classes = source.classes.get(source.names[at])
    called = source.names[at].lower() in _TAG_NAMES
    return called or all(map(is_tag, classes)) if classes else called
