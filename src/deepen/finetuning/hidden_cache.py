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
from deepen.problem.flat import ends, flat_batch
from deepen.problem.reading import decision_offsets
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


def frozen_pass(work: Work, table: Table, *, cut: int | None) -> Frozen:
    """Runs the untouched encoder over a table once, or reads what an earlier pass left.

    An interrupted pass goes on where it stopped; the batches are the same every time, so the numbers are too.

    Args:
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
            kept = kept[flat_positions(ends(inputs.lengths_B.cpu().numpy()), inputs.again_S.cpu().numpy())]
        out.hidden_TD[flat_positions(out.tokens.offsets_N1, rows)] = kept
    hidden_TD = encoder.run(hidden_TD, where, out.cut if out.hidden_TD is not None else 0, encoder.num_layers)
    features = out.head.pool(hidden_TD, where, inputs).cpu().numpy()
    out.features_MF[flat_positions(out.unit_offsets(), rows)] = features


def batch_inputs(tokens: TokenTable, rows: np.ndarray, *, frozen: Frozen | None = None, shares: bool = False) -> Inputs:
    """The network's inputs for some rows of a table.

    Args:
        frozen: Start from its hidden states instead of token ids.
        shares: Whether a text that several of the rows have is there once.

    Returns:
        Tensors on the CPU.
    """
    flat = flat_batch(tokens, rows, shares=shares)
    of: dict[str, Any] = {
        name: None if array is None else torch.from_numpy(array)
        for name in ("units_M", "windows_R", "again_S")
        for array in [getattr(flat, name)]
    }
    lengths_B = torch.from_numpy(flat.lengths_B)
    if frozen is None:
        segments_T = None if flat.segments_T is None else torch.from_numpy(flat.segments_T)
        return Inputs(lengths_B, ids_T=torch.from_numpy(flat.ids_T), segments_T=segments_T, **of)
    if frozen.hidden_TD is None:
        raise SettingError("hidden states were not kept")
    hidden_TD = torch.from_numpy(frozen.hidden_TD[flat.where_T].astype(np.float32, copy=False))
    return Inputs(lengths_B, hidden_TD=hidden_TD, start=frozen.cut, **of)
