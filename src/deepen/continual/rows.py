"""The rows of an updated run: the old ones with new ones, without those that are forgotten, in files of its own.

They are put in the order of their ids, so the same rows give the same files, in whatever order they came.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from deepen.core.errors import DataError
from deepen.core.files import fingerprint, read_object, write_jsonl
from deepen.core.run import Run
from deepen.core.types import Example
from deepen.data.columns import TARGET, Columns
from deepen.data.load import load_table
from deepen.data.source import clip
from deepen.data.table import Part, Table
from deepen.preparation.environment import data_files
from deepen.preparation.place import ROWS
from deepen.preparation.prepare import Prepared
from deepen.preparation.recipe import Recipe
from deepen.preparation.reopen import reopened
from deepen.preparation.training_rows import ids_of

_HELD = 5  # one in so many new rows is held out
_AS_WRITTEN: dict[str, Any] = {
    "labels": None,
    "drop": None,
    "fix": None,
    "add": None,
    "unlabelled": None,
    "delimiter": None,
}
_AS_WRITTEN |= {"header": None, "quoting": None, "label_separator": None, "encoding": "utf-8"}


@dataclass(frozen=True)
class Updated:
    """Rows by part (`train`, `validation`, `test`), and what became of the others.

    Attributes:
        fresh: The new rows that are held out, as they were read; None without new rows.
        learned: The new rows that are learned from, as they were read; None without new rows.
        forgotten: How many rows of each part are gone, ids that no row has, labels that are gone with their last row.
    """

    parts: dict[str, list[Example]]
    fresh: Part | None
    learned: Part | None
    forgotten: dict[str, Any]

    @property
    def num_learned(self) -> int:
        """New rows that are learned from."""
        return len(self.learned) if self.learned is not None else 0


def old_rows(run: Run, recipe: Recipe) -> Prepared:
    """The rows that a run learned from, as they were.

    Raises:
        DataError: If they are gone or have changed, or the run was cross-validated.
    """
    environment = read_object(run.folder / "environment.json")
    given = {"train": recipe.data.path, "validation": recipe.data.validation, "test": recipe.data.test}
    for part, path in given.items():
        kept = environment.get("data", {}).get(part, {}).get("files")
        if path is not None and kept and data_files(path) != kept:
            why = "has changed" if Path(path).expanduser().exists() else "is gone"
            raise DataError(f"{path} {why} since {run.folder} was made (by sha256): an update reads its old rows again")
    prepared, missing = reopened(run, recipe)
    if prepared is None:
        raise DataError(f"{run.folder} can't be updated: {missing}")
    if prepared.rows.fold_N is not None:
        raise DataError(f"{run.folder} was cross-validated and has no held-out rows: train it on all rows anew")
    return prepared


def without_copy(name: str) -> str:
    """The id that all copies of a row share: the second in a file ends in -2."""
    return name.partition("-")[0]


def ids_to_forget(given: Any) -> set[str]:
    """Ids from a list, a file that has them in a column `id`, or text with commas; a row goes with its copies."""
    if given is None:
        return set()
    if isinstance(given, Path) or (isinstance(given, str) and "," not in given and Path(given).expanduser().is_file()):
        return {*map(without_copy, ids_of(Path(given)))}
    if isinstance(given, str):
        given = given.split(",")
    return {without_copy(str(name).strip()) for name in given if str(name).strip()}


def updated(prepared: Prepared, new: Table | None, forget: Collection[str], *, replayed: Part | None = None) -> Updated:
    """Puts old and new rows together.

    Of the new rows, one in five is held out, by a hash of its inputs: the same row always is, whenever it comes. What
    was learned before is never held out, and what was held out is never learned.

    Args:
        replayed: The old training rows that are learned from again; None is all.

    Raises:
        DataError: If no row is left to learn from or to judge by.
    """
    rows, problem = prepared.rows, prepared.work.problem
    there = {"train": problem.train, "validation": problem.validation, "test": rows.test}
    old = {name: list(part.examples()) for name, part in there.items() if part is not None}
    learned = {_key(row) for row in old["train"]}
    kept_out = {_key(row) for name, some in old.items() if name != "train" for row in some}
    known = {without_copy(row.id) for some in old.values() for row in some}
    again = old if replayed is None else old | {"train": list(replayed.examples())}
    parts = {name: [row for row in some if without_copy(row.id) not in forget] for name, some in again.items()}
    fresh: list[tuple[int, Any]] = []
    learned_at: list[int] = []
    for at, row in enumerate(new.all_rows().examples() if new is not None else ()):
        key = _key(row)
        if (name := without_copy(row.id)) in forget:
            known.add(name)
        elif key not in learned and int(key, 16) % _HELD == 0:
            parts["validation"].append(row)
            fresh.append((at, row.target))
        elif key not in kept_out:
            parts["train"].append(row)
            learned_at.append(at)
    if forget and not known & set(forget):
        some = clip(min(forget))
        raise DataError(f"none of the {len(forget):,} ids to forget is of a row, such as {some}: is a file missing?")
    gone = _without_lost_labels(parts) if problem.task.fixed else []
    for name in ("train", "validation"):
        if not parts[name]:
            raise DataError(f"no {name} row is left: forget fewer rows, or train anew on other data")
    forgotten = {name: sum(without_copy(row.id) in forget for row in some) for name, some in old.items()}
    known_fresh = [at for at, target in fresh if not gone or target not in gone]
    return Updated(
        {name: sorted(some, key=lambda row: (row.id, str(row.target))) for name, some in parts.items()},
        Part(new, np.array(known_fresh, np.int64)) if new is not None else None,
        Part(new, np.array(learned_at, np.int64)) if new is not None else None,
        {"rows": forgotten, "unknown": sorted(set(forget) - known), "labels": gone},
    )


def _key(row: Example) -> str:
    return fingerprint(row.inputs)


def _without_lost_labels(parts: dict[str, list[Example]]) -> list[str]:
    """Takes rows out that are judged by, where no training row of their label is left; these labels."""
    if not all(isinstance(row.target, str) for some in parts.values() for row in some):
        return []
    left = {row.target for row in parts["train"]}
    gone = sorted({row.target for some in parts.values() for row in some} - left)
    for name, some in parts.items():
        parts[name] = [row for row in some if row.target in left]
    return gone


def write_rows(made: Updated, out: Path, prepared: Prepared, recipe: Recipe) -> Recipe:
    """Writes the rows into the folder of the run to come.

    Returns:
        The recipe of a training on them.

    Raises:
        DataError: If what is written is not read again as the same rows.
    """
    names = _names(prepared.rows.columns)
    paths = {name: out / ROWS / f"{name}.jsonl" for name in made.parts}
    for name, path in paths.items():
        write_jsonl(path, (_as_row(row, names) for row in made.parts[name]))
    files = {"path" if name == "train" else name: str(path) for name, path in paths.items()}
    changes = _AS_WRITTEN | files | {"columns": names, "label_rows": False, "check": False}
    found = recipe.model_copy(update={"data": recipe.data.model_copy(update=changes)})
    task = prepared.work.problem.task
    for name, path in paths.items():
        table, _ = load_table(str(path), task.needs, found.data, columns=names)
        read = sorted(map(without_copy, table.arrow.column("id").to_pylist()))
        if read != sorted(without_copy(row.id) for row in made.parts[name]):
            raise DataError(f"rows of {task.name} such as those of {recipe.data.path} can't be kept by an update yet")
    return found


def _names(columns: Columns) -> dict[str, str]:
    """What each input and the target are called in the files: as in the training data, where that is one name."""
    parts: Mapping[str, Iterable[str | int]] = {**columns.inputs, TARGET: columns.target or ()}
    names = {name: tuple(given) for name, given in parts.items()}
    one = {name: str(given[0]) for name, given in names.items() if len(given) == 1 and isinstance(given[0], str)}
    plain = len(one) == len(names) and len({*one.values()}) == len(one) and not any("+" in x for x in one.values())
    return one if plain else {name: name for name in names}


def _as_row(row: Example, names: Mapping[str, str]) -> dict[str, Any]:
    return {names[name]: row.target if name == TARGET else row.inputs[name] for name in names}
