"""Reads any source of labelled text into a table on disk, once; the second time only the table is opened."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any, Literal

from deepen.core.cells import printable
from deepen.core.errors import DataError, SettingError
from deepen.core.files import cache_dir, fingerprint
from deepen.data.choosing import choose_columns, column_indices
from deepen.data.columns import TARGET, AskedColumns, Columns, Need, columns_to_json, expected_names
from deepen.data.ingest import LONG_CELL, Plan
from deepen.data.kept import hold_table, read_kept, write_table
from deepen.data.label_names import LabelNames
from deepen.data.marks import ForSplit, pick
from deepen.data.own import own_column
from deepen.data.readers.hub import looks_like_hub_name, open_hub
from deepen.data.readers.in_memory import content_key, is_frame, open_frame, open_list
from deepen.data.readers.keys import with_paths
from deepen.data.readers.opening import files_key, files_stamp, find_files, open_layout
from deepen.data.readers.parquet_arrow import from_dataset, is_dataset
from deepen.data.readers.prior import Prior
from deepen.data.readers.sentences import as_sentences
from deepen.data.readers.sniff import not_there, reading
from deepen.data.readers.turns import as_pairs
from deepen.data.settings import DataSettings
from deepen.data.source import Source, Split
from deepen.data.table import LEAVE_OUT, Table, bearable, too_many
from deepen.data.targets.label_lists import hint_of_many, many_plan
from deepen.data.targets.renaming import Renaming, renaming
from deepen.data.targets.tagged_rows import INPUTS, TaggedPlan, written_as

Given = Columns | AskedColumns | Mapping[str, str] | None
# Raised when a change of the readers would give other rows for the same file.
_VERSION = 24
_SHORT_ROWS = 2048
_TRIES = 3
Use = Literal["learn", "score", "answer"]


@dataclass(frozen=True)
class _Opened:
    """A way to open a source, its name, and its mark: a key for its content, and what else tells that it changed."""

    source: Callable[[], Source]
    name: str
    mark: Callable[[], tuple[str, Any]]


def load_table(
    source: Any,
    needs: Sequence[Need],
    settings: DataSettings,
    *,
    columns: Given = None,
    need_target: bool = True,
    label_names: LabelNames | None = None,
    use: Use = "learn",
) -> tuple[Table, Columns]:
    """Reads rows from a file, a folder, a hub name, a DataFrame or a list, whatever form they have.

    The form is told by content. Rows are streamed, normalised and checked, and kept in the cache as an Arrow file that
    is memory-mapped, so a table may be larger than memory and is read only once. `source` may be `ForSplit` of one, for
    those of a split; `columns` as asked for (`parse_columns`) or as found on the training data, None to find them: hand
    the ones that are given back on to validation and test data. To predict, `need_target` is False. Rows are there to
    `learn` from; to `score`, where a short table that came from memory is not kept; to `answer`, where each row keeps
    its place too: one that can't be read is listed in `left` however many there are, blank lines as well, and the
    source's own ids are read. Whatever is wrong is a DataError of one line that names file, line and cause.

    Example:
        >>> rows = [{"text": "good", "label": "1"}, {"text": "bad", "label": "0"}]
        >>> table, found = load_table(rows, [Need("text", "text"), Need("label", "category")], DataSettings())
        >>> len(table), found.target
        (2, ('label',))
    """
    asked = _Asked(needs, settings, need_target, label_names, use)
    table, found = _load(source, columns, asked)
    _check_left_out(table, settings.bad_rows)
    return table, found


@dataclass(frozen=True)
class _Asked:
    """What rows are read for, and how."""

    needs: Sequence[Need]
    settings: DataSettings
    need_target: bool
    label_names: LabelNames | None
    use: Use


def _load(source: Any, given: Given, asked: _Asked) -> tuple[Table, Columns]:
    """All rows that can be read, however many can't. A file that changes while it is read is read again."""
    needs, settings = asked.needs, asked.settings
    columns, like, prior = _known(given, needs, need_target=asked.need_target)
    source, split = (source.source, source.split) if isinstance(source, ForSplit) else (source, None)
    opened = _open(source, settings, prior)

    def start() -> tuple[Source, Plan, DataSettings, Columns]:
        table_source = opened.source()
        chosen = choose_columns(table_source, needs, columns, need_target=asked.need_target, like=like)
        chosen = replace(chosen, spelled=(like.spelled or {}) if like is not None else None)
        if split is not None:
            table_source = pick(table_source, split, used_columns(table_source, chosen))
        chosen, plan = _plan(table_source, chosen, asked)
        if plan.own is not None:
            told = f"{table_source.name}: the ids of the rows are column {table_source.called(plan.wanted[plan.own])}"
            table_source = replace(table_source, notes=(*table_source.notes, told))
        return table_source, plan, settings, chosen

    if asked.use != "learn" and _in_memory(source) and len(source) <= _SHORT_ROWS:
        return hold_table(*start())
    for _ in range(_TRIES):
        mark = opened.mark()
        kept = cache_dir() / "tables" / _key((opened.name, mark[0]), asked, (columns, like), split)
        found = read_kept(kept, opened.name)
        if found is not None:
            return found
        if write_table(*start(), kept, lambda mark=mark: opened.mark() == mark):  # type: ignore[misc]
            found = read_kept(kept, opened.name)
            if found is None:
                raise SettingError(f"{kept} was written and can't be read back; is the cache on a broken disk?")
            return found
    raise DataError(f"{opened.name} changes while it is read: wait until it is written, or read a copy of it")


