"""Run folders, side by side: what each learned, how well, how large it is and whether it came to its end."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from deepen.core.errors import DataError
from deepen.core.ladder import Ladder, ScoreRecord, read_ladder

_DEEPEST = 4
_STEPS_OVER = frozenset(("rungs", "model", "diagnosis", "node_modules", "__pycache__"))


@dataclass(frozen=True)
class RunLine:
    """A run folder in short.

    `state` is `finished`, `unfinished`, `damaged` (its ladder.json can't be read) or `model` (a model without its
    run). `score` is the chosen rung's on the validation rows, `test` on the test rows; `changed` is seconds since 1970.
    """

    run: str
    state: str
    task: str | None
    data: str | None
    model: str | None
    chosen: str | None
    score: ScoreRecord | None
    test: ScoreRecord | None
    seconds: float | None
    bytes: int
    changed: float


def find_runs(folder: Path) -> list[RunLine]:
    """The run folders in a folder and a few folders below it, the newest first.

    Raises:
        DataError: If there is no such folder.
    """
    if not folder.is_dir():
        raise DataError(f"{folder} is no folder: name one that holds run folders, as in deepen runs runs")
    return sorted((_line(path) for path in _run_folders(folder, _DEEPEST)), key=lambda line: -line.changed)


def _run_folders(folder: Path, deeper: int) -> Iterator[Path]:
    names = set()
    with suppress(OSError):
        names = set(os.listdir(folder))
    if "ladder.json" in names or {"environment.json", "recipe.yaml"} <= names or "deepen.json" in names:
        yield folder
    elif deeper:
        for name in sorted(names - _STEPS_OVER):
            path = folder / name
            if not name.startswith(".") and path.is_dir() and not path.is_symlink():
                yield from _run_folders(path, deeper - 1)


def _line(folder: Path) -> RunLine:
    num_bytes, changed = _size(folder)
    ladder, state = None, "unfinished"
    if (folder / "ladder.json").is_file():
        try:
            ladder = read_ladder(folder / "ladder.json")
            state = "unfinished" if ladder.unfinished else "finished"
        except DataError:
            state = "damaged"
    elif (folder / "deepen.json").is_file():
        state = "model"
    return _of(ladder, folder, state, num_bytes, changed)


def _of(ladder: Ladder | None, folder: Path, state: str, num_bytes: int, changed: float) -> RunLine:
    if ladder is None:
        return RunLine(str(folder), state, None, None, None, None, None, None, None, num_bytes, changed)
    score = ladder.chosen_row.score
    same = (one for one in ladder.test if score is not None and one["name"] == score["name"] and not one.get("label"))
    about = (ladder.task, ladder.data.name if ladder.data else None, ladder.model, ladder.chosen)
    return RunLine(str(folder), state, *about, score, next(same, None), ladder.seconds, num_bytes, changed)


def _size(folder: Path) -> tuple[int, float]:
    """Bytes on the disk, a file that has several names counted once, and when the last file changed."""
    sizes, changed = {}, 0.0
    for at, _, names in os.walk(folder):
        for name in names:
            with suppress(OSError):
                about = os.lstat(os.path.join(at, name))
                sizes[about.st_dev, about.st_ino] = about.st_size
                changed = max(changed, about.st_mtime)
    return sum(sizes.values()), changed
