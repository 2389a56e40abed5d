"""Versions of runs in a registry: pushed whole, listed, and pulled byte for byte.

A registry holds, for each name, `NAME/3/` for version 3: its files under their sha256, and `manifest.json`, which is
written last, so that a version whose upload was interrupted is not there, and never again.
"""

from __future__ import annotations

import json
import random
import re
import time
import uuid
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from deepen.core.errors import DataError, SettingError, nearest, one_line
from deepen.core.files import read_object, replacing, sha256_file
from deepen.core.places import path_of
from deepen.core.run import open_run
from deepen.core.settings import parse, shown
from deepen.evaluation.promises import FOLDER
from deepen.registry.place import Place

Say = Callable[[str], None]
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}")
_MANIFEST = "manifest.json"
_CLAIM = "claim-"
_TRIES = 50


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True)


class File(_Record):
    """A file of a version."""

    sha256: str = Field(pattern="^[0-9a-f]{64}$")
    bytes: int


class Gate(_Record):
    """What decided whether a version may be promoted."""

    passed: bool
    why: str = ""


class Version(_Record):
    """A version of a run: what it is, how good, where it came from; its files by their path in the run folder.

    Attributes:
        validation, test: Scores of the chosen rung, as ladder.json has them.
        lineage: What environment.json says it was made of: data with fingerprints, base model, seed, command, commit.
        promises: What the run promises (`RUN/bounds/`), by name.
        gate: None where nothing was gated.
        pushed_at: UTC.
    """

    name: str
    version: int
    task: str
    model: str | None
    rung: str
    validation: tuple[dict[str, Any], ...] = ()
    test: tuple[dict[str, Any], ...] = ()
    lineage: dict[str, Any] = {}
    promises: dict[str, Any] = {}
    gate: Gate | None = None
    note: str = ""
    pushed_by: str
    pushed_at: str
    files: dict[str, File]

    @property
    def bytes(self) -> int:
        """Of all files of the run folder."""
        return sum(file.bytes for file in self.files.values())


def push(
    place: Place,
    run: str | Path,
    *,
    name: str,
    by: str,
    gate: Mapping[str, Any] | None = None,
    note: str = "",
    say: Say = lambda line: None,
) -> Version:
    """Makes a finished run the next version of a name.

    Args:
        name: Lower-case letters, digits, `.`, `_` and `-`.
        gate: `passed` and `why`; a version that did not pass can't be promoted.

    Raises:
        DataError: If there is no such run, it is unfinished, or it changes while it is read.
        SettingError: If the name is none, or the registry can't be written.
    """
    check_name(name)
    decided = parse(Gate, gate, where="the gate") if gate is not None else None
    folder = path_of(run, kind=DataError)
    about = _about(folder)
    files = {
        path: File(sha256=sha256_file(folder / path), bytes=(folder / path).stat().st_size) for path in _files(folder)
    }
    number = _claimed(place, name)
    say(f"{name}@{number}: {len(files):,} files")
    at = f"{name}/{number}"
    try:
        for digest, path in {file.sha256: path for path, file in files.items()}.items():
            if place.send(folder / path, f"{at}/{digest}") != digest:
                raise DataError(f"{folder / path} changes while it is pushed: wait until it is written")
        made = Version(
            name=name, version=number, gate=decided, note=note, pushed_by=by, pushed_at=now(), files=files, **about
        )
        place.write(f"{at}/{_MANIFEST}", made.model_dump_json(indent=1).encode())
    except BaseException:
        for file in files.values():  # the claim stays: a number is never given out again
            place.remove(f"{at}/{file.sha256}")
        raise
    return made


def _about(folder: Path) -> dict[str, Any]:
    """What ladder.json, environment.json and the promises say of a run that is finished and has its model."""
    run = open_run(folder)
    if not run.complete or not (folder / "model" / "deepen.json").is_file():
        raise DataError(f"{folder} is not finished: `deepen train --out {folder} --resume` goes on with it")
    ladder, path = run.ladder, folder / "environment.json"
    lineage = read_object(path) if path.is_file() else {}
    score = ladder.chosen_row.score
    return {
        "task": ladder.task,
        "model": ladder.model,
        "rung": run.chosen,
        "validation": (dict(score),) if score else (),
        "test": tuple(map(dict, ladder.test)),
        "lineage": {key: lineage.get(key) for key in ("data", "model", "seed", "command", "git_commit", "parent")},
        "promises": {path.stem: read_object(path) for path in sorted((folder / FOLDER).glob("*.json"))},
    }