def _known(
    columns: Given, needs: Sequence[Need], *, need_target: bool
) -> tuple[Columns | Mapping[str, str] | None, Columns | None, Prior]:
    """What was asked for, the columns of the training data, and what both say of a file before it is opened."""
    columns, like = (columns.columns, columns.like) if isinstance(columns, AskedColumns) else (columns, None)
    given, like = (None, columns) if isinstance(columns, Columns) else (columns, like)
    return columns, like, Prior(expected_names(columns, needs), like, tuple(needs), need_target, given)


def used_columns(source: Source, columns: Columns) -> tuple[int, ...]:
    """Which columns of a source are inputs or target, by number."""
    parts = [*(part for parts in columns.inputs.values() for part in parts), *(columns.target or ())]
    return column_indices(source, parts) or ()


def _in_memory(source: Any) -> bool:
    return is_frame(source) or isinstance(source, list | tuple)


def _key(named: tuple[str, str], asked: _Asked, wanted: Sequence[Any], split: Split | None) -> str:
    """The key of a table in the cache: all that decides what is read."""
    names = asked.label_names
    return fingerprint(
        _VERSION,
        *named,
        # a recipe's section adds fields of its own, which don't change what is read
        asked.settings.model_dump(include=set(DataSettings.model_fields) - {"max_labels", "bad_rows"}),
        [columns_to_json(some) if isinstance(some, Columns) else some and dict(some) for some in wanted],
        [vars(need) for need in asked.needs],
        asked.need_target,
        [names.source, names.names, names.mapping] if names is not None else None,
        split,
        asked.use == "answer",
    )


def _check_left_out(table: Table, bad_rows: str) -> None:
    """Stops where more was left out of a table than may be."""
    bad, rows = table.num_bad, table.num_bad + len(table)
    # one row with a long cell may be many that a quote has swallowed
    long = bad_rows == "auto" and LONG_CELL in table.faults
    if not bad or bad_rows == "drop" or (bad_rows == "auto" and bearable(bad, rows) and not long):
        return
    _, file, line, message = table.faults[LONG_CELL] if long else next(iter(table.faults.values()))
    why = f"; {too_many(bad, rows)}" if bad_rows == "auto" and not long else f" ({LEAVE_OUT})"
    raise DataError(f"{file} line {line}: {message}{why}")


def open_source(source: Any, needs: Sequence[Need], settings: DataSettings, columns: Given) -> Source:
    """Opens a source as `load_table` does where no target is needed, to have its rows as they are."""
    return _open(source, settings, _known(columns, needs, need_target=False)[2]).source()


def look(source: Any, settings: DataSettings, prior: Prior | None = None) -> Source:
    """Opens a source to see the names of its columns and its first rows; no more of it is read."""
    return _open(source, settings, prior or Prior()).source()


