"""The run folder: the only thing the stages share. See docs/reference/run-folder.md."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from deepen.core import html
from deepen.core.errors import DataError
from deepen.core.files import read_object, replacing, write_json
from deepen.core.ladder import Ladder, LadderRow, read_ladder
from deepen.core.places import path_of

MODEL_NOTES = ("deepen.json", "README.md")
"""What is in a model folder beside the files that deepen.json lists."""
FOLDS = "folds"
"""The folder with what a cross-validated climb learned without a fold, laid out as a run."""
_HEAD = ("rung", "score", "95 %", "", "seconds")


@dataclass(frozen=True)
class Run:
    """A run folder. Everything it says is read from its files, so it is the same after a restart."""

    folder: Path

    @property
    def ladder(self) -> Ladder:
        """ladder.json: one row a rung, the chosen one, the scores."""
        return read_ladder(self.folder / "ladder.json")

    @property
    def chosen(self) -> str:
        """The rung whose model is in `model/`."""
        return str(self.ladder.chosen)

    @property
    def complete(self) -> bool:
        """Whether the climb ended by itself."""
        return (self.folder / "ladder.json").is_file() and bool(self.ladder.complete)

    def __repr__(self) -> str:
        """The folder, and what came of the climb as far as it went."""
        try:
            ladder = self.ladder
        except DataError:
            return f"Run({str(self.folder)!r}, nothing finished)"
        score, row = ladder.chosen_row.score, ladder.chosen
        said = f", {row}, {score['name']} {score['value']:.3f}" if score else ""
        return f"Run({str(self.folder)!r}, {ladder.task}{said}{', unfinished' if ladder.unfinished else ''})"

    def _repr_html_(self) -> str:
        try:
            ladder = self.ladder
        except DataError:
            return html.cell(repr(self))
        return html.table(f"{ladder.task}: {self.folder}", _HEAD, [_html_row(row, ladder) for row in ladder.rungs])

    def rung(self, name: str) -> Path:
        """The folder of a rung. It need not be there."""
        return self.folder / "rungs" / name

    def write_ladder(self, ladder: Ladder) -> None:
        """Replaces ladder.json."""
        write_json(self.folder / "ladder.json", ladder.dump())

    def publish(self, name: str) -> None:
        """Makes a rung's model the run's: hard links (copies where the file system has none), swapped in at once."""
        source, place = self.rung(name) / "model", self.folder / "model"
        with replacing(place) as beside:
            shutil.copytree(source, beside, copy_function=_link)
            keep_strangers(place, beside)


def _html_row(row: LadderRow, ladder: Ladder) -> list[str]:
    score, name = row.score, f"{row.rung} *" if row.rung == ladder.chosen else row.rung
    if score is None:
        return [html.cell(name), html.cell(row.status), "", html.cell(row.reason), ""]
    low, high = score.get("low"), score.get("high")
    bounds = "" if low is None or high is None else f"{low:.3f} to {high:.3f}"
    share = html.bar(score["value"]) if score.get("unit", "fraction") == "fraction" else ""
    return [html.cell(name), html.cell(score["value"]), bounds, share, f"{row.seconds or 0:.1f}"]


def model_files(folder: Path) -> set[str]:
    """The files that were saved with a model, as its folder says; what else is there somebody put there."""
    path = folder / "deepen.json"
    try:
        files = read_object(path).get("files") if path.is_file() else None
    except DataError:
        return set()
    return set(files) if isinstance(files, dict) else set()


def keep_strangers(folder: Path, beside: Path) -> None:
    """Carries what a person put into a model folder over to its successor; a name in both gets `.old` behind it."""
    ours = model_files(folder) | set(MODEL_NOTES)
    for path in sorted(folder.rglob("*")) if folder.is_dir() else []:
        name = path.relative_to(folder)
        if path.is_file() and name.as_posix() not in ours:
            target = beside / name
            target = target.with_name(f"{target.name}.old") if target.exists() else target
            target.parent.mkdir(parents=True, exist_ok=True)
            _link(str(path), str(target))


def _link(source: str, target: str) -> str:
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)
    return target


def open_run(path: str | Path) -> Run:
    """An existing run."""
    folder = path_of(path, kind=DataError)
    if not (folder / "ladder.json").is_file():
        why = "it does not exist" if not folder.exists() else "it has no ladder.json"
        raise DataError(f"{path} is not a run folder: {why}; `deepen train` makes one")
    return Run(folder)
