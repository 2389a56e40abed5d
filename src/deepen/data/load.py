"""Reads any source of labelled text into a table on disk, once; the second time only the table is opened."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa

from deepen.core.cells import printable
from deepen.core.errors import DataError, SettingError
from deepen.core.files import cache_dir, explain, fingerprint, replacing
from deepen.core.progress import progress
from deepen.data.columnar import from_dataset, is_dataset
from deepen.data.columns import (
    TARGET,
    Columns,
    Need,
    choose_columns,
    column_indices,
    columns_from_json,
    columns_to_json,
    expected_names,
)
from deepen.data.hub import looks_like_hub_name, open_hub
from deepen.data.ingest import LEFT, LONG_CELL, ROWS, Plan, Tally, write_rows
from deepen.data.keys import with_paths
from deepen.data.labels import LabelNames
from deepen.data.many import many_plan
from deepen.data.marks import Rows, Split, count_splits, pick
from deepen.data.memory import content_key, is_frame, open_frame, open_list
from deepen.data.opening import files_key, find_files, open_layout
from deepen.data.renaming import Renaming, renaming
from deepen.data.settings import DataSettings
from deepen.data.sniff import not_there, reading
from deepen.data.sources import Source
from deepen.data.table import LEAVE_OUT, Table, bearable, too_many
from deepen.data.tagged import INPUTS, TaggedPlan, tagged_notes

__all__ = [
    "Columns",
    "DataSettings",
    "Need",
    "columns_from_json",
    "columns_to_json",
    "load_table",
    "look",
]

# Raised when a change of the readers would give other rows for the same file.
_VERSION = 9
_SHORT_ROWS = 2048
_CHANGES = {
    "unicode": "Unicode forms",
    "html_entities": "HTML entities",
    "control_characters": "control characters",
    "white_space": "white space",
    "surrogates": "broken characters",
    "empty_tokens": "empty tokens (kept as U+FFFD)",
    "answer_places": "wrong places of answers (found by their text)",
}


def load_table(
    source: Any,
    needs: Sequence[Need],
    settings: DataSettings,
    *,
    columns: Columns | Mapping[str, str] | None = None,
    need_target: bool = True,
    label_names: LabelNames | None = None,
    keep: bool = True,
) -> tuple[Table, Columns]:
    """Reads rows from a file, a folder, a hub name, a DataFrame or a list, whatever form they have.

    The form is told by content. Rows are streamed, normalised and checked, and kept in the cache as an Arrow file that
    is memory-mapped, so a table may be larger than memory and is read only once.

    Args:
        source: A path (file or folder), a hub name, a `datasets.Dataset`, a DataFrame, a list of mappings or of texts;
            `Rows` of one for those of a split.
        needs: The columns that the task needs; the one called `label` is the target.
        settings: How to read.
        columns: Which columns to take: as asked for (`parse_columns`), or as found on the training data; None finds
            them.
        need_target: Whether rows without a target are an error; False to predict.
        label_names: Names for the codes in the target.
        keep: Whether the cache keeps the table; False leaves a short one that came from memory there.

    Returns:
        The table, and the columns with the reasons why; hand them on when reading validation and test data.

    Raises:
        DataError: For whatever is wrong with the data, in one line that names file, line and cause.
        SettingError: If the cache can't be written to.

    Example:
        >>> rows = [{"text": "good", "label": "1"}, {"text": "bad", "label": "0"}]
        >>> table, found = load_table(rows, [Need("text", "text"), Need("label", "category")], DataSettings())
        >>> len(table), found.target
        (2, ('label',))
    """
    table, found = _load(source, needs, settings, columns, need_target, label_names, keep)
    return _allowed(table, settings.bad_rows), found


def _load(
    source: Any,
    needs: Sequence[Need],
    settings: DataSettings,
    columns: Columns | Mapping[str, str] | None,
    need_target: bool,
    label_names: LabelNames | None,
    keep: bool,
) -> tuple[Table, Columns]:
    """All rows that can be read, however many can't."""
    expected = expected_names(columns, needs)
    source, split = (source.source, source.split) if isinstance(source, Rows) else (source, None)
    opened, name, key_of_content = _open(source, settings, expected)
    kept = None
    if keep or not _is_short(source):
        given = (needs, settings, columns, need_target, label_names, split)
        kept = cache_dir() / "tables" / _key(name, key_of_content(), *given)
        found = _read_kept(kept, name)
        if found is not None:
            return found
    table_source = opened()
    chosen = choose_columns(table_source, needs, columns, need_target=need_target)
    spelled = (columns.spelled or {}) if isinstance(columns, Columns) else None
    chosen = replace(chosen, form=table_source.form, spelled=spelled)
    if split is not None:
        table_source = pick(table_source, split, _used(table_source, chosen))
    chosen, plan = _plan(table_source, needs, settings, chosen, need_target, label_names)
    if kept is None:
        return _hold(table_source, plan, settings, chosen)
    _write(table_source, plan, settings, chosen, kept)
    found = _read_kept(kept, name)
    if found is None:
        raise SettingError(f"{kept} was written and can't be read back; is the cache on a broken disk?")
    return found


