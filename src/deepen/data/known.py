"""Labels that training saw, and how many cells of another file are those."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

from deepen.data.source import as_text
from deepen.data.targets.labels import plain_label

_VALUES_KEPT = 1000
_VALUE_CHARS = 80
_SEVERAL = re.compile(r"[|;,\n]")


def seen_values(cells: Iterable[Any]) -> tuple[str, ...]:
    """The different values of a column that holds labels; none if they do not recur, since then they are no labels."""
    texts = [text.strip() for cell in cells for item in _items(cell) if (text := as_text(item)) is not None]
    found = dict.fromkeys(text.encode("utf-8", "replace").decode() for text in texts if text)
    few = len(found) <= min(_VALUES_KEPT, max(2, 0.5 * len(texts)))
    return tuple(found) if few and all(len(text) <= _VALUE_CHARS for text in found) else ()


def _items(cell: Any) -> Sequence[Any]:
    return cell if isinstance(cell, list | tuple) else (cell,)


def share_known(cells: Iterable[Any], values: Iterable[str]) -> float:
    """The share of filled cells that are labels which training saw; of several labels in a cell each must be known."""
    known = set(values)
    plain = {spelled for value in known if (spelled := plain_label(value)) is not None}

    def is_known(text: str) -> bool:
        return text in known or plain_label(text) in plain

    texts = [text.strip() for cell in cells if (text := as_text(cell)) is not None and text.strip()]
    right = sum(is_known(text) or all(is_known(part.strip()) for part in _SEVERAL.split(text)) for text in texts)
    return right / len(texts) if texts else 0.0
