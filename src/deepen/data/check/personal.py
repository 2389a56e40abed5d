"""Personal data that would end up in a model: mail, phone, card and identity numbers, each with its own check.

Precise rather than greedy: a number counts only if its check digit and its form are right. What is found is never
shown in full.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import date

from deepen.data.check.problem import Problem, Severity, Splits, place, rows, verb
from deepen.data.near import row_texts

_EMAIL = re.compile(
    r"(?<![A-Za-z0-9_.+%-])[A-Za-z0-9_.+%-]{1,64}@"
    r"(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.){1,6}[A-Za-z]{2,24}(?![A-Za-z0-9_@-])"
)
_CARD = re.compile(r"(?<![\d.,-])(?<!\d )[3-6]\d{3}(?:[ -]?\d){9,15}(?![\d-])(?! \d)")
_CHINESE_ID = re.compile(r"(?<![\dA-Za-z])[1-9]\d{16}[\dXx](?![\dA-Za-z])")
_SSN = re.compile(r"(?<![\d-])(?!000|666|9)\d{3}-(?!00)\d{2}-(?!0000)\d{4}(?![\d-])")
_IBAN = re.compile(r"(?<![A-Za-z0-9])[A-Za-z]{2}\d{2}(?: ?[A-Za-z0-9]{4}){2,7}(?: ?[A-Za-z0-9]{1,4})?(?![A-Za-z0-9])")
_CHINESE_PHONE = re.compile(
    r"(?<![\d+-])(?:\+?86[ -]?)?1[3-9]\d(?:\d{8}|[ -]\d{4}[ -]\d{4})(?![\d-])"
    r"|(?<![\d-])(?:\(0\d{2,3}\) ?|0\d{2,3}-)[2-8]\d{6,7}(?![\d-])"
)
_PHONE = re.compile(
    r"(?<![\w.+-])(?:\+?1[ .-])?(?:\([2-9]\d{2}\) ?|[2-9]\d{2}[ .-])[2-9]\d{2}[.-]\d{4}(?![\w-])"  # North America
    r"|(?<![\w.+-])\+(?:[2-79]\d{0,2}|8[0-57-9]\d?)(?:[ .-]?\(?\d{1,4}\)?){2,5}(?![\w-])"  # international, not China
    r"|(?<![\w.+-])0(?:7\d{3} \d{6}|\d{2} \d{4} \d{4}|\d{3} \d{3} \d{4})(?![\w-])",  # United Kingdom
    re.ASCII,
)
_DIGITS = re.compile(r"\d(?:[ .()-]{0,2}\d){6}")
_IBAN_START = re.compile(r"[A-Za-z]{2}\d{2} ?[A-Za-z0-9]{4}")
# Lengths from the registry of ISO 13616, for the countries that have many.
_IBAN_CHARS = frozenset(
    "AD24 AE23 AT20 BE16 BG22 CH21 CY28 CZ24 DE22 DK18 EE20 ES24 FI18 FR27 GB22 GR27 HR21 HU28 IE22 IL23 IS26 IT27 "
    "LI21 LT20 LU20 LV21 MC27 MT31 NL18 NO15 PL28 PT25 RO24 SA24 SE24 SI19 SK24 TR26".split()
)
_PROVINCES = frozenset(
    "11 12 13 14 15 21 22 23 31 32 33 34 35 36 37 41 42 43 44 45 46 50 51 52 53 54 61 62 63 64 65 71 81 82 83".split()
)
_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)


def luhn(text: str) -> bool:
    """Whether the digits of a card number are right: length by issuer, and the check digit of Luhn (ISO/IEC 7812-1).

    Example:
        >>> luhn("4111 1111 1111 1111"), luhn("4111 1111 1111 1112")
        (True, False)
    """
    digits = [int(char) for char in text if char.isdigit()]
    joined = "".join(map(str, digits))
    lengths = {"3": (14, 15), "4": (13, 16, 19), "5": (16,), "6": (16, 17, 18, 19)}[joined[0]]
    if len(digits) not in lengths or len(set(digits)) < 2 or (joined[0] == "3" and joined[1] not in "04678"):
        return False
    doubled = (digit * 2 - 9 * (digit > 4) if at % 2 else digit for at, digit in enumerate(reversed(digits)))
    return sum(doubled) % 10 == 0


def chinese_id(text: str) -> bool:
    """Whether it is a Chinese resident number: province, birth date, and the check digit of GB 11643-1999.

    Example:
        >>> chinese_id("11010519491231002X"), chinese_id("110105194912310021")
        (True, False)
    """
    try:
        born = date(int(text[6:10]), int(text[10:12]), int(text[12:14]))
    except ValueError:
        return False
    if text[:2] not in _PROVINCES or not 1880 <= born.year <= date.today().year:
        return False
    rest = sum(weight * int(char) for weight, char in zip(_WEIGHTS, text[:17], strict=True)) % 11
    return "10X98765432"[rest] == text[17].upper()


def iban(text: str) -> bool:
    """Whether it is a bank account number: the length of its country, and 1 modulo 97 (ISO 13616).

    Example:
        >>> iban("GB82 WEST 1234 5698 7654 32"), iban("GB82 WEST 1234 5698 7654 33")
        (True, False)
    """
    packed = text.replace(" ", "").upper()
    if f"{packed[:2]}{len(packed)}" not in _IBAN_CHARS:
        return False
    return int("".join(str(int(char, 36)) for char in packed[4:] + packed[:4])) % 97 == 1


_KINDS: tuple[tuple[str, re.Pattern[str], Callable[[str], bool], str, str], ...] = (
    ("personal_email", _EMAIL, bool, "an e-mail address", "MAIL"),
    ("personal_chinese_id", _CHINESE_ID, chinese_id, "a Chinese resident number", "ID"),
    ("personal_card", _CARD, luhn, "a payment card number", "CARD"),
    ("personal_iban", _IBAN, iban, "a bank account number (IBAN)", "ACCOUNT"),
    ("personal_ssn", _SSN, bool, "a US social security number", "ID"),
    ("personal_chinese_phone", _CHINESE_PHONE, bool, "a Chinese phone number", "PHONE"),
    ("personal_phone", _PHONE, lambda text: 9 <= sum(map(str.isdigit, text)) <= 15, "a phone number", "PHONE"),
)


def find(splits: Splits) -> Iterator[Problem]:
    """Rows with personal data, the first masked: a model learns them by heart (no model learns those for tests)."""
    for name, part in splits.parts.items():
        counts: Counter[str] = Counter()
        firsts: dict[str, tuple[int, str]] = {}
        for at, text in enumerate(row_texts(part)):
            found = list(personal_values(text))
            counts.update({code for code, _ in found})
            for code, value in found:
                firsts.setdefault(code, (at, value))
        learned = name == "train"
        severity: Severity = "warning" if learned else "note"
        for code, _, _, what, word in _KINDS:
            if counts[code]:
                at, value = firsts[code]
                message = f"{rows(counts[code])} of {name} {verb(counts[code], 'hold')} {what}, first {masked(value)}"
                message += ": a model keeps what it learns from" if learned else ""
                remedy = f"replace the values by a word such as [{word}]" + (" before training" if learned else "")
                yield Problem(severity, code, part.table.name, place(part, at), counts[code], message, remedy)


def personal_values(text: str) -> Iterator[tuple[str, str]]:
    """Code and value of what is personal in a text; a number counts for the first kind that it fits."""
    mail, digits = "@" in text, _DIGITS.search(text) is not None
    if not mail and not digits and not _IBAN_START.search(text):
        return
    taken: list[tuple[int, int]] = []
    for code, pattern, right, *_ in _KINDS:
        if not (mail if code == "personal_email" else digits or code == "personal_iban"):
            continue
        for match in pattern.finditer(text):
            start, end = match.span()
            if right(match.group()) and not any(start < stop and begin < end for begin, stop in taken):
                taken.append((start, end))
                yield code, match.group()


def masked(value: str) -> str:
    """The first character of a value, and stars for the letters and digits that follow.

    Example:
        >>> masked("jo.doe@mail.com")
        'j*.***@****.***'
    """
    return value[:1] + re.sub(r"\w", "*", value[1:])
