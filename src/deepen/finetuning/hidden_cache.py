"""What is frozen is computed once: hidden states below the trained layers and pooled features, on disk, memory-mapped.

Keyed by the rows, the tokenizer and the weights, so they serve every later rung, seed, setting and run.

Shape legend: N rows of a table, T tokens of all of them, M units of all of them, D hidden size, F features of a unit.
"""

from __future__ import annotations

import json
import os
import shutil
import time
import zlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from deepen.core.errors import SettingError
from deepen.core.files import cache_dir, fingerprint, write_json, writing
from deepen.core.progress import progress
from deepen.core.seal import seal, sealed
from deepen.data.batches import flat_positions, sorted_batches
from deepen.data.table import Part, Table
from deepen.data.tokens import TokenTable
from deepen.models.device import chosen_device
from deepen.models.encoder import Encoder, layout
from deepen.models.head import Head, Inputs
from deepen.problem.base import Base
from deepen.problem.work import Work

_BATCH_TOKENS = 2048
_SAVE_SECONDS = 20.0
_FLOAT32_BYTES = 4 << 30


@dataclass(frozen=True)
class Frozen:
    """The untouched encoder's view of a table.

    `features_MF` has one row a unit; `hidden_TD` one a token, after the first `cut` layers (None if not asked for).
    `seconds` is what it took to compute, whenever that was.
    """

    tokens: TokenTable
    cut: int
    features_MF: np.ndarray
    hidden_TD: np.ndarray | None
    seconds: float
    computed: bool
    head: Head

    def unit_offsets(self) -> np.ndarray:
        """Where each row's units start, of length N + 1."""
        return decision_offsets(self.tokens, self.head)


def decision_offsets(tokens: TokenTable, head: Head) -> np.ndarray:
    """Where the units of each row start that get a decision.

    Args:
        tokens: A table's tokens.
        head: What reads them.

    Returns:
        Offsets of length N + 1.
    """
    if head.is_units and tokens.unit_offsets_N1 is not None:
        return tokens.unit_offsets_N1
    return np.arange(len(tokens.offsets_N1))


def frozen_pass(work: Work, table: Table, *, cut: int | None) -> Frozen:
    """Runs the untouched encoder over a table once, or reads what an earlier pass left.

    An interrupted pass goes on where it stopped; the batches are the same every time, so the numbers are too.

    Args:
        table: The rows; all of them are run.
        cut: Keep the hidden states after this many layers too; None keeps only the features.

    Returns:
        Features and hidden states, memory-mapped.

    Raises:
        SettingError: If the disk has no room for them.
    """
    tokens, head = work.tokens(table), work.form.head
    dtype = _dtype(work.base, tokens)
    card = [kind] if (kind := chosen_device().type) != "cpu" else []  # another kind rounds otherwise
    mark = fingerprint("hidden", 2, tokens.fingerprint, work.base.model.fingerprint, head.name, cut, str(dtype), *card)
    folder = cache_dir() / "hidden" / mark
    num_units = int(decision_offsets(tokens, head)[-1])
    width = head.width(work.base.model.hidden_size)
    forms: _Forms = {"features.bin": (np.dtype(np.float32), (num_units, width))}
    if cut is not None:
        forms["hidden.bin"] = (np.dtype(dtype), (len(tokens.ids_T), work.base.model.hidden_size))
    state = _state(folder, forms)
    began_complete = bool(state.get("complete"))
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
        if not began_complete:
            _reserve(folder, forms)
        maps = {
            name: np.memmap(folder / name, kind, "r" if began_complete else "r+", shape=shape)
            for name, (kind, shape) in forms.items()
        }
        found = Frozen(tokens, cut or 0, maps["features.bin"], maps.get("hidden.bin"), 0.0, not began_complete, head)
        if not began_complete:
            state = _fill(work.base, tokens, found, folder, state)
    return replace(found, seconds=float(state["seconds"]))


