"""Targets that are numbers on a scale: told from classes, and read. Shape legend: N rows."""

from __future__ import annotations

import math
import re
from collections.abc import Collection

import numpy as np

from deepen.core.errors import DataError
from deepen.data.source import clip
from deepen.data.table import Part

_MANY = 10
_DECIMAL_COMMA = re.compile(r"[+-]?\d+(,\d+)?")
_THOUSANDS = re.compile(r"[+-]?\d+(,\d{3})?")


def looks_like_scores(part: Part) -> bool:
    """Whether targets are many different numbers, some of them not whole: a scale, and not codes (or stars)."""
    values = {str(value) for value in part.values("target") if value is not None}
    comma = has_decimal_comma(values)
    numbers = [_number(value, comma) for value in values]
    if len(values) < _MANY or any(number is None for number in numbers):
        return False
    return any(number != int(number) for number in numbers if number is not None)


def read_scores(part: Part) -> np.ndarray:
    """The targets as numbers. scores_N, float32."""
    if not part.table.has_target:
        raise DataError(f"{part.table.name} has no label column")
    scores_N = np.empty(len(part), np.float32)
    comma = has_decimal_comma({str(value) for value in part.values("target") if value is not None})
    for row, (line, value) in enumerate(zip(part.values("line"), part.values("target"), strict=True)):
        number = None if value is None else _number(str(value), comma)
        if number is None:
            said = "label is empty" if value is None else f"label '{clip(str(value))}' is not a number"
            raise DataError(f"{part.table.name} line {line}: {said}, and a score is needed")
        scores_N[row] = number
    return scores_N


def has_decimal_comma(values: Collection[str]) -> bool:
    """Whether numbers are written as 3,5. False if one is no such number, or all of them may be thousands, as 1,500."""
    return all(map(_DECIMAL_COMMA.fullmatch, values)) and not all(map(_THOUSANDS.fullmatch, values))


def _number(value: str, decimal_comma: bool) -> float | None:
    try:
        number = float(value.replace(",", ".") if decimal_comma else value)
    except ValueError:
        return None
    return number if math.isfinite(number) else None
