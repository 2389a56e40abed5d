"""Which source columns make up the inputs and the target: as asked, by name, or by content, always with the reason."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from deepen.core.errors import DataError, nearest
from deepen.data.known import seen_values
from deepen.data.marks import mark_columns
from deepen.data.needs import (
    KNOWN_NAMES,
    LABEL_NAMES,
    TARGET,
    TEXT_NAMES,
    AskedColumns,
    Columns,
    Need,
    columns_from_json,
    columns_to_json,
    expected_names,
    parse_columns,
    plain_name,
)
from deepen.data.places import by_place, by_training_names, labels_at, named_index
from deepen.data.source import Source, as_text, clip
from deepen.data.targets.flags import are_flags, flag_columns

__all__ = [
    "KNOWN_NAMES",
    "TARGET",
    "AskedColumns",
    "Columns",
    "Need",
    "choose_columns",
    "column_indices",
    "columns_from_json",
    "columns_to_json",
    "expected_names",
    "parse_columns",
    "plain_name",
]

_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
# `text_id`, `label_confidence`: about a text or a label, not one
_ABOUT = re.compile(r"(^|_)(id|idx|index|date|time|length|len|url|count|num|confidence|score)$")
_LABEL_CHARS = 80


def choose_columns(
    source: Source,
    needs: Sequence[Need],
    columns: Columns | Mapping[str, str] | None,
    *,
    need_target: bool,
    like: Columns | None = None,
) -> Columns:
    """Finds the columns a task needs.

    What was asked for comes first, then usual names (English and Chinese, case ignored), then content: a label has few
    different values that recur, a text is long.

    Args:
        need_target: False if the target may be missing, as when predicting.
        like: The columns found on the training file, where others are asked for.
    """
    like = columns if isinstance(columns, Columns) else like
    asked = {} if columns is None or isinstance(columns, Columns) else columns
    chosen: dict[str, tuple[int, ...]] = {}
    reasons: dict[str, str] = {}
    for name, value in asked.items():
        if name not in {need.name for need in needs}:
            raise DataError(
                f"--columns {name}={value}: the task has no '{name}'; {nearest(name, [n.name for n in needs])}"
            )
        if name == TARGET and not need_target and not _has(source, value):
            continue
        chosen[name] = _asked(source, name, value)
        kind = next(need.kind for need in needs if need.name == name)
        if kind == "category" and len(chosen[name]) > 1 and are_flags(source, chosen[name]):
            raise DataError(
                f"{source.name}: {_called(source, chosen[name])} hold 0 and 1, and the task reads one label a row; "
                "--task multilabel reads a column for each label"
            )
        reasons[name] = f"{name} is {_called(source, chosen[name])}, as asked for"
    if like is not None:
        _as_trained(source, needs, like, chosen, reasons, need_target=need_target)
    _by_name(source, needs, chosen, reasons)
    _flags(source, needs, chosen, reasons, asked)
    if like is not None:
        found = by_place(source, needs, like, chosen, need_target=need_target)
        _in_place(source, like, found, chosen, reasons)
        _by_values(source, needs, like, chosen, reasons, need_target=need_target)
    _by_content(source, needs, chosen, reasons, need_target=need_target)
    for need in needs:
        needed = not need.optional and (need.name != TARGET or need_target)
        if need.name not in chosen and needed:
            needed_names = [
                other.name for other in needs if not other.optional and (need_target or other.name != TARGET)
            ]
            raise DataError(_missing(source, need, needed_names))
    return _named(source, needs, chosen, reasons, like.first_code if like is not None else None)


def column_indices(source: Source, parts: Sequence[str | int]) -> tuple[int, ...] | None:
    """The numbers of columns that are given by name or number; None if the source lacks one."""
    found = []
    for part in parts:
        index = _index(source, part)
        if index is None:
            return None
        found.append(index)
    return tuple(found)


def _index(source: Source, part: str | int) -> int | None:
    if isinstance(part, str) and (found := named_index(source, part)) is not None:
        return found
    if isinstance(part, int) or part.isdecimal():
        number = int(part) if isinstance(part, int) or len(part) < 10 else source.width
        return number if 0 <= number < source.width else None
    return None


def _split_value(source: Source, value: str) -> list[str]:
    if _index(source, value.strip()) is not None:
        return [value.strip()]
    return [part.strip() for part in value.split("+")]


def _has(source: Source, value: str) -> bool:
    return column_indices(source, _split_value(source, value)) is not None


def _asked(source: Source, name: str, value: str) -> tuple[int, ...]:
    found = []
    for part in _split_value(source, value):
        index = _index(source, part)
        if index is None:
            near = nearest(part, map(clip, source.names)) if source.names is not None else ""
            near = near if near.startswith("did you mean") else f"columns are {source.listed()}"
            raise DataError(f"{source.name} has no column '{clip(part)}' for {name}; {near}")
        found.append(index)
    return tuple(found)


def _as_trained(
    source: Source,
    needs: Sequence[Need],
    like: Columns,
    chosen: dict[str, tuple[int, ...]],
    reasons: dict[str, str],
    *,
    need_target: bool,
) -> None:
    """The columns that are called as in the training data."""
    for name, found in by_training_names(source, needs, like, chosen, need_target=need_target).items():
        chosen[name] = found
        called = source.names is not None or like.form is None or like.form.header is False
        why = "as in the training data" if called else "the only one"
        reasons[name] = f"{name} is {_called(source, found)}, {why}"


def _in_place(
    source: Source,
    like: Columns,
    found: dict[str, tuple[int, ...]],
    chosen: dict[str, tuple[int, ...]],
    reasons: dict[str, str],
) -> None:
    for name, indices in found.items():
        chosen[name] = indices
        parts = like.target if name == TARGET else like.inputs[name]
        same = source.names is None and parts == indices
        why = "as in the training data" if same else "by its place, which is that in the training data"
        reasons[name] = f"{name} is {_called(source, indices)}, {why}"


def _by_values(
    source: Source,
    needs: Sequence[Need],
    like: Columns,
    chosen: dict[str, tuple[int, ...]],
    reasons: dict[str, str],
    *,
    need_target: bool,
) -> None:
    """The label is the column that holds what training saw there."""
    if TARGET in chosen or not (need_target or source.names is None) or not any(n.name == TARGET for n in needs):
        return
    at = labels_at(source, like)
    if at is not None and (at,) not in chosen.values():
        chosen[TARGET] = (at,)
        reasons[TARGET] = f"{TARGET} is {_called(source, [at])}, by content: labels of the training data"


def _named(
    source: Source,
    needs: Sequence[Need],
    chosen: Mapping[str, tuple[int, ...]],
    reasons: dict[str, str],
    first_code: int | None = None,
) -> Columns:
    def parts(indices: tuple[int, ...]) -> tuple[str | int, ...]:
        return tuple(source.names[i] if source.names is not None else i for i in indices)

    inputs = {need.name: parts(chosen[need.name]) for need in needs if need.name in chosen and need.name != TARGET}
    target = chosen.get(TARGET)
    values: tuple[str, ...] = ()
    if target and len(target) == 1 and any(n.name == TARGET and n.kind in ("category", "labels") for n in needs):
        values = seen_values(row[target[0]] for row in source.sample if target[0] < len(row))
    return Columns(
        inputs, parts(target) if target is not None else None, reasons, first_code, source.form, None, values
    )


def _called(source: Source, indices: Sequence[int]) -> str:
    word = "column" if len(indices) == 1 else "columns"
    return f"{word} {' + '.join(source.called(i) for i in indices)}"


def _usual(need: Need) -> list[str]:
    # a task with two texts must not find both under the names of one
    own = [plain_name(name) for name in (need.name, *need.names)]
    if need.name == TARGET:
        return [*own, *LABEL_NAMES]
    return [*own, *TEXT_NAMES] if need.name == "text" else own


def _by_name(
    source: Source, needs: Sequence[Need], chosen: dict[str, tuple[int, ...]], reasons: dict[str, str]
) -> None:
    if source.names is None:
        return
    plain = [plain_name(name) for name in source.names[: source.own_width]]
    for need in needs:
        if need.name in chosen:
            continue
        taken = {i for indices in chosen.values() for i in indices}
        usual = list(dict.fromkeys(_usual(need)))
        found = [i for name in usual for i, have in enumerate(plain) if have == name and i not in taken]
        if not found:  # `airline_sentiment`, `review_text`
            found = [
                i
                for name in usual
                for i, have in enumerate(plain)
                if len(name) > 3 and i not in taken and (have.startswith(f"{name}_") or have.endswith(f"_{name}"))
                if not _ABOUT.search(have)
            ]
        found = list(dict.fromkeys(found))
        if found:
            chosen[need.name] = (found[0],)
            reasons[need.name] = f"{need.name} is {_called(source, found[:1])}, by its name" + _others(
                source, need.name, found[1:]
            )


def _flags(
    source: Source,
    needs: Sequence[Need],
    chosen: dict[str, tuple[int, ...]],
    reasons: dict[str, str],
    asked: Mapping[str, str],
) -> None:
    """Several columns of 0 and 1 are the labels, where rows have several and no column holds lists of them."""
    if TARGET in asked or not any(need.name == TARGET and need.kind == "labels" for need in needs):
        return
    taken = {i for name, indices in chosen.items() for i in indices if name != TARGET}
    flags = tuple(at for at in flag_columns(source) if at not in taken)
    if len(flags) > 1 and (TARGET not in chosen or set(chosen[TARGET]) <= set(flags)):
        chosen[TARGET] = flags
        reasons[TARGET] = f"{TARGET} is {_called(source, flags)}, by content: 0 or 1 for each label"
        blank = sum(not (as_text(row[at]) or "").strip() for row in source.sample for at in flags if at < len(row))
        if blank:
            reasons[TARGET] += f"; {blank:,} cells of the first {len(source.sample):,} rows are blank and read as 0"


def _others(source: Source, name: str, indices: Sequence[int]) -> str:
    if not indices:
        return ""
    them = ", ".join(source.called(i) for i in indices[:3])
    one = clip(source.names[indices[0]]) if source.names is not None else indices[0]
    return f"; {them} could be it too: --columns {name}={one}"


@dataclass(frozen=True)
class _Look:
    """What a column looks like in the sample."""

    index: int
    num: int
    distinct: int
    chars: float
    numeric: bool


def _looks(source: Source) -> list[_Look]:
    found = []
    rows = source.sample
    for index in sorted(set(range(source.own_width)) - mark_columns(source)):
        texts = [
            text for row in rows if index < len(row) and (text := as_text(row[index])) is not None and text.strip()
        ]
        chars = sum(map(len, texts)) / len(texts) if texts else 0.0
        numeric = bool(texts) and all(_NUMBER.fullmatch(text.strip()) for text in texts)
        found.append(_Look(index, len(texts), len(set(texts)), chars, numeric))
    return found


def _by_content(
    source: Source,
    needs: Sequence[Need],
    chosen: dict[str, tuple[int, ...]],
    reasons: dict[str, str],
    *,
    need_target: bool,
) -> None:
    open_needs = [need for need in needs if need.name not in chosen and not need.optional]
    if not open_needs:
        return
    looks = _looks(source)
    texts = [need for need in open_needs if need.kind == "text" and need.name != TARGET]
    if texts:
        taken = {i for indices in chosen.values() for i in indices}
        long = sorted((look for look in looks if look.index not in taken and look.num), key=lambda look: -look.chars)
        if need_target and TARGET not in chosen and len(long) <= len(texts):
            long = []  # every column would become a text and none the label
        worded = [look for look in long if not look.numeric]
        if len(worded) >= len(texts):
            for need, look in zip(texts, sorted(worded[: len(texts)], key=lambda look: look.index), strict=True):
                chosen[need.name] = (look.index,)
                why = f"the longest texts, {look.chars:.0f} characters on average"
                rest = [
                    other.index for other in worded[len(texts) :] if other.chars > 20 and 2 * other.distinct > other.num
                ]
                reasons[need.name] = f"{need.name} is {_called(source, [look.index])}, by content: {why}" + _others(
                    source, need.name, rest
                )
    # when predicting, a column that merely looks like labels is not taken for the truth
    if need_target and TARGET in {need.name for need in open_needs}:
        _label_by_content(source, looks, chosen, reasons)


def _label_by_content(
    source: Source, looks: Sequence[_Look], chosen: dict[str, tuple[int, ...]], reasons: dict[str, str]
) -> None:
    taken = {i for indices in chosen.values() for i in indices}
    free = [look for look in looks if look.index not in taken and look.num and look.chars <= _LABEL_CHARS]
    # a file sorted by label may show only one value in its first rows
    few = [look for look in free if look.distinct <= max(2, 0.5 * look.num)]
    few.sort(key=lambda look: (look.distinct < 2, look.distinct, look.chars))
    if not few and source.own_width == 2 and len(free) == 1:
        few = free
    if not few:
        return
    best = few[0]
    chosen[TARGET] = (best.index,)
    values = f"{best.distinct} different value{'s' if best.distinct != 1 else ''} in the first {best.num:,} rows"
    rest = [look.index for look in few[1:] if look.distinct > 1]
    reasons[TARGET] = f"{TARGET} is {_called(source, [best.index])}, by content: {values}" + _others(
        source, TARGET, rest
    )


def _missing(source: Source, need: Need, needed_names: Sequence[str]) -> str:
    hint = f"--columns {need.name}=NAME" if source.names is not None else f"--columns {need.name}=NUMBER"
    if source.own_width == 1:
        cause = "is there one text a line only, or another delimiter (--set data.delimiter=...)?"
        if source.form is not None and source.form.kind not in ("table", "lines"):
            cause = f"give each row all of them, as {{{', '.join(f'{name!r}: ...' for name in needed_names)}}}"
        elif re.search(r"\.ya?ml$", source.name.lower()):
            cause = "YAML is not read as data: write the rows as CSV or JSON Lines"
        elif re.match(r"\s*<(!doctype|html|table)\b", first := str((source.names or source.sample[0])[0]).lower()):
            cause = "it holds a web page, as some programs write for Excel: save it as .xlsx or CSV"
        elif "，" in first:
            cause = "do full-width commas part its cells? --set data.delimiter=， reads them"
        return f"{source.name} has a single column, but {' and '.join(needed_names)} are needed; {cause}"
    return f"{source.name}: no column looks like '{need.name}'; the columns are {source.listed()}: say which, {hint}"
