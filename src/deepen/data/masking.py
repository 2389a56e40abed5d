"""Personal data in a text, found by patterns and check digits, and replaced by what it is.

What has a check digit (cards, IBAN, Chinese resident numbers) is masked only if it is right: an order number of as many
digits stays. Phone numbers and passports have none, so their form and the words before them decide. Names and addresses
need a model; nothing here finds them.
"""

from __future__ import annotations

import ipaddress
import re
from bisect import bisect_right
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal, get_args

from deepen.core.errors import SettingError

Kind = Literal["EMAIL_ADDRESS", "IBAN_CODE", "CN_RESIDENT_ID", "CREDIT_CARD", "IP_ADDRESS", "PASSPORT", "PHONE_NUMBER"]
"""Named as Presidio names them, where it does. Where two overlap, the one that stands first here is right."""
KINDS: tuple[Kind, ...] = get_args(Kind)


Place = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Span:
    """Where something personal stands, in characters of the text that was given."""

    start: int
    end: int
    kind: Kind


@dataclass(frozen=True, slots=True)
class Masked:
    """A text with `<KIND>` in place of each span; the spans are places in the text that was given."""

    text: str
    spans: tuple[Span, ...]
    kept: tuple[Span, ...] = ()
    """What stays, since a task must find it."""

    def moved(self, at: int) -> int:
        """Where a place of the text that was given, outside of all spans, is in the masked text."""
        return at + sum(len(span.kind) + 2 - (span.end - span.start) for span in self.spans if span.end <= at)

    def original(self, at: int, *, end: bool = False) -> int:
        """Where a place of the masked text is in the text that was given.

        Args:
            at: A character of the masked text, or the end of some.
            end: Whether it is an end: inside of what was put in, that is the end of its span; else its start.

        Example:
            >>> found = mask("a@b.com wrote it")
            >>> found.text, found.original(found.text.index("wrote"))
            ('<EMAIL_ADDRESS> wrote it', 8)
        """
        shift = 0
        for span in self.spans:
            start = span.start + shift
            length = len(span.kind) + 2
            if at < start + length or (end and at == start + length):
                inside = start < at
                return (span.end if end else span.start) if inside else at - shift
            shift += length - (span.end - span.start)
        return at - shift


def mask(text: str, *, kinds: Collection[Kind] = KINDS, keep: Sequence[Place] = ()) -> Masked:
    """Replaces personal data.

    Args:
        keep: Places (start, end) in which nothing may change, since a task must find them: what overlaps one stays.

    Raises:
        SettingError: If python-stdnum is not installed.

    Example:
        >>> mask("Call 212-555-0187, order 4929-1111").text
        'Call <PHONE_NUMBER>, order 4929-1111'
    """
    found = find(text, kinds=kinds)
    if not found:
        return Masked(text, ())
    kept = [span for span in found if any(span.start < end and start < span.end for start, end in keep)]
    spans = [span for span in found if span not in kept]
    return Masked(replaced(text, 0, len(text), spans), tuple(spans), tuple(kept))


def replaced(text: str, start: int, end: int, spans: Sequence[Span]) -> str:
    """A part of a text with the spans in it replaced."""
    pieces = []
    for span in spans:
        pieces += [text[start : max(start, span.start)], f"<{span.kind}>"]
        start = min(end, span.end)
    return "".join([*pieces, text[start:end]])


def find(text: str, *, kinds: Collection[Kind] = KINDS) -> list[Span]:
    """Personal data in a text, in order; no two overlap."""
    if not _SOME.search(text):
        return []
    folded = text if text.isascii() else text.translate(_FOLDED)
    found: list[Span] = []
    starts: list[int] = []
    for kind, pattern, check in _LOOKS:
        for match in pattern.finditer(folded) if kind in kinds else ():
            place = check(match)
            if place is not None:
                at = bisect_right(starts, place[0])
                if (not at or found[at - 1].end <= place[0]) and (at == len(found) or found[at].start >= place[1]):
                    found.insert(at, Span(*place, kind))
                    starts.insert(at, place[0])
    return found


# Nothing is personal here without a digit or a sign for an address.
_SOME = re.compile(r"[\d@\uff20]")
# Full-width forms as people type them among Chinese letters, one for one, so that places stay.
_FOLDED = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)} | {
    0x3000: 0x20,
    0x2010: 0x2D,
    0x2011: 0x2D,
    0x2013: 0x2D,
}


@cache
def check_digits() -> Any:
    """What python-stdnum knows of IBANs, cards and Chinese resident numbers.

    Raises:
        SettingError: If it is not installed.
    """
    try:
        from stdnum import iban, luhn
        from stdnum.cn import ric
    except ImportError:
        raise SettingError("masking needs python-stdnum: pip install 'deepen[serve]'") from None
    return iban, luhn, ric