def _used(source: Source, columns: Columns) -> tuple[int, ...]:
    parts = [*(part for parts in columns.inputs.values() for part in parts), *(columns.target or ())]
    return column_indices(source, parts) or ()


def marked_splits(source: Any, settings: DataSettings, columns: Columns) -> dict[Split, int]:
    """How many rows a source marks for each split, in a column or by the lists of a JSON object.

    Args:
        source: What `load_table` takes.
        settings: How to read.
        columns: What was found on it.

    Returns:
        Split to rows; empty where nothing says.
    """
    found = _open(source, settings, expected_names(columns, ()))[0]()
    return count_splits(found, _used(found, columns))


def _is_short(source: Any) -> bool:
    """Whether a source lies in memory, and is so short that a file of it would cost more than reading it anew."""
    return (is_frame(source) or isinstance(source, list | tuple)) and len(source) <= _SHORT_ROWS


def _key(name: str, content: str, *given: Any) -> str:
    """The key of a table in the cache: all that decides what is read."""
    needs, settings, columns, need_target, label_names, split = given
    asked = columns_to_json(columns) if isinstance(columns, Columns) else dict(columns) if columns is not None else None
    return fingerprint(
        _VERSION,
        name,
        content,
        # a recipe's section adds fields of its own, which don't change what is read
        settings.model_dump(include=set(DataSettings.model_fields) - {"max_labels", "bad_rows"}),
        asked,
        [vars(need) for need in needs],
        need_target,
        [label_names.source, label_names.names, label_names.mapping] if label_names is not None else None,
        split,
    )


def _allowed(table: Table, bad_rows: str) -> Table:
    """The table, if what was left out of it may be."""
    bad, rows = table.num_bad, table.num_bad + len(table)
    if not bad or bad_rows == "drop":
        return table
    # one row with a long cell may be many that a quote has swallowed
    long = bad_rows == "auto" and LONG_CELL in table.faults
    if bad_rows == "auto" and bearable(bad, rows) and not long:
        return table
    _, file, line, message = table.faults[LONG_CELL] if long else next(iter(table.faults.values()))
    why = f"; {too_many(bad, rows)}" if bad_rows == "auto" and not long else f" ({LEAVE_OUT})"
    raise DataError(f"{file} line {line}: {message}{why}")


def look(source: Any, settings: DataSettings) -> Source:
    """Opens a source to see what it holds: the names of its columns and its first rows.

    Args:
        source: What `load_table` takes.
        settings: How to read.

    Returns:
        The source; nothing but its first rows has been read.

    Raises:
        DataError: If it can't be opened.
    """
    opened, _, _ = _open(source, settings, frozenset())
    found: Source = opened()
    return found


