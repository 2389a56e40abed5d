"""Streams rows of a source, normalised and checked, into an Arrow file."""

from __future__ import annotations

import hashlib
from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa

from deepen.core.errors import DataError
from deepen.core.progress import Advance
from deepen.data.marks import SET_ASIDE
from deepen.data.masked_rows import Masker
from deepen.data.normalise import NormaliseSettings, normalise, normalise_label
from deepen.data.own import own_id
from deepen.data.settings import DataSettings
from deepen.data.source import BLANK, BLANK_ROW, Fault, Source, as_text, clip
from deepen.data.table import LEAVE_OUT, LEFT_OUT, too_many
from deepen.data.targets.answers import read_answers
from deepen.data.targets.label_lists import ManyPlan, read_many
from deepen.data.targets.labels import label_table
from deepen.data.targets.tagged_rows import TaggedPlan, TaggedTally, fields, tagged_taker
from deepen.data.words import hide_words, words_of

OWN = (("own", pa.string()),)
ROWS, LEFT = "rows.arrow", "left-out.arrow"
_BATCH_ROWS = 16_384
# One batch must stay far below the 2 GB that an Arrow string array can hold.
_BATCH_CHARS = 64 << 20
LONG_CELL = "long_cell"
_SHOWN = 3
_MISSING_LABELS = frozenset(("nan", "<na>"))


@dataclass(frozen=True)
class Plan:
    """What to take from each row: every input's name, its positions among the cells read, whether it may be empty.

    `called` says how the columns read are called in a message; `answers_in` is the input that holds the answers, where
    the target is those. With `gaps`, rows that can't be read and blank lines keep their place, however many they are,
    and `own` is where the file's own ids are. `if_empty` is what else there is to say of an empty label. With
    `references` the target is text, and a list of it is several right answers.
    """

    wanted: tuple[int, ...]
    called: tuple[str, ...]
    inputs: tuple[tuple[str, tuple[int, ...], bool], ...]
    target: tuple[int, ...] | None
    need_target: bool
    rename: Callable[[str], str | None] | None = None
    rename_source: str = ""
    tagged: TaggedPlan | None = None
    many: ManyPlan | None = None
    answers_in: str | None = None
    own: int | None = None
    gaps: bool = False
    if_empty: str = ""
    references: bool = False


@dataclass
class Tally:
    """What happened while rows were written; grows row by row."""

    rows: int = 0
    changed: dict[str, int] = field(default_factory=dict)
    dropped: int = 0
    aside: int = 0
    gaps: bool = False
    first_dropped: list[str] = field(default_factory=list)
    faults: dict[str, tuple[int, str, int, str]] = field(default_factory=dict)
    repeated: int = 0
    digest: str = ""
    tagged: TaggedTally = field(default_factory=TaggedTally)
    held: dict[str, pa.Table] = field(default_factory=dict)
    files: list[tuple[int, str]] = field(default_factory=list)


class _Batches:
    """An Arrow file that is written row by row, a batch in memory; without a path `table` has it all."""

    def __init__(self, path: Path | None, schema: pa.Schema) -> None:
        self.rows = 0
        self._path, self._schema = path, schema
        self._columns: list[list[Any]] = [[] for _ in schema]
        self._chars = 0
        self._held: list[pa.RecordBatch] = []

    def __enter__(self) -> _Batches:
        self._open = ExitStack()
        self._put = self._held.append
        if self._path is not None:
            out = self._open.enter_context(pa.OSFile(str(self._path), "wb"))
            self._put = self._open.enter_context(pa.ipc.new_file(out, self._schema)).write_batch
        return self

    def __exit__(self, *raised: object) -> None:
        with self._open:
            if raised[0] is None:
                self._write()

    @property
    def table(self) -> pa.Table:
        """The rows that were not written."""
        return pa.Table.from_batches(self._held, self._schema)

    def add(self, row: Sequence[Any], chars: int) -> int:
        """Adds a row; returns how many rows went to the disk with it."""
        for column, value in zip(self._columns, row, strict=True):
            column.append(value)
        self.rows += 1
        self._chars += chars
        full = len(self._columns[0]) >= _BATCH_ROWS or self._chars >= _BATCH_CHARS
        return self._write() if full else 0

    def _write(self) -> int:
        written = len(self._columns[0])
        if written:
            self._put(pa.record_batch(self._columns, schema=self._schema))
        self._columns, self._chars = [[] for _ in self._schema], 0
        return written


