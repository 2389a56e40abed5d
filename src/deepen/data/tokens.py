"""Tokens of a whole table in flat arrays on disk, memory-mapped, so that nothing is tokenised twice.

Shape legend: N rows, T tokens of all rows, M units of all rows, B rows of a piece.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from deepen.core.errors import DataError
from deepen.core.files import cache_dir, fingerprint, replacing, write_json
from deepen.core.progress import progress
from deepen.core.seal import seal, sealed
from deepen.core.types import Sequences
from deepen.data.table import Table

_PIECE_ROWS = 2048
_FLATS = ("ids", "segments", "units")
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
    """Tokenises a table once; a second call with the same rows and `key` (tokenizer, length, form) reads the arrays."""
    mark = fingerprint("tokens", 1, table.fingerprint, key)
    if not table.kept:
        if mark not in table.made:
            flats: dict[str, list[np.ndarray]] = {name: [] for name in _FLATS}
            arrays = _run(table, encode, lambda name, flat: flats[name].append(flat))
            whole = {name: np.concatenate(parts) for name, parts in flats.items() if parts}
            table.made[mark] = _tokens(mark, whole, arrays)
        found: TokenTable = table.made[mark]
        return found
    folder = cache_dir() / "tokens" / mark
    if not sealed(folder):
        with replacing(folder) as beside:
            beside.mkdir(parents=True)
            _write(table, encode, beside)
    return _read(folder, mark)


def _run(table: Table, encode: Encode, put: Callable[[str, np.ndarray], object]) -> dict[str, np.ndarray]:
    """Tokenises a table piece by piece: what is long is put away by name, the rest comes back in one array each."""
    counts: dict[str, list[np.ndarray]] = {"lengths": [], "truncated": [], "unit_counts": [], "sequences": []}
    sequences: list[np.ndarray] = []
    with progress(f"tokenising {table.name}", len(table)) as advance:
        for batch in table.arrow.select(list(table.inputs)).to_batches(max_chunksize=_PIECE_ROWS):
            piece = encode(batch.to_pydict())
            for name, flat in zip(_FLATS, (piece.ids_T, piece.segments_T, piece.units_M), strict=True):
                if flat is not None:
                    put(name, np.ascontiguousarray(flat, dtype=np.int32))
            each = piece.sequence_counts_B
            each = np.ones(len(piece.lengths_B), np.int64) if each is None else each
            sequences.append(piece.lengths_B)
            counts["sequences"].append(each)
            counts["lengths"].append(np.add.reduceat(piece.lengths_B, np.cumsum(each) - each))
            counts["truncated"].append(piece.truncated_B)
            if piece.unit_counts_B is not None:
                counts["unit_counts"].append(piece.unit_counts_B)
            advance(len(batch))
    lengths = np.concatenate(counts["lengths"])
    if len(lengths) and lengths.min() < 1:
        raise DataError(f"{table.name} row {int(lengths.argmin()) + 1}: the tokenizer makes no token of it")
    arrays = {"offsets": _offsets(lengths), "truncated": np.concatenate(counts["truncated"])}
    if len(lengths) < sum(map(len, sequences)):
        arrays["sequences"] = np.concatenate(sequences)
        arrays["sequence_offsets"] = _offsets(np.concatenate(counts["sequences"]))
    if counts["unit_counts"]:
        arrays["unit_offsets"] = _offsets(np.concatenate(counts["unit_counts"]))
    return arrays


def _write(table: Table, encode: Encode, folder: Path) -> None:
    with ExitStack() as stack:
        files = {name: stack.enter_context((folder / f"{name}.bin").open("wb")) for name in _FLATS}
        arrays = _run(table, encode, lambda name, flat: files[name].write(flat.tobytes()))
        used = {name: file.tell() > 0 for name, file in files.items()}
    for name in _FLATS[1:]:
        if not used[name]:
            (folder / f"{name}.bin").unlink()
    for name, array in arrays.items():
        np.save(folder / f"{name}.npy", array)
    offsets = arrays["offsets"]
    write_json(folder / "done.json", {"rows": len(offsets) - 1, "tokens": int(offsets[-1])})
    seal(folder)


def _offsets(counts_N: np.ndarray) -> np.ndarray:
    return np.concatenate([[0], np.cumsum(counts_N)]).astype(np.int64)


def _read(folder: Path, mark: str) -> TokenTable:
    done = json.loads((folder / "done.json").read_text())
    flats = {path.stem: np.memmap(path, dtype=np.int32, mode="r") for path in folder.glob("*.bin")}
    arrays = {path.stem: np.asarray(np.load(path, mmap_mode="r")) for path in folder.glob("*.npy")}
    found = _tokens(mark, flats, arrays)
    assert len(found.ids_T) == done["tokens"]  # noqa: S101 - done.json is written last
    return found


def _tokens(mark: str, flats: Mapping[str, np.ndarray], arrays: Mapping[str, np.ndarray]) -> TokenTable:
    return TokenTable(
        fingerprint=mark,
        ids_T=flats["ids"],
        offsets_N1=arrays["offsets"],
        truncated_N=arrays["truncated"],
        segments_T=flats.get("segments"),
        units_M=flats.get("units"),
        unit_offsets_N1=arrays.get("unit_offsets"),
        sequences_S=arrays.get("sequences"),
        sequence_offsets_N1=arrays.get("sequence_offsets"),
    )
