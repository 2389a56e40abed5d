"""The run folder: the only thing the stages share. See docs/reference/run-folder.md."""

from __future__ import annotations

import errno
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from deepen.core.errors import DataError, SettingError
from deepen.core.files import read_object, remove_leftovers, replacing, write_json, writing
from deepen.core.settings import parse


class _Score(BaseModel):
    name: str
    value: float
    n: int
    low: float | None = None
    high: float | None = None
    label: str | None = None


class _Gain(BaseModel):
    value: float
    low: float
    high: float


class _Row(BaseModel):
    rung: str
    status: str
    reason: str = ""
    score: _Score | None = None
    gain: _Gain | None = None
    seconds: float | None = None
    forecast_seconds: float | None = None
    num_trained_parameters: int | None = None
    seconds_per_1000_predictions: float | None = None
    temperature: float | None = None
    validation: list[_Score] = []
    ran: dict[str, Any] | None = None


class _Ladder(BaseModel):
    """What is read of ladder.json, here and by the report; there may be more in it."""

    task: str
    rungs: list[_Row]
    model: str | None = None
    chosen: str | None = None
    chosen_reason: str = ""
    cheapest_not_worse: str | None = None
    seconds: float = 0
    before: _Score | None = None
    test: list[_Score] = []
    labels: list[str] = []
    data: dict[str, Any] = {}
    confusion: dict[str, list[list[int]]] = {}
    complete: bool = False


def read_ladder(path: Path) -> dict[str, Any]:
    """Reads ladder.json.

    Args:
        path: The file.

    Returns:
        What it holds.

    Raises:
        DataError: If it is missing or damaged.
    """
    found = read_object(path)
    try:
        parse(_Ladder, found, where=f"{path} is damaged")
    except SettingError as error:
        raise DataError(str(error)) from None
    return found


@dataclass(frozen=True)
class Run:
    """A run folder. Everything it says is read from its files, so it is the same after a restart."""

    folder: Path

    @property
    def ladder(self) -> dict[str, Any]:
        """ladder.json: one row a rung, the chosen one, the scores."""
        return read_ladder(self.folder / "ladder.json")

    @property
    def chosen(self) -> str:
        """The rung whose model is in `model/`."""
        return str(self.ladder["chosen"])

    @property
    def complete(self) -> bool:
        """Whether the climb ended by itself."""
        return (self.folder / "ladder.json").is_file() and bool(self.ladder.get("complete"))

    def rung(self, name: str) -> Path:
        """The folder of a rung.

        Args:
            name: The rung's name.

        Returns:
            The folder, whether it is there or not.
        """
        return self.folder / "rungs" / name

    def write_ladder(self, ladder: dict[str, Any]) -> None:
        """Replaces ladder.json."""
        write_json(self.folder / "ladder.json", ladder)

    def publish(self, name: str) -> None:
        """Makes a rung's model the run's: hard links (copies where the file system has none), swapped in at once.

        Args:
            name: The rung.

        Raises:
            SettingError: If the disk is full.
        """
        source = self.rung(name) / "model"
        with replacing(self.folder / "model") as beside:
            shutil.copytree(source, beside, copy_function=_link)


def _link(source: str, target: str) -> str:
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)
    return target


def open_run(path: str | Path) -> Run:
    """An existing run.

    Args:
        path: The run folder.

    Returns:
        The run.

    Raises:
        DataError: If it is not a run folder.
    """
    folder = Path(path)
    if not (folder / "ladder.json").is_file():
        why = "it does not exist" if not folder.exists() else "it has no ladder.json"
        raise DataError(f"{path} is not a run folder: {why}; `deepen train` makes one")
    return Run(folder)


def new_run(path: Path, *, resume: bool, overwrite: bool) -> Run:
    """The folder of a run that is about to start or go on.

    Args:
        path: Where.
        resume: Go on with what is there.
        overwrite: Throw away the run that is there.

    Returns:
        The run; the folder exists and can be written to.

    Raises:
        SettingError: If there is a run already and neither was said, or what is there is not a run.
    """
    check_place(path, resume=resume, overwrite=overwrite)
    with writing(path):
        path.mkdir(parents=True, exist_ok=True)
        if overwrite:
            _empty(path)
        for folder in (path, *path.glob("rungs/*")):
            remove_leftovers(folder)
        probe = path / ".write"
        probe.touch()
        probe.unlink()
    return Run(path)


def _empty(folder: Path) -> None:
    """Removes what is in a run folder, not the folder, which is locked; last what tells that it is one."""
    last = ("ladder.json", "recipe.yaml")
    for item in sorted(folder.iterdir(), key=lambda item: last.index(item.name) if item.name in last else -1):
        if item.is_dir() and not item.is_symlink():
            shutil.rmtree(item)
        else:
            item.unlink()


def check_place(path: Path, *, resume: bool, overwrite: bool) -> None:
    """Whether a run may go there, told before anything is read or made.

    Args:
        path: Where.
        resume: Go on with what is there.
        overwrite: Throw away the run that is there.

    Raises:
        SettingError: If there is a run already and neither was said, what is there is not a run, or the place can't be
            written to.
    """
    if resume and overwrite:
        raise SettingError("--resume and --overwrite exclude each other")
    with writing(path):
        above = next(folder for folder in (path, *path.absolute().parents) if folder.exists())
        if not above.is_dir():
            raise NotADirectoryError(errno.ENOTDIR, "")
        if not os.access(above, os.W_OK | os.X_OK):
            raise PermissionError(errno.EACCES, "")
        there = [item for item in path.iterdir() if not item.name.startswith(".")] if path.is_dir() else []
    if not there:
        return
    if not resume and not overwrite:
        raise SettingError(f"{path} exists already: pass --resume to go on with it or --overwrite to replace it")
    if not (path / "recipe.yaml").is_file() and not (path / "ladder.json").is_file():
        word = "--resume" if resume else "--overwrite"
        raise SettingError(f"{path} is not a run folder (it has no recipe.yaml), so {word} leaves it alone")