def write_rows(source: Source, plan: Plan, settings: DataSettings, folder: Path | None, advance: Advance) -> Tally:
    """Reads every row of a source into two Arrow files of a folder, `ROWS` and `LEFT`; without one both are `held`."""
    tally = Tally(gaps=plan.gaps)
    texts = [name for name, _, _ in plan.inputs] + (["target"] if plan.target is not None else [])
    kept = fields(plan.tagged) if plan.tagged is not None else [(name, pa.string()) for name in texts]
    if plan.target is not None and (plan.many is not None or plan.answers_in is not None or plan.references):
        kept[-1] = ("target", pa.list_(pa.string()))
    if plan.target is not None and plan.answers_in is not None:
        kept.append(("starts", pa.list_(pa.int32())))
    schema = pa.schema([("id", pa.string()), ("line", pa.int64()), *(OWN if plan.gaps else ()), *kept])
    ids = _Ids()
    if plan.tagged is not None:
        take = tagged_taker(plan.tagged, settings, tally.changed, tally.tagged)
    else:
        take = _taker(plan, settings, tally.changed)
    paths = [folder and folder / name for name in (ROWS, LEFT)]
    with _Batches(paths[0], schema) as good, _Batches(paths[1], LEFT_OUT) as left:
        for file, line, cells in source.read(plan.wanted):
            taken = cells if isinstance(cells, Fault) else take(cells)
            own = own_id(cells[plan.own]) if plan.own is not None and not isinstance(cells, Fault) else None
            if isinstance(taken, Fault):
                if _fault(taken, file, line, settings, tally):
                    left.add((file, line, taken.message, good.rows, own), len(taken.message))
                continue
            values, chars = taken
            if not tally.files or tally.files[-1][1] != file:
                tally.files.append((good.rows, file))
            if written := good.add((ids.of(values), line, *((own,) if plan.gaps else ()), *values), chars):
                advance(written)
    tally.rows = good.rows
    tally.held = {} if folder else {ROWS: good.table, LEFT: left.table}
    tally.repeated, tally.digest = ids.repeated, ids.digest()
    if plan.gaps and left.rows:
        return tally
    if not tally.rows and settings.bad_rows == "auto" and tally.dropped:
        raise DataError(f"{tally.first_dropped[0]}; {too_many(tally.dropped, tally.dropped)}")
    if not tally.rows:
        why = f"; {tally.dropped:,} were dropped, the first: {tally.first_dropped[0]}" if tally.dropped else ""
        why += f"; {tally.aside:,} were rejected or ignored by a person" if tally.aside else ""
        raise DataError(f"{source.name} has no rows to read{why}")
    return tally


def _fault(fault: Fault, file: str, line: int, settings: DataSettings, tally: Tally) -> bool:
    """Counts a row that is left out; whether it is worth listing."""
    if fault.code == BLANK or (fault.code == BLANK_ROW and settings.bad_rows != "error"):
        return tally.gaps
    if fault.code == SET_ASIDE:
        tally.aside += 1
        return True
    said = f"{file} line {line}: {fault.message}"
    if settings.bad_rows == "error":
        raise DataError(f"{said} ({LEAVE_OUT})")
    tally.dropped += 1
    count, first_file, first_line, first = tally.faults.get(fault.code, (0, file, line, fault.message))
    tally.faults[fault.code] = (count + 1, first_file, first_line, first)
    if len(tally.first_dropped) < _SHOWN:
        tally.first_dropped.append(said)
    return True


Taken = tuple[list[Any], int]


