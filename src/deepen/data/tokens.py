"""Tokens of a whole table in flat arrays on disk, memory-mapped, so that nothing is tokenised twice.

Shape legend: N rows, T tokens of all rows, M units of all rows, B rows of a piece.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from deepen.core.errors import DataError
from deepen.core.files import cache_dir, fingerprint, replacing, write_json
from deepen.core.progress import progress
from deepen.core.types import Sequences
from deepen.data.table import Table

_PIECE_ROWS = 2048
Encode = Callable[[dict[str, list[Any]]], Sequences]


@dataclass(frozen=True)
class TokenTable:
    """The token ids of every row of a table, end to end. Row i has tokens `offsets_N1[i]` to `offsets_N1[i + 1]`.

    `units_M` and `unit_offsets_N1` say which tokens of a row are its units (None where the row itself is the unit).
    `sequences_S` has the length of each sequence where some row is several windows, and row i has those from
    `sequence_offsets_N1[i]` on; None where each row is one sequence.
    """

    fingerprint: str
    ids_T: np.ndarray
    offsets_N1: np.ndarray
    truncated_N: np.ndarray
    segments_T: np.ndarray | None
    units_M: np.ndarray | None
    unit_offsets_N1: np.ndarray | None
    sequences_S: np.ndarray | None = None
    sequence_offsets_N1: np.ndarray | None = None

    @property
    def lengths_N(self) -> np.ndarray:
        """Tokens of each row, all its windows together."""
        return np.diff(self.offsets_N1)


def tokenise(table: Table, encode: Encode, *, key: tuple[Any, ...]) -> TokenTable:
    """Tokenises a table once; a second call with the same content and key reads the arrays from disk.

    Args:
        table: The rows.
        encode: Turns a piece of the table (input name to values) into sequences.
        key: What the result depends on besides the rows: the tokenizer's fingerprint, the longest sequence, the form.

    Returns:
        The tokens, memory-mapped.

    Raises:
        DataError: If a row has no token at all.
    """
    mark = fingerprint("tokens", 1, table.fingerprint, key)
    if not table.kept:
        with tempfile.TemporaryDirectory() as beside:
            _write(table, encode, Path(beside))
            return _read(Path(beside), mark, mapped=False)
    folder = cache_dir() / "tokens" / mark
    if not (folder / "done.json").is_file():
        with replacing(folder) as beside:
            beside.mkdir(parents=True)
            _write(table, encode, beside)
    return _read(folder, mark)


def _write(table: Table, encode: Encode, folder: Path) -> None:
    counts: dict[str, list[np.ndarray]] = {"lengths": [], "truncated": [], "unit_counts": [], "sequences": []}
    sequences: list[np.ndarray] = []
    files = {name: (folder / f"{name}.bin").open("wb") for name in ("ids", "segments", "units")}
    used = dict.fromkeys(files, False)
    try:
        with progress(f"tokenising {table.name}", len(table)) as advance:
            for batch in table.arrow.select(list(table.inputs)).to_batches(max_chunksize=_PIECE_ROWS):
                piece = encode(batch.to_pydict())
                flats = {"ids": piece.ids_T, "segments": piece.segments_T, "units": piece.units_M}
                for name, flat in flats.items():
                    if flat is not None:
                        files[name].write(np.ascontiguousarray(flat, dtype=np.int32).tobytes())
                        used[name] = True
                each = piece.sequence_counts_B
                each = np.ones(len(piece.lengths_B), np.int64) if each is None else each
                sequences.append(piece.lengths_B)
                counts["sequences"].append(each)
                counts["lengths"].append(np.add.reduceat(piece.lengths_B, np.cumsum(each) - each))
                counts["truncated"].append(piece.truncated_B)
                if piece.unit_counts_B is not None:
                    counts["unit_counts"].append(piece.unit_counts_B)
                advance(len(batch))
    finally:
        for file in files.values():
            file.close()
    for name, was_used in used.items():
        if not was_used:
            (folder / f"{name}.bin").unlink()
    lengths = np.concatenate(counts["lengths"])
    if len(lengths) and lengths.min() < 1:
        raise DataError(f"{table.name} row {int(lengths.argmin()) + 1}: the tokenizer makes no token of it")
    np.save(folder / "offsets.npy", _offsets(lengths))
    np.save(folder / "truncated.npy", np.concatenate(counts["truncated"]))
    if len(lengths) < sum(map(len, sequences)):
        np.save(folder / "sequences.npy", np.concatenate(sequences))
        np.save(folder / "sequence_offsets.npy", _offsets(np.concatenate(counts["sequences"])))
    if counts["unit_counts"]:
        np.save(folder / "unit_offsets.npy", _offsets(np.concatenate(counts["unit_counts"])))
    write_json(folder / "done.json", {"rows": len(lengths), "tokens": int(lengths.sum())})


def _offsets(counts_N: np.ndarray) -> np.ndarray:
    return np.concatenate([[0], np.cumsum(counts_N)]).astype(np.int64)


def _read(folder: Path, mark: str, *, mapped: bool = True) -> TokenTable:
    done = json.loads((folder / "done.json").read_text())

    def flat_array(name: str) -> np.ndarray | None:
        path = folder / f"{name}.bin"
        if not path.is_file():
            return None
        return np.memmap(path, dtype=np.int32, mode="r") if mapped else np.fromfile(path, dtype=np.int32)

    def array(name: str) -> np.ndarray:
        return np.asarray(np.load(folder / f"{name}.npy", mmap_mode="r" if mapped else None))

    flat = {name: flat_array(name) for name in ("ids", "segments", "units")}
    names = ("unit_offsets", "sequences", "sequence_offsets")
    optional = {name: array(name) if (folder / f"{name}.npy").is_file() else None for name in names}
    ids = flat["ids"]
    assert ids is not None  # noqa: S101 - done.json is written last
    assert len(ids) == done["tokens"]  # noqa: S101 - as above
    return TokenTable(
        fingerprint=mark,
        ids_T=ids,
        offsets_N1=array("offsets"),
        truncated_N=array("truncated"),
        segments_T=flat["segments"],
        units_M=flat["units"],
        unit_offsets_N1=optional["unit_offsets"],
        sequences_S=optional["sequences"],
        sequence_offsets_N1=optional["sequence_offsets"],
    )