def _open(
    source: Any, settings: DataSettings, expected: frozenset[str]
) -> tuple[Callable[[], Source], str, Callable[[], str]]:
    """A function that opens the source, its name, and one that makes a key for its content without parsing files."""
    if is_frame(source) or isinstance(source, list | tuple):
        table = open_frame(source) if is_frame(source) else open_list(source)
        return (lambda: with_paths(table, expected)), table.name, lambda: content_key(table)
    if is_dataset(source):
        table, key = from_dataset(source, "the data set")
        return (lambda: with_paths(table, expected)), table.name, lambda: key
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
        return (lambda: with_paths(table, expected)), name, lambda: key
    layout = find_files(path, name)
    opened = lambda: with_paths(open_layout(layout, name, settings, expected), expected)  # noqa: E731
    return opened, name, lambda: files_key(layout, name)


def _plan(
    source: Source,
    needs: Sequence[Need],
    settings: DataSettings,
    columns: Columns,
    need_target: bool,
    label_names: LabelNames | None,
) -> tuple[Columns, Plan]:
    optional = {need.name: need.optional for need in needs}
    groups = {name: column_indices(source, parts) or () for name, parts in columns.inputs.items()}
    target = column_indices(source, columns.target) if columns.target is not None else None
    wanted = tuple(sorted({i for group in (*groups.values(), target or ()) for i in group}))
    place = {index: at for at, index in enumerate(wanted)}
    named, many = Renaming(), None
    if target is not None:
        cut = bool(settings.label_cuts)
        columns, named = renaming(source, target, needs, columns, label_names, cut)
        if any(need.name == TARGET and need.kind == "labels" for need in needs):
            many = many_plan(source, target, settings.label_separator, need=need_target)
        told = named.told + (many.told if many is not None else "")
        reasons = columns.reasons
        columns = replace(columns, reasons={**reasons, TARGET: reasons.get(TARGET, "") + told} if told else reasons)
    rename, said = named.rename, named.source
    inputs = tuple((name, tuple(place[i] for i in group), optional[name]) for name, group in groups.items())
    places = tuple(place[i] for i in target) if target is not None else None
    answers = any(need.name == TARGET and need.kind == "answers" for need in needs)
    if answers and target is not None and len(target) > 1:
        raise DataError(f"{source.name}: the answers are one column, and {len(target)} are named")
    plan = Plan(
        wanted,
        tuple(map(source.called, wanted)),
        inputs,
        places,
        need_target,
        rename,
        said,
        many=many,
        answers_in=needs[0].name if answers else None,
    )
    if not any(need.kind == "tokens" for need in needs):
        return columns, plan
    for name, group in [*groups.items(), *([("label", target)] if target is not None else [])]:
        if len(group) > 1:
            raise DataError(f"{source.name}: {name} is one column here, and {len(group)} are named")
    tagged = TaggedPlan(inputs[0][1][0], places[0] if places else None, need_target, rename, said)
    return columns, replace(plan, inputs=tuple((name, (), False) for name in INPUTS), tagged=tagged)


def _write(source: Source, plan: Plan, settings: DataSettings, columns: Columns, kept: Path) -> None:
    try:
        with replacing(kept) as beside:
            beside.mkdir()
            about = _read_rows(source, plan, settings, columns, beside)[0]
            about["bytes"] = {name: (beside / name).stat().st_size for name in (ROWS, LEFT)}
            (beside / "about.json").write_text(json.dumps(about, ensure_ascii=False), encoding="utf-8")
    except OSError as error:
        raise explain(error, kept) from error
    except SettingError:
        if _read_kept(kept, source.name) is None:  # else another process was faster, with the same rows
            raise


