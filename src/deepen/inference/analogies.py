"""The training rows as the deciding model sees them, kept on disk, and those nearest to something new.

Shape legend: K units of the training rows kept, F features of a unit, Q queries, A analogies of a query.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from deepen.core.errors import DeepenError
from deepen.core.files import cache_dir, fingerprint, read_object, replacing, write_json
from deepen.core.seal import seal, sealed
from deepen.data.table import Part, Table
from deepen.problem.task import Predictor, Task

MAX_UNITS = 100_000
_BLOCK_UNITS, _BLOCK_QUERIES = 16_384, 256


@dataclass(frozen=True)
class Memory:
    """Training rows with the vector of each of their units.

    Attributes:
        part: The rows.
        offsets_N1: Where each row's units start.
        labels_K: The label of each unit.
        vectors_KF: Vectors of length 1: float32, memory-mapped, or a sparse matrix.
        note: What is to be said about them, such as that they are a sample.
    """

    part: Part
    offsets_N1: np.ndarray
    labels_K: np.ndarray
    vectors_KF: Any
    note: str = ""


def memory_folder(*marks: Any) -> Path:
    """Where a memory is kept.

    Args:
        marks: What the vectors depend on: the run's rows and the model.

    Returns:
        A folder in the cache; `read_memory` tells whether it is there.
    """
    return cache_dir() / "analogies" / fingerprint("analogies", 1, *marks)


def write_memory(folder: Path, predictor: Any, task: Task, train: Part, labels: tuple[str, ...], seed: int) -> None:
    """Lets a model see the training rows and keeps what it makes of them.

    Args:
        predictor: A model with `features`.
        train: The training rows; of more than 100,000 units, rows with about so many are drawn.

    Raises:
        SettingError: If the folder can't be written to.
    """
    counts_N = np.diff(task.targets(train, labels).offsets_N1)
    rows, whole = np.arange(len(train)), int(counts_N.sum())
    if whole > MAX_UNITS:
        order = np.random.default_rng(seed).permutation(len(train))
        rows = np.sort(order[np.cumsum(counts_N[order]) <= MAX_UNITS])
    part = train.take(rows)
    targets = task.targets(part, labels)
    vectors_KF = unit_length(predictor.features(part))
    with replacing(folder) as beside:
        beside.mkdir(parents=True)
        arrow = train.table.arrow.take(pa.array(part.rows_N)).combine_chunks()
        with pa.OSFile(str(beside / "rows.arrow"), "wb") as out, pa.ipc.new_file(out, arrow.schema) as writer:
            writer.write_table(arrow)
        np.save(beside / "offsets.npy", targets.offsets_N1)
        np.save(beside / "labels.npy", targets.labels_M)
        if isinstance(vectors_KF, np.ndarray):
            np.save(beside / "vectors.npy", vectors_KF)
        else:
            from scipy.sparse import save_npz

            save_npz(beside / "vectors.npz", vectors_KF)
        about = {"name": train.table.name, "inputs": list(train.table.inputs), "units": len(targets.labels_M)}
        write_json(beside / "about.json", about | {"of": whole})
        seal(beside)


def read_memory(folder: Path) -> Memory | None:
    """Reads what `write_memory` wrote.

    Returns:
        The memory; None if there is none, or it is damaged.
    """
    from zipfile import BadZipFile

    try:
        about = read_object(folder / "about.json") if sealed(folder) else {}
        if not about:
            return None
        arrow = pa.ipc.open_file(pa.memory_map(str(folder / "rows.arrow"))).read_all()
        offsets_N1, labels_K = np.load(folder / "offsets.npy"), np.load(folder / "labels.npy")
        dense = folder / "vectors.npy"
        vectors_KF = np.load(dense, mmap_mode="r") if dense.is_file() else _read_sparse(folder)
        if not vectors_KF.shape[0] == len(labels_K) == about["units"] or len(offsets_N1) != arrow.num_rows + 1:
            return None
    except (DeepenError, OSError, ValueError, KeyError, pa.ArrowException, BadZipFile):
        return None
    table = Table(about["name"], arrow, tuple(about["inputs"]), fingerprint(str(folder)), kept=False)
    note = ""
    if about["units"] < about["of"]:
        note = f"analogies are looked for among {about['units']:,} of {about['of']:,} words or rows, drawn at random"
    return Memory(table.all_rows(), offsets_N1, labels_K, vectors_KF, note)


def _read_sparse(folder: Path) -> Any:
    from scipy.sparse import load_npz

    return load_npz(folder / "vectors.npz").tocsr()


def sees(predictor: Predictor) -> bool:
    """Whether a model makes anything of its input that could be near something else."""
    return hasattr(predictor, "features")


def unit_length(features_MF: Any) -> Any:
    """Vectors of length 1, in the same form, dense or sparse; a vector of zeros stays."""
    if isinstance(features_MF, np.ndarray):
        return features_MF / np.maximum(np.linalg.norm(features_MF, axis=1, keepdims=True), 1e-12)
    norms_M = np.sqrt(np.asarray(features_MF.multiply(features_MF).sum(1)).ravel())
    scales_M = 1 / np.maximum(norms_M, 1e-12)
    return features_MF.multiply(scales_M[:, None]).tocsr().astype(np.float32)


def nearest(memory: Memory, queries_QF: Any, num: int) -> tuple[np.ndarray, np.ndarray]:
    """The units of the memory that are nearest by cosine.

    Args:
        queries_QF: Features of new units, in the form of the memory, of any length.
        num: A, how many for each.

    Returns:
        Their numbers units_QA, nearest first, and their cosines.
    """
    found = [
        _nearest(memory.vectors_KF, unit_length(queries_QF[start : start + _BLOCK_QUERIES]), num)
        for start in range(0, queries_QF.shape[0], _BLOCK_QUERIES)
    ]
    none = np.zeros((0, min(num, memory.vectors_KF.shape[0])))
    units, cosines = zip(*found, strict=True) if found else ((none.astype(np.int64),), (none,))
    return np.concatenate(units), np.concatenate(cosines)


def _nearest(vectors_KF: Any, queries_QF: Any, num: int) -> tuple[np.ndarray, np.ndarray]:
    units_QA = np.zeros((queries_QF.shape[0], 0), np.int64)
    best_QA = np.zeros(units_QA.shape, np.float32)
    for start in range(0, vectors_KF.shape[0], _BLOCK_UNITS):
        some = vectors_KF[start : start + _BLOCK_UNITS]
        cosines = queries_QF @ some.T
        cosines = cosines if isinstance(cosines, np.ndarray) else cosines.toarray()
        here = np.broadcast_to(np.arange(start, start + cosines.shape[1]), cosines.shape)
        both, units = np.concatenate([best_QA, cosines], axis=1), np.concatenate([units_QA, here], axis=1)
        kept = np.argsort(-both, axis=1, kind="stable")[:, :num]
        best_QA, units_QA = np.take_along_axis(both, kept, 1), np.take_along_axis(units, kept, 1)
    return units_QA, best_QA
