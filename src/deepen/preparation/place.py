"""Where a run may go, and what in its folder is the run's: nothing of a person's is removed or written over.

A folder is a run's by what ladder.json or environment.json say, never by a name that people use too.
"""

from __future__ import annotations

import errno
import json
import os
import re
import shlex
import shutil
import tempfile
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, field
from fnmatch import fnmatch
from pathlib import Path
from typing import TYPE_CHECKING, Any

from deepen.core.curve import METRICS
from deepen.core.errors import DataError, SettingError
from deepen.core.files import read_object, remove_leftovers, writing
from deepen.core.recipe_file import SCHEMA
from deepen.core.run import FOLDS, MODEL_NOTES, Run, model_files
from deepen.core.slices import SLICES
from deepen.evaluation.promises import FOLDER as BOUNDS

if TYPE_CHECKING:
    from deepen.preparation.recipe import Recipe

MARKS = ("environment.json", "ladder.json")
"""What tells that a folder is a run's; removed last."""
FILES = (
    *("recipe.yaml", SCHEMA, METRICS, SLICES, "report.html", "diagnosis.json", "left-out.csv", "update.json"),
    *("self_training.npz", *MARKS),
)
"""What a run writes into its folder, beside the folders `model`, `rungs`, `folds`, `diagnosis` and `bounds`."""
ROWS = "rows"
"""The folder of the rows that an update wrote for a run to learn from; it comes before the run, and stays."""
LISTS = ("suspects.csv", "suspects-*.csv", "rows-of-*-words.csv")
"""What a person is handed to work on: they stay when the run is replaced."""
_DIAGNOSIS = ("clean.jsonl", "new-names.jsonl")
_RUNG_FILES = ("predictions-validation.jsonl", "predictions-test.jsonl", "training.jsonl", "outputs.npz")
_CHECKPOINT = ("state.safetensors", "state.json")
_LEFTOVER = re.compile(r"\..+-\d+\.(part|old)")
_LITTER = (".DS_Store", "Thumbs.db", "desktop.ini")
_MOST_NAMED = 3


@dataclass
class Written:
    """What of a run folder the run wrote, and what in its inner folders it did not."""

    files: list[Path] = field(default_factory=list)
    folders: list[Path] = field(default_factory=list)
    strangers: list[Path] = field(default_factory=list)

    def add(self, path: Path, *, ours: bool) -> None:
        """Puts a file, or what a killed process left, where it belongs."""
        dropped = path.name in _LITTER or _LEFTOVER.fullmatch(path.name)
        (self.files if ours or dropped else self.strangers).append(path)

    def enter(self, path: Path) -> list[Path]:
        """What is in an inner folder; nothing if it is a link or no folder, which no run writes."""
        if path.is_symlink() or not path.is_dir():
            if path.is_symlink() or path.exists():
                self.strangers.append(path)
            return []
        self.folders.append(path)
        return sorted(path.iterdir())


def written(folder: Path) -> Written:
    """What a run has written into a folder.

    Returns:
        Its files and inner folders, and what somebody else put into its inner folders.
    """
    found = Written()
    for path in sorted(folder.iterdir()):
        if path.name in FILES or _LEFTOVER.fullmatch(path.name):
            plain = path.is_symlink() or path.is_file() or path.name not in FILES
            found.add(path, ours=plain)
    _model(found, folder / "model")
    if (folder / "diagnosis").is_dir() and not (folder / "diagnosis").is_symlink():
        found.files += [path for path in found.enter(folder / "diagnosis") if path.name in _DIAGNOSIS]
    if (folder / BOUNDS).is_dir() and not (folder / BOUNDS).is_symlink():
        found.files += [path for path in found.enter(folder / BOUNDS) if path.suffix in (".json", ".jsonl")]
    folds = [path / "rungs" for path in found.enter(folder / FOLDS) if found.enter(path)]
    for path in (one for rungs in (folder / "rungs", *folds) for one in found.enter(rungs)):
        _rung(found, path, _known_rungs(folder))
    return found


def _rung(found: Written, folder: Path, known: Collection[str]) -> None:
    if folder.name not in known:
        found.add(folder, ours=False)
        return
    for path in found.enter(folder):
        if path.name == "model":
            _model(found, path)
        elif path.name == "checkpoint":
            for item in found.enter(path):
                found.add(item, ours=item.name in _CHECKPOINT)
        elif path.name == "self_trained":
            _rung(found, path, ("self_trained",))
        else:
            found.add(path, ours=path.name in _RUNG_FILES)