def _files(folder: Path) -> list[str]:
    """All files of a run, without what a process is about to put in place."""
    paths = (path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    return sorted(path.as_posix() for path in paths if not any(part.startswith(".") for part in path.parts))


def _claimed(place: Place, name: str) -> int:
    """The next number, for this process alone.

    Whoever wants one writes a claim and then looks: of two at the same time at least one sees the other and gives way.
    """
    for _ in range(_TRIES):
        number = max(_numbers(place, name), default=0) + 1
        mine = f"{_CLAIM}{uuid.uuid4().hex}"
        place.write(f"{name}/{number}/{mine}", b"")
        if place.names(f"{name}/{number}") == [mine]:
            return number
        place.remove(f"{name}/{number}/{mine}")
        time.sleep(random.uniform(0, 0.2))  # which number, never what is in it, depends on it
    raise SettingError(f"registry {place.url}: many others push to {name} at this moment; try again")


def _numbers(place: Place, name: str) -> list[int]:
    """The numbers of a name that are taken, also by versions that never came to be."""
    return sorted(int(found) for found in place.names(name) if found.isdecimal() and len(found) < 10)


def names(place: Place) -> list[str]:
    """The names that have a version."""
    return [name for name in place.names() if _NAME.fullmatch(name) and versions(place, name)]


def versions(place: Place, name: str) -> list[Version]:
    """The versions of a name, the first one first; none if there is no such name.

    Raises:
        DataError: If a manifest is damaged.
    """
    check_name(name)
    found = (_read(place, name, number) for number in _numbers(place, name))
    return [version for version in found if version is not None]


def version(place: Place, name: str, number: int) -> Version:
    """A version.

    Raises:
        DataError: If it is not there, or its manifest is damaged.
    """
    check_name(name)
    found = _read(place, name, number)
    if found is not None:
        return found
    there = [f"{name}@{one.version}" for one in versions(place, name)]
    if not there:
        known = names(place)
        what = (
            nearest(name, known) if known else "nothing is in it: `deepen registry push RUN` puts the first run there"
        )
        raise DataError(f"registry {place.url} has no run '{name}'; {what}")
    why = "its upload did not come to its end" if number in _numbers(place, name) else "it never was"
    raise DataError(f"registry {place.url} has no {name}@{number}: {why}; there are {', '.join(there[-10:])}")


def _read(place: Place, name: str, number: int) -> Version | None:
    path = f"{name}/{number}/{_MANIFEST}"
    content = place.read(path)
    if content is None:
        return None
    where = f"registry {place.url}: {path} is damaged"
    made = parse(Version, read_record(content, where), where=where)
    if (made.name, made.version) != (name, number) or not all(map(_is_inside, made.files)):
        raise DataError(f"{where}: it is about another version, or names files outside a run folder")
    return made


def read_record(content: bytes, where: str) -> dict[str, Any]:
    """A JSON object.

    Raises:
        DataError: If it is none; `where` is the beginning of the message.
    """
    try:
        value = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise DataError(f"{where}: {one_line(str(error))}") from None
    if not isinstance(value, dict):
        raise DataError(f"{where}: it is no JSON object")
    return value


def _is_inside(path: str) -> bool:
    parts = PurePosixPath(path).parts
    return bool(parts) and parts[0] != "/" and ".." not in parts and "\\" not in path and "\0" not in path


def pull(place: Place, wanted: Version, out: Path) -> Path:
    """Writes a version as a run folder, whole or not at all: every file is what was pushed.

    Raises:
        DataError: If a file is missing or damaged.
        SettingError: If something lies in that place.
    """
    if out.exists() or out.is_symlink():
        raise SettingError(f"{out} is there already: name a folder that is not")
    with replacing(out) as beside:
        for path, file in wanted.files.items():
            target = beside / path
            target.parent.mkdir(parents=True, exist_ok=True)
            came = place.fetch(f"{wanted.name}/{wanted.version}/{file.sha256}", target)
            if came != file.sha256:
                what = "is missing" if came is None else "is damaged (its sha256 is another)"
                again = f"push the run again, or pull another version than {wanted.name}@{wanted.version}"
                raise DataError(f"registry {place.url}: {path} of {wanted.name}@{wanted.version} {what}; {again}")
    return out


def check_name(name: str) -> None:
    """Whether a name can be one.

    Raises:
        SettingError: If not.
    """
    if not _NAME.fullmatch(name):
        raise SettingError(f"the name {shown(name)}: use up to 63 lower-case letters, digits, '.', '_' and '-'")


def now() -> str:
    """UTC, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")