def _hold(source: Source, plan: Plan, settings: DataSettings, columns: Columns) -> tuple[Table, Columns]:
    """The table without a file of it: what `_write` and `_read_kept` come to, but that nothing is kept."""
    about, held = _read_rows(source, plan, settings, columns, None)
    table, found = _table(source.name, about, held[ROWS], held[LEFT])
    return replace(table, kept=False), found


def _read_rows(
    source: Source, plan: Plan, settings: DataSettings, columns: Columns, folder: Path | None
) -> tuple[dict[str, Any], dict[str, pa.Table]]:
    """Reads all rows, into a folder or into memory; what there is to know of them, and those in memory."""
    try:
        with progress(f"reading {source.name}") as advance:
            tally = write_rows(source, plan, settings, folder, advance)
    except pa.ArrowException as error:
        raise DataError(f"{source.name} can't be kept as a table: {error}") from None
    about = {
        "rows": tally.rows,
        "inputs": [name for name, _, _ in plan.inputs],
        "fingerprint": fingerprint(tally.digest, [name for name, _, _ in plan.inputs], plan.target is not None),
        "notes": [*source.notes, *tagged_notes(source.name, tally.tagged), *_notes(source.name, tally)],
        "warnings": list(source.warnings),
        "files": tally.files,
        "changed": tally.changed,
        "faults": tally.faults,
        "columns": columns_to_json(columns),
    }
    return about, tally.held


def _notes(name: str, tally: Tally) -> list[str]:
    notes = []
    if tally.dropped:
        rows = f"bad row{'' if tally.dropped == 1 else 's'} of {tally.rows + tally.dropped:,}"
        first = "; ".join(tally.first_dropped)
        notes.append(f"{name}: {tally.dropped:,} {rows} left out, the first: {first}")
    if tally.aside:
        rows = "row was" if tally.aside == 1 else "rows were"
        notes.append(f"{name}: {tally.aside:,} {rows} rejected or ignored by the person who judged them, and left out")
    if tally.repeated:
        rows = "row is an exact copy" if tally.repeated == 1 else "rows are exact copies"
        notes.append(f"{name}: {tally.repeated:,} {rows} of an earlier one")
    if none := tally.changed.get("no_label"):
        notes.append(f"{name}: {none:,} empty label cells are read as rows that have no label")
    changed = {kind: count for kind, count in tally.changed.items() if kind in _CHANGES}
    if changed:
        kinds = ", ".join(f"{_CHANGES[kind]} in {count:,}" for kind, count in sorted(changed.items()))
        what = "tokens" if tally.tagged.survey.pairs else "texts"
        notes.append(f"{name}: normalisation changed {kinds} of the {what} in {tally.rows:,} rows")
    return notes


def _read_kept(kept: Path, name: str) -> tuple[Table, Columns] | None:
    """The table in the cache; None if there is none or it is damaged, and then it is made again."""
    try:
        about = json.loads((kept / "about.json").read_text(encoding="utf-8"))
        if any((kept / name).stat().st_size != about["bytes"][name] for name in (ROWS, LEFT)):
            return None
        arrow, left = (pa.ipc.open_file(pa.memory_map(str(kept / name))).read_all() for name in (ROWS, LEFT))
        arrow.validate()
        if arrow.num_rows != about["rows"] or not {"id", "line", *about["inputs"]} <= set(arrow.column_names):
            return None
        return _table(name, about, arrow, left)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, pa.ArrowException):
        return None


def _table(name: str, about: Mapping[str, Any], arrow: pa.Table, left: pa.Table) -> tuple[Table, Columns]:
    columns = columns_from_json(about["columns"])
    notes, changed = tuple(about["notes"]), dict(about["changed"])
    faults = {code: tuple(first) for code, first in about["faults"].items()}
    files = tuple((int(first), str(file)) for first, file in about["files"])
    more = {"warnings": tuple(about["warnings"]), "left": left, "files": files}
    return Table(name, arrow, tuple(about["inputs"]), about["fingerprint"], notes, changed, faults, **more), columns
