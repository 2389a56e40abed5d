"""Parquet and Arrow files, folders that `datasets` saved, and its data sets in memory."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from deepen.core.errors import DataError, DeepenError
from deepen.data.readers.packed import check_unpacked
from deepen.data.readers.sniff import lies_within, open_bytes, reading
from deepen.data.source import Form, Row, Source, clip, first_rows, listed

_BATCH_ROWS, _FEW_ROWS = 4096, 64
_SAMPLE_ROWS = 5000
_REMEDY = "save it as JSON lines and give that file"
_SCANNED = 8 << 20  # bytes of a Parquet file up to which texts are counted before they are written out
Batches = Callable[[list[str]], Iterator[pa.RecordBatch]]


def open_columnar(path: Path, name: str, kind: str) -> Source:
    """A Parquet or Arrow file as a source. Line numbers are row numbers."""

    def batches(columns: list[str]) -> Iterator[pa.RecordBatch]:
        size, unpacked = path.stat().st_size, 0
        with reading(name), _damage(name), open_bytes(path) as stream:
            for batch in _batches(stream, kind, columns, size):
                unpacked += sum(map(_unpacked_bytes, batch.columns))
                check_unpacked(path, size, unpacked, _REMEDY)
                yield batch

    with reading(name), _damage(name), open_bytes(path) as stream:
        if kind == "parquet":
            file = pq.ParquetFile(stream)
            _check_rows(path, file.metadata)
            schema = file.schema_arrow
        else:
            schema = _arrow(stream, kind).schema
    word = "Parquet" if kind == "parquet" else "Arrow"
    return from_batches(name, schema, batches, note=f"{name}: {word}")


def _arrow(stream: Any, kind: str) -> Any:
    return pa.ipc.open_file(stream) if kind == "arrow_file" else pa.ipc.open_stream(stream)


def _batches(stream: Any, kind: str, columns: list[str], size: int) -> Iterator[pa.RecordBatch]:
    """The batches of a file; texts of a small Parquet file stay references to what is stored once."""
    if kind == "parquet":
        schema = pq.ParquetFile(stream).schema
        leaves = [schema.column(at) for at in range(len(schema))]
        texts = [leaf.path for leaf in leaves if leaf.physical_type == "BYTE_ARRAY"] if size <= _SCANNED else []
        rows = _FEW_ROWS if any("." in path for path in texts) else _BATCH_ROWS  # what is nested is written out at once
        file = pq.ParquetFile(stream, read_dictionary=[path for path in texts if "." not in path])
        yield from file.iter_batches(batch_size=rows, columns=columns)
        return
    reader = _arrow(stream, kind)
    parts = map(reader.get_batch, range(reader.num_record_batches)) if kind == "arrow_file" else reader
    for batch in parts:
        yield batch.select(columns)


def _unpacked_bytes(array: pa.Array) -> int:
    """The bytes of values once each of them is written out; one that is stored once may come again in every row."""
    if pa.types.is_dictionary(array.type):
        values = array.dictionary
        try:
            lengths = pc.binary_length(values)
        except (pa.ArrowNotImplementedError, pa.ArrowInvalid):  # numbers
            return int(array.nbytes)
        return int(pc.sum(pc.take(lengths, array.indices)).as_py() or 0)
    if pa.types.is_list(array.type) or pa.types.is_large_list(array.type):
        return _unpacked_bytes(array.flatten())
    if pa.types.is_struct(array.type):
        return sum(map(_unpacked_bytes, array.flatten()))
    return int(array.nbytes)


def _check_rows(path: Path, about: pq.FileMetaData) -> None:
    """Stops where rows are more than a file's bytes can hold: a value that comes again costs nothing in Parquet."""
    check_unpacked(path, path.stat().st_size, max(about.num_rows, about.serialized_size), _REMEDY)
    groups = (about.row_group(at).total_byte_size for at in range(about.num_row_groups))
    check_unpacked(path, path.stat().st_size, sum(groups), _REMEDY)


@contextmanager
def _damage(name: str) -> Iterator[None]:
    """Says that a file is damaged where pyarrow says what it stumbled over."""
    try:
        yield
    except DeepenError:
        raise
    except Exception as error:  # also what Python makes of a date that it has not, or a length that is broken
        if isinstance(error, OSError) and (type(error) is not OSError or error.errno is not None):
            raise  # the system's own words; pyarrow's have no number
        said = clip((str(error).splitlines() or [type(error).__name__])[0], 160)
        raise DataError(f"{name} is damaged or cut short: {said}") from None