def passing_features(work: Work, part: Part) -> np.ndarray:
    """The untouched encoder's features of rows that are made for a moment: computed at once, kept nowhere.

    Args:
        work: The climb whose encoder it is.

    Returns:
        features_MF of the part's units, in its order.
    """
    tokens, head = work.tokens(part.table), work.form.head
    num_units = int(decision_offsets(tokens, head)[-1])
    features_MF = np.empty((num_units, head.width(work.base.model.hidden_size)), np.float32)
    made = Frozen(tokens, 0, features_MF, None, 0.0, True, head)
    encoder = work.base.model.encoder().eval()
    lengths = np.asarray(tokens.lengths_N[part.rows_N])
    with progress("reading altered rows", len(part)) as advance, torch.inference_mode():
        for chosen in sorted_batches(lengths, max_tokens=_BATCH_TOKENS):
            _one(encoder, made, part.rows_N[chosen])
            advance(len(chosen))
    return np.asarray(features_MF[flat_positions(made.unit_offsets(), part.rows_N)])


_Forms = dict[str, tuple[np.dtype[Any], tuple[int, int]]]


def _reserve(folder: Path, forms: _Forms) -> None:
    """Takes the room on the disk at once: a memory map that outgrows the disk later would kill the process."""
    try:
        for name, size in _sizes(forms).items():
            with (folder / name).open("ab") as file:
                if hasattr(os, "posix_fallocate"):
                    os.posix_fallocate(file.fileno(), 0, size)
                file.truncate(size)
    except OSError:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def _sizes(forms: _Forms) -> dict[str, int]:
    return {name: int(np.prod(shape)) * kind.itemsize for name, (kind, shape) in forms.items()}


def _dtype(base: Base, tokens: TokenTable) -> type:
    chosen = base.settings.cache_dtype
    if chosen == "auto":
        size = len(tokens.ids_T) * base.model.hidden_size * 4
        chosen = "float32" if size <= _FLOAT32_BYTES else "float16"
    return np.float32 if chosen == "float32" else np.float16


def _state(folder: Path, forms: _Forms) -> dict[str, Any]:
    """How far an earlier pass came; nothing if one of its files is not what it left."""
    try:
        if any((folder / name).stat().st_size != size for name, size in _sizes(forms).items()):
            return {}
        found = dict(json.loads((folder / "state.json").read_text()))
        return found if not found.get("complete") or sealed(folder) else {}
    except (OSError, ValueError):
        return {}


def _fill(base: Base, tokens: TokenTable, out: Frozen, folder: Path, state: dict[str, Any]) -> dict[str, Any]:
    encoder = base.model.encoder().eval()
    batches = sorted_batches(np.asarray(tokens.lengths_N), max_tokens=_BATCH_TOKENS)
    sums = [one for one, rows in zip(state.get("sums") or (), batches, strict=False) if one == _sum(out, rows)]
    first = len(sums) if sums == state.get("sums") else 0
    sums = sums[:first]
    seconds = float(state.get("seconds", 0.0))
    began = saved = time.monotonic()
    title = f"{base.model.name.rsplit('/', 1)[-1]} reads {len(tokens.ids_T):,} tokens"
    with progress(title, sum(len(rows) for rows in batches)) as advance, torch.inference_mode():
        advance(sum(len(rows) for rows in batches[:first]))
        for index in range(first, len(batches)):
            _one(encoder, out, batches[index])
            sums.append(_sum(out, batches[index]))
            advance(len(batches[index]))
            now = time.monotonic()
            if now - saved > _SAVE_SECONDS:
                saved = now
                _flush(out)
                write_json(folder / "state.json", {"sums": sums, "seconds": seconds + now - began})
    _flush(out)
    state = {"seconds": seconds + time.monotonic() - began, "complete": True}
    write_json(folder / "state.json", state)
    seal(folder)
    return state


def _sum(out: Frozen, rows: np.ndarray) -> int:
    """A checksum of what was computed of some rows."""
    crc = zlib.crc32(out.features_MF[flat_positions(out.unit_offsets(), rows)].tobytes())
    if out.hidden_TD is not None:
        crc = zlib.crc32(out.hidden_TD[flat_positions(out.tokens.offsets_N1, rows)].tobytes(), crc)
    return crc


def _flush(out: Frozen) -> None:
    for array in (out.features_MF, out.hidden_TD):
        if isinstance(array, np.memmap):
            array.flush()


