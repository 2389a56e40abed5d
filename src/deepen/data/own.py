"""The ids that a file itself gives its rows, so that answers can be joined to it."""

from __future__ import annotations

import json
import re
from collections.abc import Collection
from typing import Any

from deepen.data.columns import plain_name
from deepen.data.source import Source, as_text

_NAMES = ("id", "idx", "guid", "uid", "uuid", "index", "row_id", "example_id", "编号", "序号")
_LONGEST = 64
_FRACTION = re.compile(r"[+-]?\d*[.,]\d*(e[+-]?\d+)?", re.IGNORECASE)


def own_column(source: Source, used: Collection[int]) -> int | None:
    """The column with the ids of a source.

    It is called id, idx, guid, uid, uuid, index, row_id, example_id, 编号 or 序号, the first of these that there is;
    else it is the only one whose name ends in _id; else the first column of all, if it looks like ids: a short word in
    every row, each another. None if no column but the `used` ones holds them.
    """
    plain = [plain_name(name) for name in source.names or ()]
    for name in _NAMES:
        if name in plain and plain.index(name) not in used:
            return plain.index(name)
    ending = [at for at, name in enumerate(plain) if name.endswith("_id") and at not in used]
    if ending:
        return ending[0] if len(ending) == 1 else None
    return 0 if plain and 0 not in used and _like_ids(source) else None


def _like_ids(source: Source) -> bool:
    words = [(as_text(row[0]) or "").strip() if row else "" for row in source.sample]
    if len(words) < 2 or len(set(words)) < len(words):
        return False
    return all(0 < len(word) <= _LONGEST and len(word.split()) == 1 and not _FRACTION.fullmatch(word) for word in words)


def own_id(cell: Any) -> str | None:
    """The id in a cell, as JSON: a text stays a text (`"007"`) and a whole number a number; None if it is empty."""
    if isinstance(cell, bool) or not hasattr(cell, "__index__"):
        text = as_text(cell)
        return None if text is None or not text.strip() else json.dumps(text, ensure_ascii=False)
    return str(cell.__index__())
