"""Makes texts comparable: full-width forms, HTML entities, control characters and white space. Never lower-cases."""

from __future__ import annotations

import html
import re
import unicodedata
from functools import cache, partial
from typing import Literal

from deepen.core.settings import Settings

# Control characters (Cc) that are not white space, and characters without width that break words apart for a tokenizer.
# The joiners U+200C and U+200D stay: Persian and emoji need them.
_CONTROLS = re.compile("[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\u00ad\u200b\u2060\ufeff\ufffe\uffff]")
_SURROGATES = re.compile("[\ud800-\udfff]")
# Marks of direction say nothing in a label, and can make it look like another.
_TURNING = re.compile("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_LONG_RUN = 64
# Only with the semicolon: `?a=1&copy=2` is an address, not a copyright sign.
_ENTITY = re.compile(r"&(?:#\d{1,8}|#[xX][0-9a-fA-F]{1,8}|[A-Za-z][A-Za-z0-9]{1,31});")
# A text that was escaped several times, in one go: `&amp;amp;lt;` is `&lt;`.
_ESCAPED_AMPERSAND = re.compile(r"&(?:amp;|#0{0,5}38;|#[xX]0{0,5}26;)+")


class NormaliseSettings(Settings):
    """What is evened out in every text before a model sees it."""

    unicode: Literal["NFKC", "NFC", "none"] = "NFKC"
    """Unicode form. NFKC, because full-width letters and digits are common in Chinese text and mean the same."""
    html_entities: bool = True
    """Whether `&lt;` becomes `<`, until nothing is left to replace. On: crawled text is full of them."""
    control_characters: bool = True
    """Whether control characters, soft hyphens and marks without width are removed. On: no tokenizer knows them."""
    white_space: bool = True
    """Whether runs of white space become one space (one line end where they hold one) and the ends are stripped."""


def normalise(text: str, settings: NormaliseSettings, counts: dict[str, int]) -> str:
    """One text, evened out; doing it twice changes nothing more.

    Entities are replaced until none is left, since texts that were escaped twice are common. It misleads where spaces
    carry meaning (code, verse): switch `white_space` off there. Lone surrogates become U+FFFD, case is kept; `counts`
    gets one more of each kind of change.

    Example:
        >>> normalise("ＡＢＣ &amp;  d", NormaliseSettings(), {})
        'ABC & d'
    """
    if text.isascii() and text.isprintable() and "&" not in text and "  " not in text and text.strip(" ") == text:
        return text  # nothing below could change it, and most English texts are like that
    before = text
    changed: set[str] = set()
    while True:
        after = _once(before, settings, changed)
        if after == before:
            break
        before = after
    for kind in changed:
        counts[kind] = counts.get(kind, 0) + 1
    return after


def normalise_label(text: str, settings: NormaliseSettings, counts: dict[str, int]) -> str:
    """One label, so that labels that look alike are one: in NFC, without what has no width or turns letters round.

    A label is a name that is given back, so nothing that can be seen is changed: `H₂O` and `好评！` stay, and so do
    entities. `counts` gets one more of `labels` if the label is another now.

    Example:
        >>> normalise_label("po\u200bs", NormaliseSettings(), {}), normalise_label("po\u0301s", NormaliseSettings(), {})
        ('pos', 'pós')
    """
    settings = _for_labels(settings)
    found = normalise(text, settings, {})
    if settings.control_characters and not found.isprintable():
        found = normalise(_TURNING.sub("", found), settings, {})
    if found != text:
        counts["labels"] = counts.get("labels", 0) + 1
    return found


@cache
def _for_labels(settings: NormaliseSettings) -> NormaliseSettings:
    form = "none" if settings.unicode == "none" else "NFC"
    return settings.model_copy(update={"unicode": form, "html_entities": False})


def _once(text: str, settings: NormaliseSettings, changed: set[str]) -> str:
    for kind, step in (
        ("surrogates", _surrogates),
        ("html_entities", _entities if settings.html_entities else None),
        ("unicode", _FORMS[settings.unicode]),
        ("control_characters", _controls if settings.control_characters else None),
        ("white_space", _white_space if settings.white_space else None),
    ):
        if step is None:
            continue
        new = step(text)
        if new != text:
            changed.add(kind)
            text = new
    return text


def _surrogates(text: str) -> str:
    return text if text.isascii() else _SURROGATES.sub("\ufffd", text)


def _entities(text: str) -> str:
    if "&" not in text or ";" not in text:
        return text
    return _ENTITY.sub(lambda match: html.unescape(match.group()), _ESCAPED_AMPERSAND.sub("&", text))


def _composed(text: str, form: Literal["NFKC", "NFC"]) -> str:
    apart: Literal["NFKD", "NFD"] = "NFKD" if form == "NFKC" else "NFD"
    return text if text.isascii() else unicodedata.normalize(form, _ordered(text, apart))


@cache
def _marks(form: Literal["NFKD", "NFD"]) -> frozenset[str]:
    """The characters that are marks on the letter before them, or fall apart into such."""
    every = map(chr, range(0x300, 0x20000))
    return frozenset(one for one in every if unicodedata.combining(unicodedata.normalize(form, one)[0]))


def _ordered(text: str, form: Literal["NFKD", "NFD"]) -> str:
    """The text with long runs of marks in canonical order: the library sorts by inserting, for most of a minute."""
    if len(text) < _LONG_RUN:
        return text
    marks = _marks(form)
    pieces, done = [], 0
    for at in range(0, len(text), _LONG_RUN):  # no run so long can lie between two of these
        if at < done or text[at] not in marks:
            continue
        start, end = at, at + 1
        while start > done and text[start - 1] in marks:
            start -= 1
        while end < len(text) and text[end] in marks:
            end += 1
        apart = "".join(unicodedata.normalize(form, mark) for mark in text[start:end])
        pieces += [text[done:start], "".join(sorted(apart, key=unicodedata.combining))]
        done = end
    return "".join([*pieces, text[done:]]) if pieces else text


_FORMS = {"NFKC": partial(_composed, form="NFKC"), "NFC": partial(_composed, form="NFC"), "none": None}


def _controls(text: str) -> str:
    return text if text.isprintable() else _CONTROLS.sub("", text)


def _white_space(text: str) -> str:
    lines = text.splitlines()
    if len(lines) == 1:
        return " ".join(text.split())
    return "\n".join(line for line in (" ".join(line.split()) for line in lines) if line)