def from_batches(name: str, schema: pa.Schema, batches: Batches, *, note: str) -> Source:
    """Arrow batches as a source. Names of classes are taken from what `datasets` writes into the schema."""
    with _damage(name):
        names = tuple(schema.names)
    if len(set(names)) < len(names):
        raise DataError(f"{name} has two columns of the same name: {listed(names)}")

    def read(wanted: tuple[int, ...]) -> Iterator[Row]:
        columns = [names[i] for i in wanted]
        number = 0
        for batch in batches(list(dict.fromkeys(columns))):
            with _damage(name):
                batch.validate(full=True)  # broken offsets would be followed out of the buffer
                lists = {column: batch.column(column).to_pylist() for column in set(columns)}
            for cells in zip(*(lists[column] for column in columns), strict=True):
                number += 1
                yield name, number, cells

    sample = first_rows(read(tuple(range(len(names)))), _SAMPLE_ROWS)
    if not sample:
        raise DataError(f"{name} is empty: it has the columns {listed(names)} and no rows")
    form = Form("columnar", len(names))
    return Source(name, names, len(names), sample, read, notes=(note,), classes=_class_names(schema), form=form)


def _class_names(schema: pa.Schema) -> dict[str, tuple[str, ...]]:
    try:
        info = json.loads((schema.metadata or {}).get(b"huggingface", b"{}"))
        features: dict[str, Any] = info.get("info", {}).get("features", {})
        found = {}
        for column, feature in features.items():
            # that of a list's items: `[feature]`, or under the key `feature`, as the version of `datasets` has it
            item = next(iter(feature), None) if isinstance(feature, list) else feature
            item = item.get("feature") or item if isinstance(feature, dict) and isinstance(item, dict) else item
            if isinstance(item, dict) and item.get("_type") == "ClassLabel" and item.get("names"):
                found[column] = tuple(item["names"])
        return found
    except (ValueError, AttributeError, TypeError):
        return {}


def saved_dataset_files(folder: Path, name: str) -> tuple[list[Path], str | None] | None:
    """The Arrow files of a folder that `datasets` saved, and which split was taken; None for other folders."""
    note = None
    if (folder / "dataset_dict.json").is_file():
        with reading(name):
            splits = _list(_json(folder / "dataset_dict.json", name).get("splits"), str)
        chosen = "train" if "train" in splits else splits[0] if len(splits) == 1 else None
        if chosen is None:
            raise DataError(f"{name} has the splits {listed(splits)}: name one, as in {name}/{(splits or ['test'])[0]}")
        if len(splits) > 1:
            note = f"{name}: the split 'train' is read; others are {listed([s for s in splits if s != chosen])}"
        if not lies_within(folder / chosen, folder):
            raise DataError(f"{name}: dataset_dict.json names a split outside the folder, {clip(chosen)}")
        folder = folder / chosen
    if not (folder / "state.json").is_file():
        return None
    entries = _list(_json(folder / "state.json", name).get("_data_files"), dict)
    files = [folder / str(entry.get("filename")) for entry in entries]
    outside = [file for file in files if not lies_within(file, folder)]
    if outside:
        raise DataError(f"{name}: state.json names a file outside the folder, {clip(str(entries[0].get('filename')))}")
    missing = [file.name for file in files if not file.is_file()]
    if missing or not files:
        raise DataError(f"{name} is incomplete: {listed(missing) or 'state.json lists no data files'}")
    return files, note


def _list(value: Any, kind: type) -> list[Any]:
    return [item for item in value if isinstance(item, kind)] if isinstance(value, list) else []


def _json(path: Path, name: str) -> dict[str, Any]:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(f"{name}: {path.name} is not readable: {error}") from None
    if not isinstance(value, dict):
        raise DataError(f"{name}: {path.name} is not a JSON object")
    return value


def is_dataset(source: object) -> bool:
    """Whether something is a `datasets.Dataset`, told without importing it."""
    return type(source).__name__ == "Dataset" and hasattr(source, "with_format") and hasattr(source, "features")


def from_dataset(dataset: Any, name: str) -> tuple[Source, str]:
    """A `datasets.Dataset` as a source. Its order and selection are kept; a key for its content comes with it."""
    schema = dataset.features.arrow_schema

    def batches(columns: list[str]) -> Iterator[pa.RecordBatch]:
        for part in dataset.select_columns(columns).with_format("arrow").iter(batch_size=_BATCH_ROWS):
            yield from part.to_batches()

    source = from_batches(name, schema, batches, note=f"{name}: a Hugging Face data set, {len(dataset):,} rows")
    return source, f"{name}:{dataset._fingerprint}"