def _digits(text: str) -> str:
    return "".join(filter(str.isdecimal, text))


# --- mail -------------------------------------------------------------------------------------------------------------

_MAIL = re.compile(
    r"(?<![A-Za-z0-9._%+-])[A-Za-z0-9_%+-][A-Za-z0-9._%+-]{0,63}@(?:[A-Za-z0-9-]{1,63}\.){1,8}[A-Za-z]{2,24}"
    r"(?![A-Za-z0-9@-]|:[\w~/])"  # git@host:path is no mail
)
_PICTURES = ("png", "jpg", "jpeg", "gif", "svg", "webp")  # icon@2x.png


def _mail(match: re.Match[str]) -> Place | None:
    return None if match.group().lower().endswith(_PICTURES) else match.span()


# --- numbers with check digits ----------------------------------------------------------------------------------------

_IBAN = re.compile(r"(?<![A-Za-z0-9])[A-Za-z]{2}\d{2}(?:[ -]?[A-Za-z0-9]){11,30}")


def _iban(match: re.Match[str]) -> Place | None:
    """The longest beginning that is an IBAN of its country: words may follow it."""
    iban = check_digits()[0]
    said, start = match.group(), match.start()
    for end in range(len(said), 14, -1):
        whole = end == len(said) or not said[end].isalnum()
        after = match.string[start + end : start + end + 1]
        if (
            whole
            and not (after.isascii() and after.isalnum())
            and said[end - 1].isalnum()
            and iban.is_valid(said[:end])
        ):
            return start, start + end
    return None


_RESIDENT = re.compile(r"(?<![A-Za-z0-9.])[1-9]\d{5}[ ]?(?:18|19|20)\d{6}[ ]?\d{3}[\dXx](?![A-Za-z0-9]|\.\d)")


def _resident(match: re.Match[str]) -> Place | None:
    """With a day of birth, and a last sign by ISO 7064 MOD 11-2."""
    ric = check_digits()[2]
    number = match.group().replace(" ", "").upper()
    try:
        ric.get_birth_date(number)
    except Exception:  # stdnum's own, one of several
        return None
    return match.span() if ric.calc_check_digit(number) == number[-1] else None


_CARD = re.compile(
    r"(?<![A-Za-z0-9.])(?<!\d-)(?:\d{13,19}|\d{4}([ -])\d{4}\1\d{4}\1\d{1,4}(?:\1\d{1,3})?|\d{4}([ -])\d{6}\2\d{4,5})"
    r"(?![A-Za-z0-9]|[.-]\d)"
)
# What a card's number begins with, and how long it is then.
_ISSUERS = re.compile(
    r"4(?:\d{12}|\d{15}|\d{18})|5[1-5]\d{14}|2(?:22[1-9]|2[3-9]\d|[3-6]\d\d|7[01]\d|720)\d{12}|3[47]\d{13}"
    r"|6(?:011|4[4-9]\d|5\d\d)\d{12}(?:\d{3})?|62\d{14}(?:\d{1,3})?|35(?:2[89]|[3-8]\d)\d{12}|3(?:0[0-5]|[689]\d)\d{11}"
    r"|(?:5018|5020|5038|6304|6759|676[1-3])\d{8,15}"
)


def _card(match: re.Match[str]) -> Place | None:
    number = _digits(match.group())
    return match.span() if _ISSUERS.fullmatch(number) and check_digits()[1].is_valid(number) else None


# --- addresses of machines --------------------------------------------------------------------------------------------

_IP = re.compile(
    r"(?<![A-Za-z0-9._-])(?<![0-9A-Fa-f]:)(?<!::)(?:(?:\d{1,3}\.){3}\d{1,3}(?![A-Za-z0-9_]|\.\d|-\d)"
    r"|[0-9A-Fa-f]{1,4}:(?:[0-9A-Fa-f]{0,4}:){1,6}[0-9A-Fa-f]{0,4}(?![A-Za-z0-9:_]))"
)
_VERSION = re.compile(
    r"(?:\b(?:v|ver|version|release|build|firmware|driver|section|chapter|clause)|§|版本|固件|驱动|升级|章|条|节)"
    r"[号为是到至\s.:：]{0,4}$",
    re.IGNORECASE | re.ASCII,
)