def _taker(plan: Plan, settings: DataSettings, changed: dict[str, int]) -> Callable[[Sequence[Any]], Taken | Fault]:
    """A function that makes the values of a row from its cells; built once, since it runs for every row."""
    clean, limit = settings.normalise, settings.max_cell_chars
    hidden = [words_of(words) for words in settings.hide]
    mask = Masker(settings.masked, changed)

    def take(cells: Sequence[Any]) -> Taken | Fault:
        values: list[Any] = []
        chars = 0
        for name, positions, optional in plan.inputs:
            parts = []
            for at in positions:
                cell = cells[at]
                text = cell if cell.__class__ is str else as_text(cell)
                if text:
                    if len(text) > limit:
                        return Fault(
                            f"{name} has {len(text):,} characters, more than data.max_cell_chars={limit:,}; "
                            "likely a quote that is never closed",
                            LONG_CELL,
                        )
                    text = normalise(text, clean, changed)
                    text = hide_words(text, hidden) if hidden and text else text
                    if text and not text.isspace():
                        parts.append(text)
            if not parts and not optional:
                return Fault(_empty(name, positions, cells, plan), "empty_text")
            joined = parts[0] if len(parts) == 1 else "\n".join(parts)
            if mask.kinds and not (plan.target is not None and name == plan.answers_in):
                joined = mask(joined).text
            chars += len(joined)
            values.append(joined)
        if plan.target is not None and plan.answers_in is not None:
            found = _answers(cells, values, plan, clean, mask)
            if isinstance(found, Fault):
                return found
            values.extend(found)
        elif plan.references and plan.target is not None:
            texts = _references(cells, plan, settings, mask)
            if isinstance(texts, Fault):
                return texts
            chars += sum(map(len, texts or ()))
            values.append(texts)
        elif plan.target is not None:
            target = (_target if plan.many is None else _targets)(cells, plan, settings, changed)
            if isinstance(target, Fault):
                return target
            values.append(target)
        return values, chars

    return take


def _answers(
    cells: Sequence[Any], values: list[Any], plan: Plan, clean: NormaliseSettings, mask: Masker
) -> tuple[list[str] | None, list[int] | None] | Fault:
    """The answers of a row and where they start in its context, which is masked around them."""
    at = [name for name, _, _ in plan.inputs].index(plan.answers_in or "")
    raw = "\n".join(as_text(cells[place]) or "" for place in plan.inputs[at][1])
    cell = cells[(plan.target or (0,))[0]]
    found = read_answers(cell, raw, values[at], lambda text: normalise(text, clean, {}))
    if found is None or isinstance(found, Fault):
        if not plan.need_target:
            values[at] = mask(values[at]).text
            return None, None
        return found or Fault(f"{_empty('label', plan.target or (), cells, plan)}; [] says none", "empty_label")
    if found.moved:
        mask.changed["answer_places"] = mask.changed.get("answer_places", 0) + 1
    keep = [(start, start + len(text)) for text, start in zip(found.texts, found.starts, strict=True)]
    masked = mask(values[at], keep=keep)
    values[at] = masked.text
    return found.texts, list(map(masked.moved, found.starts))


def _empty(name: str, positions: Sequence[int], cells: Sequence[Any], plan: Plan) -> str:
    found = [cells[at] for at in positions]
    others = [plan.called[at] for at in positions if plan.called[at] != f"'{name}'"]
    where = f" (column {' + '.join(others)})" if others else ""
    if any(isinstance(cell, Mapping) for cell in found):
        inside = ""
        for cell, at in zip(found, positions, strict=True):
            pairs = cell.items() if isinstance(cell, Mapping) else ()
            key = next((key for key, text in pairs if isinstance(text, str)), "")
            if not inside and isinstance(key, str) and key.isidentifier():
                inside = f": what is inside has a name too, as {plan.called[at].strip(chr(39))}.{key}"
        return f"{name} is a mapping, not text{where}{inside}"
    missing = any(as_text(cell) is None for cell in found if not isinstance(cell, str | list | tuple | None))
    return f"{name} is {'missing (NaN)' if missing else 'empty'}{where}"


