"""Marks that a table carries on its rows: which split one is for, and whether a person accepted what is said of it.

A column `split` with train and test, or the lists of a JSON object that are called so, and Prodigy's `answer`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from deepen.data.columns import plain_name
from deepen.data.source import NO, YES, Fault, Row, Source, Split, as_text, clip, listed

SPLIT_NAMES: dict[str, Split] = {
    **dict.fromkeys(("train", "training", "trn", "训练", "训练集"), "train"),
    **dict.fromkeys(("dev", "devel", "valid", "validation", "val", "验证", "验证集"), "validation"),
    **dict.fromkeys(("test", "testing", "tst", "eval", "测试", "测试集"), "test"),
}
_COLUMNS = frozenset(
    ("split", "set", "subset", "fold", "partition", "data_split", "dataset_split", "split_name", "datasplit", "划分")
)
# columns of 0 and 1: what 1 says, and what 0 does
_FLAGS: dict[str, tuple[Split, Split]] = {
    "is_test": ("test", "train"),
    "is_train": ("train", "test"),
    **dict.fromkeys(("is_valid", "is_validation", "is_val", "is_dev"), ("validation", "train")),
}
_ANSWERS = frozenset(("accept", "reject", "ignore"))
_MOSTLY = 0.9
SET_ASIDE = "set_aside"
"""The kind of fault of a row that a person rejected: left out whatever is done with bad rows."""


@dataclass(frozen=True)
class ForSplit:
    """The rows of a source that are for one split, where it says which are: what `load_table` takes in its place."""

    source: Any
    split: Split


def _text(cell: Any) -> str:
    return (as_text(cell) or "").strip()


def _values(source: Source, at: int) -> list[str]:
    return list(map(_text, source.cells(at)))


def _called_split(source: Source) -> list[int]:
    return [at for at, name in enumerate(source.names or ()) if plain_name(name) in _COLUMNS | _FLAGS.keys()]


def split_column(source: Source) -> int | None:
    """The column that says which split a row is for, by its name and its values; None if there is none."""
    for at in _called_split(source):
        values = _values(source, at)
        known = sum(_split(source, at, value) is not None for value in values)
        if known and known >= _MOSTLY * len(values):
            return at
    return None


def _passed_over(source: Source, used: Sequence[int]) -> Source:
    """The source with a word on columns that are called as those that mark the rows, and that don't."""
    for at in _called_split(source):
        if at in used:
            continue
        values = Counter(_values(source, at))
        odd = [value for value in values if _split(source, at, value) is None]
        if not odd:
            continue
        said = f"{source.name}: column {source.called(at)} marks no rows, for it holds {listed(odd[:5])}"
        if len(odd) < len(values):
            said += f" beside {listed([value for value in values if value not in odd][:3])}: all rows are read"
            source = replace(source, warnings=(*source.warnings, said))
        else:
            source = replace(source, notes=(*source.notes, f"{said}: it is not read"))
    return source


def answer_column(source: Source) -> int | None:
    """The column that says whether a person accepted a row, as Prodigy writes it; None if there is none."""
    names = [plain_name(name) for name in source.names or ()]
    if "answer" not in names or not {"label", "spans", "accept"} & set(names):
        return None
    at = names.index("answer")
    values = set(_values(source, at)) - {""}
    return at if values and values <= _ANSWERS else None


def mark_columns(source: Source) -> frozenset[int]:
    """The columns that hold marks: neither a text nor a label unless they are asked for."""
    return frozenset(at for at in (split_column(source), answer_column(source)) if at is not None)


def count_splits(source: Source, used: Sequence[int]) -> tuple[dict[Split, int], Counter[str]]:
    """Rows of each split, and of each value that names none, which costs one more pass; columns in use are no marks."""
    at = split_column(source)
    if at is None or at in used:
        return {}, Counter()
    held = Counter(_text(cells[0]) for _, _, cells in source.read((at,)) if not isinstance(cells, Fault))
    counts: Counter[Split] = Counter()
    for value, count in held.items():
        if (split := _split(source, at, value)) is not None:
            counts[split] += count
    return dict(counts), Counter({value: held[value] for value in held if _split(source, at, value) is None})


def _split(source: Source, at: int, cell: Any) -> Split | None:
    value = _text(cell).lower()
    flag = _FLAGS.get(plain_name((source.names or ())[at]))
    if flag is None:
        return SPLIT_NAMES.get(value)
    return flag[0] if value in YES else flag[1] if value in NO else None


def pick(source: Source, split: Split, used: Sequence[int]) -> Source:
    """The rows of a source that are for one split and that a person accepted, where it says so, with notes of that."""
    counts, odd = count_splits(source, used)
    source, at = replace(source, marked=counts), split_column(source)
    if at is not None and counts:
        told = f"{source.name}: column {source.called(at)} marks the rows: "
        told += ", ".join(f"{name} {counts[name]:,}" for name in ("train", "validation", "test") if name in counts)
        if split in counts and len(counts) > 1:
            marked, column = source, at
            source = _filtered(source, at, lambda cell: _split(marked, column, cell) == split or None)
            source = replace(source, notes=(*source.notes, f"{told}; those for {split} are read"))
        elif split not in counts:
            source = replace(source, warnings=(*source.warnings, f"{told}; none is for {split}, and all are read"))
        if odd:
            num = "1 row" if odd.total() == 1 else f"{odd.total():,} rows"
            held = listed([value or "(empty)" for value, _ in odd.most_common(5)])
            said = f"{source.name}: column {source.called(at)} names no split in {num}, as {held}: "
            said += "such rows are left out" if len(counts) > 1 and split in counts else "such rows are read too"
            source = replace(source, warnings=(*source.warnings, said))
    elif at is None:
        source = _passed_over(source, used)
    at = answer_column(source)
    if at is None or at in used:
        return source
    return _filtered(source, at, _accepted)


def _accepted(cell: Any) -> bool | Fault:
    answer = _text(cell)
    said = f"answer is {clip(answer)}" if answer else "it has no answer"
    return True if answer == "accept" else Fault(f"{said}: nobody accepted it", SET_ASIDE)


def _filtered(source: Source, at: int, judge: Any) -> Source:
    """The source without the rows whose mark is judged as None, and with a fault in place of those judged as one."""

    def read(wanted: tuple[int, ...]) -> Iterator[Row]:
        for file, line, cells in source.read((*wanted, at)):
            if isinstance(cells, Fault):
                yield file, line, cells
                continue
            verdict = judge(cells[-1])
            if verdict is not None:
                yield file, line, verdict if isinstance(verdict, Fault) else cells[:-1]

    return replace(source, read=read)