def _one(encoder: Encoder, out: Frozen, rows: np.ndarray) -> None:
    inputs = batch_inputs(out.tokens, rows, shares=out.head.shares).to(encoder.device)
    where = layout(inputs.lengths_B)
    assert inputs.ids_T is not None  # noqa: S101 - no hidden states were passed
    hidden_TD = encoder.embed(inputs.ids_T, inputs.segments_T, where)
    if out.hidden_TD is not None:
        hidden_TD = encoder.run(hidden_TD, where, 0, out.cut)
        kept = hidden_TD.cpu().numpy()
        if inputs.again_S is not None:
            kept = kept[flat_positions(_ends(inputs.lengths_B.cpu().numpy()), inputs.again_S.cpu().numpy())]
        out.hidden_TD[flat_positions(out.tokens.offsets_N1, rows)] = kept
    hidden_TD = encoder.run(hidden_TD, where, out.cut if out.hidden_TD is not None else 0, encoder.num_layers)
    features = out.head.pool(hidden_TD, where, inputs).cpu().numpy()
    out.features_MF[flat_positions(out.unit_offsets(), rows)] = features


def batch_inputs(tokens: TokenTable, rows: np.ndarray, *, frozen: Frozen | None = None, shares: bool = False) -> Inputs:
    """The network's inputs for some rows of a table.

    Args:
        tokens: The table's tokens.
        rows: Row numbers in the table.
        frozen: Start from its hidden states instead of token ids.
        shares: Whether a text that several of the rows have is there once.

    Returns:
        Tensors on the CPU.
    """
    lengths = np.asarray(tokens.offsets_N1[rows + 1]) - np.asarray(tokens.offsets_N1[rows])
    where = flat_positions(tokens.offsets_N1, rows)
    units = None
    if tokens.units_M is not None and tokens.unit_offsets_N1 is not None:
        counts = np.asarray(tokens.unit_offsets_N1[rows + 1]) - np.asarray(tokens.unit_offsets_N1[rows])
        starts = np.repeat(np.cumsum(lengths) - lengths, counts)
        units = torch.from_numpy(starts + tokens.units_M[flat_positions(tokens.unit_offsets_N1, rows)])
    windows = again = None
    if tokens.sequences_S is not None and tokens.sequence_offsets_N1 is not None:
        windows = torch.from_numpy(np.diff(tokens.sequence_offsets_N1)[rows])
        lengths = np.asarray(tokens.sequences_S[flat_positions(tokens.sequence_offsets_N1, rows)])
        if shares:
            once, again_S = same_sequences(tokens.ids_T[where], lengths)
            where, lengths = where[flat_positions(_ends(lengths), once)], lengths[once]
            again = torch.from_numpy(again_S)
    lengths_B = torch.from_numpy(lengths)
    if frozen is not None:
        if frozen.hidden_TD is None:
            raise SettingError("hidden states were not kept")
        hidden_TD = torch.from_numpy(frozen.hidden_TD[where].astype(np.float32, copy=False))
        return Inputs(lengths_B, hidden_TD=hidden_TD, units_M=units, start=frozen.cut, windows_R=windows, again_S=again)
    segments = None
    if tokens.segments_T is not None:
        segments = torch.from_numpy(tokens.segments_T[where].astype(np.int64))
    ids_T = torch.from_numpy(tokens.ids_T[where].astype(np.int64))
    return Inputs(lengths_B, ids_T=ids_T, segments_T=segments, units_M=units, windows_R=windows, again_S=again)


def same_sequences(ids_T: np.ndarray, lengths_S: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Which sequences are there for the first time, and which of those each one is.

    Args:
        ids_T: The tokens of S sequences, end to end.
        lengths_S: Tokens of each.

    Returns:
        The places of the different ones, in order, and for each of the S its place among those. Two are the same if
        the sums of their tokens, each times 64 random bits of its place, are.
    """
    starts_S = np.cumsum(lengths_S) - lengths_S
    places_T = np.arange(len(ids_T)) - np.repeat(starts_S, lengths_S)
    salt_L = np.random.default_rng(0).integers(1, 2**63, int(lengths_S.max(initial=1)), dtype=np.uint64) | np.uint64(1)
    marks_S = np.add.reduceat(salt_L[places_T] * (ids_T.astype(np.uint64) + np.uint64(1)), starts_S)
    _, first_K, again_S = np.unique(marks_S, return_index=True, return_inverse=True)
    order_K = np.argsort(first_K)
    return first_K[order_K], np.argsort(order_K)[again_S]


def _ends(lengths_S: np.ndarray) -> np.ndarray:
    """Where sequences of these lengths start when they lie end to end, with the end of the last."""
    return np.concatenate([[0], np.cumsum(lengths_S)])