def _model(found: Written, folder: Path) -> None:
    """A model folder says itself which files were saved with it."""
    ours = model_files(folder) | set(MODEL_NOTES)
    for path in found.enter(folder):
        if path.is_dir() and not path.is_symlink():
            found.folders.append(path)
            inner = [Path(at, name) for at, _, names in os.walk(path) for name in names]
            found.folders += [Path(at, name) for at, names, _ in os.walk(path) for name in names]
        else:
            inner = [path]
        for item in inner:
            found.add(item, ours=item.relative_to(folder).as_posix() in ours)


def _known_rungs(folder: Path) -> set[str]:
    """The rungs of today, and those that a run of another release names."""
    from deepen.preparation.catalog import shelf

    rows = _content(folder / "ladder.json").get("rungs")
    rows = rows if isinstance(rows, list) else []
    return {*shelf(), *(str(row.get("rung")) for row in rows if isinstance(row, dict))}


def is_run(folder: Path) -> bool:
    """Whether a folder is one that a run has begun to write."""
    versions = _content(folder / "environment.json").get("versions")
    return {"task", "rungs"} <= _content(folder / "ladder.json").keys() or (
        isinstance(versions, dict) and "deepen" in versions
    )


def _content(path: Path) -> dict[str, Any]:
    try:
        return read_object(path) if path.is_file() else {}
    except (DataError, OSError):
        return {}


def inputs_of(recipe: Recipe, source: Any = None) -> dict[str, str]:
    """What a climb reads: by what it is, its path or name.

    Args:
        source: Where the recipe is from; what is no path says nothing.

    Returns:
        Only what was named.
    """
    data = recipe.data
    named: dict[str, Any] = {
        "the training rows": data.path,
        "the validation rows": data.validation,
        "the test rows": data.test,
    }
    named |= {"the labels": data.labels, "--drop": data.drop, "--fix": data.fix, "--add": data.add}
    named |= {"the unlabelled rows": data.unlabelled, "the model": recipe.model.name}
    named["the recipe"] = source if isinstance(source, str | Path) else None
    return {what: str(path) for what, path in named.items() if path is not None}


def check_place(path: Path, *, resume: bool, overwrite: bool, inputs: dict[str, str] | None = None) -> None:
    """Whether a run may go there, told before anything is read or made.

    Args:
        inputs: What the run reads, by what it is; none of it may be thrown away.

    Raises:
        SettingError: If there is a run already and neither was said, what is there is not a run or holds what a person
            put there, or the place can't be written to.
    """
    if resume and overwrite:
        raise SettingError("--resume and --overwrite exclude each other")
    if re.search("[\ud800-\udfff]", str(path)):  # so Python reads bytes that are no UTF-8
        raise SettingError(f"{str(path)!a} can't be written into the run's records: give --out a name in UTF-8")
    with writing(path):
        above = next(folder for folder in (path, *path.absolute().parents) if folder.exists())
        if not above.is_dir():
            raise NotADirectoryError(errno.ENOTDIR, "")
        if not os.access(above, os.W_OK | os.X_OK):
            raise PermissionError(errno.EACCES, "")
        there = (
            [item for item in path.iterdir() if not item.name.startswith(".") and item.name != ROWS]
            if path.is_dir()
            else []
        )
    if not there:
        return
    if not is_run(path):
        word = "--resume" if resume else "--overwrite" if overwrite else ""
        left = f", so {word} leaves it alone" if word else ""
        raise SettingError(f"{path} is not empty and not a run folder{left}: give another --out")
    if overwrite:
        _check_removal(path, inputs or {})
    elif not resume:
        raise SettingError(f"{path} exists already: pass --resume to go on with it or --overwrite to replace it")


def _check_removal(path: Path, inputs: dict[str, str]) -> None:
    """Whether a run can be thrown away without harm to anything else."""
    place, here, home = path.resolve(), Path.cwd(), Path.home().resolve()
    for folder, what in ((here, "the working folder"), (home, "your home folder")):
        if folder.is_relative_to(place):
            within = "is" if folder == place else "holds"
            raise SettingError(f"{path} {within} {what}: --overwrite leaves it alone; give another --out")
    found = written(path)
    if found.strangers:
        named = ", ".join(str(item) for item in found.strangers[:_MOST_NAMED])
        more = len(found.strangers) - _MOST_NAMED
        named += f" and {more} more" if more > 0 else ""
        raise SettingError(
            f"{named}: the run did not write that, so --overwrite removes nothing; move it elsewhere, or give "
            "another --out"
        )
    gone = [item.parent.resolve() / item.name for item in found.files]
    for what, name in inputs.items():
        given = Path(name).expanduser()
        if not _exists(given) or not (given := given.resolve()).is_relative_to(place):
            continue
        if any(item.is_relative_to(given) for item in gone):
            raise SettingError(
                f"{name}, {what}, is a part of the run that --overwrite removes: copy it elsewhere, or give "
                "another --out"
            )


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:  # a name that no file can have
        return False