def _open(source: Any, settings: DataSettings, prior: Prior) -> _Opened:
    """How to open a source; no file is parsed."""

    def whole(table: Source) -> Source:
        return as_sentences(with_paths(as_pairs(table), prior.names))

    if _in_memory(source):
        table = open_frame(source) if is_frame(source) else open_list(source)
        return _Opened(lambda: whole(table), table.name, cache(lambda: (content_key(table), None)))
    if is_dataset(source):
        table, key = from_dataset(source, "the data set")
        return _Opened(lambda: whole(table), table.name, lambda: (key, None))
    if not isinstance(source, str | Path):
        raise DataError(
            f"can't read a {type(source).__name__}: give a path, a hub name, a DataFrame or a list of mappings"
        )
    if not str(source) or "\0" in str(source):
        raise DataError("the name of the data is empty or holds a NUL byte")
    name = printable(str(source))
    path = Path(os.path.expanduser(source))
    with reading(name):
        there = path.exists()
    if not there and isinstance(source, str) and looks_like_hub_name(name):
        table, key = open_hub(name, not_there(path))
        return _Opened(lambda: whole(table), name, lambda: (key, None))
    layout = find_files(path, name)
    opened = lambda: whole(open_layout(layout, name, settings, prior))  # noqa: E731
    return _Opened(opened, name, lambda: (files_stamp(layout, name), files_key(layout, name))[::-1])


def _if_empty(source: Source, target: Sequence[int] | None, kinds: Collection[str], *, many: bool) -> str:
    """What else there is to say of an empty label."""
    if "texts" in kinds:
        return "; of messages the answer is the last turn, which must be the assistant's"
    return "" if many or "answers" in kinds else hint_of_many(source, target)


def _plan(source: Source, columns: Columns, asked: _Asked) -> tuple[Columns, Plan]:
    needs, settings = asked.needs, asked.settings
    optional = {need.name: need.optional for need in needs}
    kinds = {need.kind for need in needs}
    groups = {name: column_indices(source, parts) or () for name, parts in columns.inputs.items()}
    target = column_indices(source, columns.target) if columns.target is not None else None
    used = {i for group in (*groups.values(), target or ()) for i in group}
    own = own_column(source, used) if asked.use == "answer" else None
    wanted = tuple(sorted(used | ({own} if own is not None else set())))
    place = {index: at for at, index in enumerate(wanted)}
    named, many = Renaming(), None
    if target is not None:
        columns, named = renaming(source, target, needs, columns, asked.label_names, bool(settings.label_cuts))
        if "labels" in kinds:
            many = many_plan(source, target, settings.label_separator, need=asked.need_target)
        told = named.told + (many.told if many is not None else "")
        reasons = columns.reasons
        columns = replace(columns, reasons={**reasons, TARGET: reasons.get(TARGET, "") + told} if told else reasons)
    if "answers" in kinds and target is not None and len(target) > 1:
        raise DataError(f"{source.name}: the answers are one column, and {len(target)} are named")
    plan = Plan(
        wanted,
        tuple(map(source.called, wanted)),
        tuple((name, tuple(place[i] for i in group), optional[name]) for name, group in groups.items()),
        tuple(place[i] for i in target) if target is not None else None,
        asked.need_target,
        named.rename,
        named.source,
        many=many,
        answers_in=needs[0].name if "answers" in kinds else None,
        own=place[own] if own is not None else None,
        gaps=asked.use == "answer",
        if_empty=_if_empty(source, target, kinds, many=many is not None),
        references="texts" in kinds,
    )
    if "tokens" not in kinds:
        return columns, plan
    for name, group in [*groups.items(), *([("label", target)] if target is not None else [])]:
        if len(group) > 1:
            raise DataError(f"{source.name}: {name} is one column here, and {len(group)} are named")
    form, language = written_as(source, groups[needs[0].name][0], target[0] if target else None, named.rename)
    at, tags = plan.inputs[0][1][0], plan.target[0] if plan.target else None
    tagged = TaggedPlan(at, tags, asked.need_target, named.rename, named.source, form, language)
    return columns, replace(plan, inputs=tuple((name, (), False) for name in INPUTS), tagged=tagged)