def _target(cells: Sequence[Any], plan: Plan, settings: DataSettings, changed: dict[str, int]) -> str | Fault | None:
    for at in plan.target or ():
        if isinstance(cells[at], list) and len(cells[at]) > 1:
            return Fault(f"label is a list of {len(cells[at])}; a row has one label here")
    parts = [as_text(cells[at]) for at in plan.target or ()]
    raw = "\n".join(part.strip() for part in parts if part and not part.isspace())
    if len(raw) > settings.max_cell_chars:
        return Fault(f"label has {len(raw):,} characters")
    text = normalise_label(raw, settings.normalise, changed)
    if not text or text.lower() in _MISSING_LABELS:
        said = f"label is {text}, which marks a missing value"
        said = said if text else _empty("label", plan.target or (), cells, plan) + plan.if_empty
        return Fault(said, "empty_label") if plan.need_target else None
    if plan.rename is not None:
        named = plan.rename(text)
        if named is None and plan.need_target:
            return Fault(f"label '{clip(text)}' has no name in {plan.rename_source}")
        return named
    if settings.label_cuts:
        return _cut(text, settings)
    return text


def _targets(
    cells: Sequence[Any], plan: Plan, settings: DataSettings, changed: dict[str, int]
) -> list[str] | Fault | None:
    """The labels of a row that may have several; an empty cell of a table says that there are none."""
    many = plan.many or ManyPlan((), None)
    places = plan.target or ()
    found = read_many([cells[at] for at in places], many)
    if found is None:
        if isinstance(cells[places[0]], str) and plan.need_target:
            changed["no_label"] = changed.get("no_label", 0) + 1
            return []
        said = f"{_empty('label', places, cells, plan)}; [] says none"
        return Fault(said, "empty_label") if plan.need_target else None
    if isinstance(found, Fault):
        return found if plan.need_target else None
    if any(len(label) > settings.max_cell_chars for label in found):
        return Fault("a label is too long")
    clean = [normalise_label(label, settings.normalise, changed) for label in found]
    found = list(label_table(label for label in clean if label)) if clean != found else found
    if plan.rename is None:
        return found
    named = [plan.rename(label) for label in found]
    if None in named and plan.need_target:
        return Fault(f"label '{clip(found[named.index(None)])}' has no name in {plan.rename_source}")
    return [name for name in named if name is not None]


def _references(cells: Sequence[Any], plan: Plan, settings: DataSettings, mask: Masker) -> list[str] | Fault | None:
    """The right answers of a row: those of a list, or the one that its cells make up."""
    places = plan.target or ()
    own = [cells[at] for at in places]
    listed = own[0] if len(own) == 1 and isinstance(own[0], list | tuple) else None
    joined = "\n".join(text for text in map(as_text, own) if text) if listed is None else ""
    raw = [text for text in map(as_text, listed) if text] if listed is not None else [joined]
    long = max(map(len, raw), default=0)
    if long > settings.max_cell_chars:
        said = f"label has {long:,} characters, more than data.max_cell_chars={settings.max_cell_chars:,}"
        return Fault(said, LONG_CELL)
    found = [mask(text).text for text in (normalise_label(text, settings.normalise, {}) for text in raw) if text]
    if found or not plan.need_target:
        return found or None
    return Fault(_empty("label", places, cells, plan) + plan.if_empty, "empty_label")


def _cut(text: str, settings: DataSettings) -> str | Fault:
    try:
        value = float(text)
    except ValueError:
        return Fault(f"label '{clip(text)}' is not a number, and data.label_cuts cuts numbers")
    place = bisect_left(settings.label_cuts, value)
    if settings.label_names:
        return settings.label_names[place]
    cuts = settings.label_cuts
    return f"<= {cuts[place]:g}" if place < len(cuts) else f"> {cuts[-1]:g}"


def _flat(value: Any) -> str:
    return "\x1e" if value is None else "\x1d".join(map(str, value))


class _Ids:
    """Ids from content, unique within a table."""

    def __init__(self) -> None:
        self._seen: set[bytes] = set()
        self._copies: dict[bytes, int] = {}
        self._all = hashlib.blake2b(digest_size=16)
        self.repeated = 0

    def of(self, values: Sequence[Any]) -> str:
        """The id of the next row."""
        text = "\x1f".join(value if value.__class__ is str else _flat(value) for value in values)
        digest = hashlib.blake2b(text.encode(), digest_size=8).digest()
        self._all.update(digest)
        if digest not in self._seen:
            self._seen.add(digest)
            return digest.hex()
        self.repeated += 1
        copies = self._copies[digest] = self._copies.get(digest, 1) + 1
        return f"{digest.hex()}-{copies}"

    def digest(self) -> str:
        """A key for all rows in their order."""
        return self._all.hexdigest()
