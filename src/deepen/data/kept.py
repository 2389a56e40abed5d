"""Tables in the cache: written with all that is known of them, and served only if they are what was put there."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa

from deepen.core.errors import DataError, SettingError
from deepen.core.files import explain, fingerprint, replacing
from deepen.core.progress import progress
from deepen.core.seal import seal, sealed
from deepen.data.columns import Columns, columns_from_json, columns_to_json
from deepen.data.ingest import LEFT, ROWS, Plan, Tally, write_rows
from deepen.data.masked_rows import told_masked
from deepen.data.settings import DataSettings
from deepen.data.source import Source
from deepen.data.table import Table
from deepen.data.targets.tagged_rows import tagged_notes, tagged_warnings

ABOUT = "about.json"
_CHANGES = {
    "unicode": "Unicode forms",
    "html_entities": "HTML entities",
    "control_characters": "control characters",
    "white_space": "white space",
    "surrogates": "broken characters",
    "empty_tokens": "empty tokens (kept as U+FFFD)",
    "answer_places": "wrong places of answers (found by their text)",
}


class _ChangedError(Exception):
    """The source is not what it was when reading began."""


def write_table(
    source: Source, plan: Plan, settings: DataSettings, columns: Columns, kept: Path, same: Callable[[], bool]
) -> bool:
    """Reads all rows into a folder of the cache; False, and no folder, if the source is not the `same` afterwards."""
    try:
        with replacing(kept) as beside:
            beside.mkdir()
            about = _read_rows(source, plan, settings, columns, beside)[0]
            (beside / ABOUT).write_text(json.dumps(about, ensure_ascii=False), encoding="utf-8")
            seal(beside)
            if not same():
                raise _ChangedError
    except _ChangedError:
        return False
    except OSError as error:
        raise explain(error, kept) from error
    except SettingError:
        if read_kept(kept, source.name) is None:  # else another process was faster, with the same rows
            raise
    return True


def hold_table(source: Source, plan: Plan, settings: DataSettings, columns: Columns) -> tuple[Table, Columns]:
    """The table without a file of it: what `write_table` and `read_kept` come to, but that nothing is kept."""
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
        "warnings": [*source.warnings, *tagged_warnings(source.name, tally.tagged)],
        "files": tally.files,
        "changed": tally.changed,
        "faults": tally.faults,
        "columns": columns_to_json(columns),
        "names": source.names or (),
        "marked": source.marked,
    }
    return about, tally.held


def _notes(name: str, tally: Tally) -> list[str]:
    notes = []
    if tally.dropped and not tally.gaps:
        rows = f"bad row{'' if tally.dropped == 1 else 's'} of {tally.rows + tally.dropped:,}"
        first = "; ".join(tally.first_dropped)
        notes.append(f"{name}: {tally.dropped:,} {rows} left out, the first: {first}")
    if tally.aside:
        rows = "row was" if tally.aside == 1 else "rows were"
        notes.append(f"{name}: {tally.aside:,} {rows} rejected or ignored by the person who judged them, and left out")
    if tally.repeated:
        rows = "row is an exact copy" if tally.repeated == 1 else "rows are exact copies"
        notes.append(f"{name}: {tally.repeated:,} {rows} of an earlier one")
    if labels := tally.changed.get("labels"):
        what = "label was" if labels == 1 else "labels were"
        notes.append(f"{name}: {labels:,} {what} evened out (composed letters, marks without width)")
    if none := tally.changed.get("no_label"):
        notes.append(f"{name}: {none:,} empty label cells are read as rows that have no label")
    notes += [f"{name}: {said}" for said in told_masked(tally.changed)]
    changed = {kind: count for kind, count in tally.changed.items() if kind in _CHANGES}
    if changed:
        kinds = ", ".join(f"{_CHANGES[kind]} in {count:,}" for kind, count in sorted(changed.items()))
        what = "tokens" if tally.tagged.survey.pairs else "texts"
        notes.append(f"{name}: normalisation changed {kinds} of the {what} in {tally.rows:,} rows")
    return notes


def read_kept(kept: Path, name: str) -> tuple[Table, Columns] | None:
    """The table in the cache; None if there is none or it is not what was put there, and then it is made again."""
    if not sealed(kept):
        return None
    try:
        about = json.loads((kept / ABOUT).read_text(encoding="utf-8"))
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
    more = {"warnings": tuple(about["warnings"]), "left": left, "files": files, "marked": about["marked"]}
    return Table(
        name,
        arrow,
        tuple(about["inputs"]),
        about["fingerprint"],
        notes,
        changed,
        faults,
        names=tuple(about["names"]),
        **more,
    ), columns
