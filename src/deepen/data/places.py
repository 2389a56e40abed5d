"""The columns of the training file, found again in another: by their names, their places, or the labels in them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

from deepen.core.errors import DataError
from deepen.data.columns import TARGET, Columns, Need, plain_name
from deepen.data.source import Source, as_text, clip
from deepen.data.targets.labels import plain_label

Found = dict[str, tuple[int, ...]]
_JUDGED_ROWS = 2000
_MOST_COLUMNS = 1000
_VALUES_KEPT = 1000
_VALUE_CHARS = 80
_SEVERAL = re.compile(r"[|;,\n]")


def named_index(source: Source, name: str) -> int | None:
    """The number of the column of this name, or of the only one that differs from it in case and signs; else None."""
    if source.names is None:
        return None
    if name in source.names:
        return source.names.index(name)
    same = [i for i, other in enumerate(source.names) if plain_name(other) == plain_name(name)]
    return same[0] if len(same) == 1 else None


def by_training_names(
    source: Source, needs: Sequence[Need], like: Columns, chosen: Found, *, need_target: bool
) -> Found:
    """Columns that are called as in the training data; an error if some that were joined are here and others not."""
    found: Found = {}
    texts = [need for need in needs if need.name != TARGET and not need.optional]
    if source.names is None and source.width == 1 and len(texts) == 1 and texts[0].name not in chosen:
        return {texts[0].name: (0,)}
    for need in needs:
        parts = like.inputs.get(need.name, ()) if need.name != TARGET else like.target or ()
        names = [part for part in parts if isinstance(part, str)]
        if need.name in chosen or not names or len(names) < len(parts):
            continue
        places = [named_index(source, name) for name in names]
        taken = {i for indices in (*chosen.values(), *found.values()) for i in indices}
        there = tuple(place for place in places if place is not None and place not in taken)
        if len(there) == len(names):
            found[need.name] = there
        elif there and (need_target if need.name == TARGET else not need.optional):
            lacking = [name for name, place in zip(names, places, strict=True) if place is None]
            rest = "+".join((source.names or ())[i] for i in there)
            # without one of the labels its rows can't be scored: nobody said that they lack it
            remedy = f" (--columns {need.name}={rest} goes without)" if need.name != TARGET else ""
            raise DataError(
                f"{source.name} has no column '{clip((lacking or names)[0])}', which was a part of {need.name} in "
                f"training; columns are {source.listed()}{remedy}"
            )
    return found


def by_place(source: Source, needs: Sequence[Need], like: Columns, chosen: Found, *, need_target: bool) -> Found:
    """Columns that stand where they stood in the training file; none if the table is laid out differently."""
    places = {need.name: _places(like, need.name) for need in needs}
    if any(
        places[need.name] is None and need.name not in chosen and not need.optional
        for need in needs
        if need.name != TARGET
    ):
        return {}
    target = places.get(TARGET)
    shift = _shift(source, like, target, need_target=need_target)
    if shift is None:
        return {}
    if shift == 0 and target and len(target) == 1 and like.values and TARGET not in chosen:
        there = labels_at(source, like)
        if there != target[0] and (there is not None or not need_target or source.names is not None):
            return {}
    found: Found = {}
    taken = {i for indices in chosen.values() for i in indices}
    for need in needs:
        where = places[need.name]
        if where is None or need.name in chosen or (need.name == TARGET and shift):
            continue
        moved = tuple(i - (shift and target is not None and i > target[0]) for i in where)
        if all(i < source.width and i not in taken for i in moved):
            found[need.name] = moved
    return found


def _places(like: Columns, name: str) -> tuple[int, ...] | None:
    """The numbers of the columns in the training file; None if they are not known."""
    parts = like.target if name == TARGET else like.inputs.get(name)
    names = like.form.names if like.form is not None and like.form.kind == "table" else None
    found: list[int] = []
    for part in parts or ():
        if isinstance(part, int):
            found.append(part)
        elif names is not None and part in names:
            found.append(names.index(part))
        else:
            return None
    return tuple(found) or None


def _shift(source: Source, like: Columns, target: tuple[int, ...] | None, *, need_target: bool) -> int | None:
    """How many columns are missing: none, or that of the label; None if places say nothing."""
    form = like.form
    if source.form is not None and source.form.kind not in ("table", "memory", "lines"):
        return None
    if form is None:
        return 0 if source.names is None else None
    if form.kind != "table" or source.form is None or source.form.kind != "table":
        return None
    if source.width == form.width:
        return 0
    without = not need_target and target is not None and len(target) == 1 and source.width == form.width - 1
    if not without or source.names is not None:
        return None
    return 1 if labels_at(source, like) is None else None


def labels_at(source: Source, like: Columns) -> int | None:
    """The number of the column that holds labels which training saw. None if no column has mostly those."""
    if not like.values or source.width > _MOST_COLUMNS:
        return None
    shares = [
        share_known((row[i] for row in source.sample[:_JUDGED_ROWS] if i < len(row)), like.values)
        for i in range(source.width)
    ]
    return shares.index(max(shares)) if max(shares) > 0.5 else None


def seen_values(cells: Iterable[Any]) -> tuple[str, ...]:
    """The different values of a column that holds labels; none if they do not recur, since then they are no labels."""
    items = (item for cell in cells for item in (cell if isinstance(cell, list | tuple) else (cell,)))
    texts = [text.strip() for item in items if (text := as_text(item)) is not None]
    found = dict.fromkeys(text.encode("utf-8", "replace").decode() for text in texts if text)
    few = len(found) <= min(_VALUES_KEPT, max(2, 0.5 * len(texts)))
    return tuple(found) if few and all(len(text) <= _VALUE_CHARS for text in found) else ()


def share_known(cells: Iterable[Any], values: Iterable[str]) -> float:
    """The share of filled cells that are labels which training saw; of several labels in a cell each must be known."""
    known = set(values)
    plain = {spelled for value in known if (spelled := plain_label(value)) is not None}

    def is_known(text: str) -> bool:
        return text in known or plain_label(text) in plain

    texts = [text.strip() for cell in cells if (text := as_text(cell)) is not None and text.strip()]
    right = sum(is_known(text) or all(is_known(part.strip()) for part in _SEVERAL.split(text)) for text in texts)
    return right / len(texts) if texts else 0.0