def new_run(path: Path, *, resume: bool, overwrite: bool, inputs: dict[str, str] | None = None) -> Run:
    """The folder of a run that is about to start or go on.

    Returns:
        The run; the folder exists and can be written to.

    Raises:
        SettingError: If there is a run already and neither was said, or what is there is not a run.
    """
    check_place(path, resume=resume, overwrite=overwrite, inputs=inputs)
    with writing(path):
        path.mkdir(parents=True, exist_ok=True)
        if overwrite and is_run(path):
            _remove(written(path))
        for folder in (path, *path.glob("rungs/*")):
            remove_leftovers(folder)
        with tempfile.TemporaryFile(dir=path):
            pass
    return Run(path)


def _remove(found: Written) -> None:
    """Removes what a run wrote; what tells that it is one comes last, so that an interruption changes nothing."""
    last = {"deepen.json": 1} | {name: 2 + at for at, name in enumerate(MARKS)}
    for item in sorted(found.files, key=lambda item: last.get(item.name, 0)):
        if item.is_dir() and not item.is_symlink():
            shutil.rmtree(item)
        else:
            item.unlink()
    for folder in sorted(found.folders, key=lambda item: -len(item.parts)):
        if folder.is_dir() and not any(folder.iterdir()):
            folder.rmdir()


def remove_rung(folder: Path) -> None:
    """Removes what a rung has written.

    Args:
        folder: The rung's folder, which may be missing; what somebody else put there stays.
    """
    found = Written()
    _rung(found, folder, (folder.name,))
    _remove(found)


def _holds_answers(path: Path) -> bool:
    """Whether a file begins as one of answers does."""
    with path.open("rb") as file:
        first = file.readline(1 << 20).decode("utf-8-sig", "replace").strip()
    if path.name.lower().endswith(".csv"):
        return bool({"output", "output_1"} & {cell.strip().strip('"') for cell in first.split(",")})
    try:
        record = json.loads(first)
    except (ValueError, RecursionError):
        return False
    return isinstance(record, dict) and bool({"output", "skipped"} & set(record))


def check_answers(out: Path, runs: Iterable[str], data: Any) -> None:
    """Whether answers may be written to a file.

    Args:
        data: The rows that are answered: a path, or typed texts.

    Raises:
        SettingError: If the file is one of the rows, of a run or of a model, or one that a run has learned from.
    """
    place = out.resolve()
    rows = Path(data).expanduser() if isinstance(data, str | Path) else out / "nothing"
    if out.exists() and _exists(rows) and (place.is_relative_to(rows.resolve()) or out.samefile(rows)):
        raise SettingError(f"--out {out} is the file of the rows themselves: give the answers another name")
    for folder in place.parents:
        if is_run(folder) and _is_inside(place.relative_to(folder)):
            raise SettingError(f"--out {out} is a place of the run {folder}: give the answers another name")
        if (folder / "deepen.json").is_file():
            raise SettingError(f"--out {out} is in the model folder {folder}: give the answers another place")
    for what, name in _learned_from(runs):
        given = Path(name).expanduser()
        if out.exists() and _exists(given) and place.is_relative_to(given.resolve()):
            raise SettingError(f"--out {out} holds {what} of the run: give the answers another name")
    if out.is_file() and out.stat().st_size and not _holds_answers(out):
        raise SettingError(f"--out {out} is there and holds something else than answers: give them another name")


def _is_inside(path: Path) -> bool:
    """Whether a path in a run folder is one that a run writes, now or later."""
    first = path.parts[0]
    return first in ("model", "rungs", "diagnosis", ROWS, BOUNDS, FOLDS, *FILES) or any(
        fnmatch(first, name) for name in LISTS
    )


def _learned_from(runs: Iterable[str]) -> Iterator[tuple[str, str]]:
    from deepen.preparation.reopen import recipe_of

    for name in (part for run in runs for part in (run, *run.split("+"))):
        folder = Path(name).expanduser()
        if _exists(folder / "recipe.yaml"):
            try:
                yield from inputs_of(recipe_of(Run(folder))).items()
            except (DataError, SettingError):
                continue


def unfinished(run: Run) -> str:
    """What is to be said of a run that did not end by itself.

    Returns:
        A sentence with what to do; nothing if it is finished, or if there is no telling.
    """
    ladder = _content(run.folder / "ladder.json")
    if not ladder or ladder.get("complete") is not False:
        return ""
    again = f"deepen train --out {shlex.quote(str(run.folder))} --resume"
    return f"{run.folder} is not finished: deeper rungs may be missing and no test rows are scored; `{again}` goes on"


def warn(run: Run, say: Callable[[str], None]) -> None:
    """Says that a run is not finished, if it is so."""
    if told := unfinished(run):
        say(f"  warning: {told}")