def _ip(match: re.Match[str]) -> Place | None:
    """Four numbers behind a word for a version are one."""
    said = match.group()
    try:
        ipaddress.ip_address(said)
    except ValueError:
        return None
    if ":" in said:  # 1::2 is a slice, 12:30:45 a time
        return match.span() if re.search(r"[0-9A-Fa-f]{3}", said) and re.search(r"\d", said) else None
    return None if _VERSION.search(match.string, max(0, match.start() - 16), match.start()) else match.span()


# --- without check digits ---------------------------------------------------------------------------------------------

_PASSPORT = re.compile(
    r"(?:passport|护照|通行证)(?:\bno\.|\bnr\.|[^\d.!?。！？\n]){0,24}?(?<![A-Za-z0-9])([A-Za-z]{0,2}\d{6,9})(?![A-Za-z0-9]|[.,-]\d)",
    re.IGNORECASE | re.ASCII,
)
_DAY = re.compile(r"(?:19|20)\d\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])")


def _passport(match: re.Match[str]) -> Place | None:
    """A number soon after the word passport, which is no day."""
    return None if _DAY.fullmatch(match.group(1)) else match.span(1)


# Not inside of a longer row of groups, which is a number of something else.
_BEFORE, _BEHIND = r"(?<![A-Za-z0-9_.,/#=-])(?:(?=[(+])|(?<!\d{3} ))", r"(?![A-Za-z0-9_]|[.,/-]\d| \d{3}|%)"
_PHONE = re.compile(
    _BEFORE + r"(?:"
    r"(?:\+|00(?=[1-9]\d{9}))(?:1(?=[ .-]?\(?[2-9])|[2-9]\d{0,2})[ .-]?(?:\(0?\d{1,4}\)[ .-]?)?\d(?:[ .-]?\d){6,11}"
    r"|(?:1[ .-])?(?:\([2-9]\d\d\)[ .-]?|[2-9]\d\d[ .-])[2-9]\d\d[ .-]\d{4}"  # (212) 555-0187
    r"|(?:86[ -]?)?1[3-9]\d(?:\d{8}|([ -])\d{4}\1\d{4})"  # 138 0013 8000
    r"|(?:\(0(?:10|2\d|[3-9]\d\d)\)[ -]?|0(?:10|2\d|[3-9]\d\d)[ -])\d{3,4}[ -]?\d{4}(?:-\d{1,5})?"  # 010-6552 9988
    r"|(?:\(0[1-9]\d{0,3}\)[ -]?|0[1-9]\d{1,3}[ -])\d{3,4}[ -]?\d{3,4}"  # 07700 900123
    r"|07\d{9}|04\d{8}"  # mobile numbers of Britain and Australia
    r"|1[38]00[ -]\d{3}[ -]\d{3}|[48]00-\d{3}-?\d{4}"  # 1300 975 707
    r")" + _BEHIND + r"(?:\s?(?:ext\.?|x)\s?\d{1,5})?"
)
# What follows one of these is a number of something else.
_OTHER = re.compile(
    r"(?:\b(?:order|invoice|tracking|ticket|serial|part|model|sku|isbn|issn|ref|reference|case|batch|lot|item|parcel|id)\b"
    r"|订单|单号|编号|发票|运单|快递|型号|序列|批次|工单|货号|流水|书号)[^\d!?。！？\n]{0,12}$",
    re.IGNORECASE | re.ASCII,
)
# A bare row of digits is a phone number only behind a word for it.
_CALLED = re.compile(
    r"(?:\b(?:phone|tel|telephone|mobile|cell|call|whatsapp|dial|fax)\b|电话|手机|座机|致电|拨打)"
    r"(?:[\s:.#]|\b(?:me|us|him|her|at|on|is|no|number|to)\b|号码|号|是|为|我){0,8}"
    r"(?<![A-Za-z0-9])(\d{3}[ -]?\d{4}|\d{10})" + _BEHIND,
    re.IGNORECASE | re.ASCII,
)


def _phone(match: re.Match[str]) -> Place | None:
    other = match.group()[0] != "+" and _OTHER.search(match.string, max(0, match.start() - 24), match.start())
    return None if other else match.span()


_LOOKS: tuple[tuple[Kind, re.Pattern[str], Callable[[re.Match[str]], Place | None]], ...] = (
    ("EMAIL_ADDRESS", _MAIL, _mail),
    ("IBAN_CODE", _IBAN, _iban),
    ("CN_RESIDENT_ID", _RESIDENT, _resident),
    ("CREDIT_CARD", _CARD, _card),
    ("IP_ADDRESS", _IP, _ip),
    ("PASSPORT", _PASSPORT, _passport),
    ("PHONE_NUMBER", _PHONE, _phone),
    ("PHONE_NUMBER", _CALLED, lambda match: match.span(1)),
)
