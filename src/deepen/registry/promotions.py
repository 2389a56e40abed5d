"""Which version stands behind a word such as `production`, and every change of it with its date and its author.

Each change is a small file of its own, `NAME/PROMOTED/production/000004-ID.json`, written at once and never changed;
the last one holds. So nobody sees half of a promotion, and two at the same time both stay in the history.
"""

from __future__ import annotations

import re
import uuid
from typing import Literal

from pydantic import BaseModel, ConfigDict

from deepen.core.errors import DataError, SettingError, nearest
from deepen.core.settings import parse
from deepen.registry.place import Place
from deepen.registry.versions import Version, check_name, names, now, read_record, version

PRODUCTION = "production"
_FOLDER = "PROMOTED"  # no name of a run or of a stage has capitals
_FILE = re.compile(r"(\d{6})-[0-9a-f]{32}\.json")


class Change(BaseModel):
    """A promotion, or the way back to the version that stood there before; `at` is in UTC."""

    model_config = ConfigDict(frozen=True)

    action: Literal["promote", "rollback"]
    version: int
    by: str
    at: str
    why: str = ""


def stages(place: Place, name: str) -> list[str]:
    """The words of a name that a version stands behind."""
    check_name(name)
    return place.names(f"{name}/{_FOLDER}")


def history(place: Place, name: str, stage: str) -> list[Change]:
    """Every change of a stage, the first one first.

    Raises:
        DataError: If one of them is damaged.
    """
    return [_read(place, name, stage, file) for file in _changes(place, name, stage)]


def current(place: Place, name: str, stage: str) -> int | None:
    """The version that stands behind a word; None if none does. A server asks this every few seconds."""
    files = _changes(place, name, stage)
    return _read(place, name, stage, files[-1]).version if files else None


def find(place: Place, reference: str) -> Version:
    """The version that `mine@3` or `mine@production` names.

    Raises:
        DataError: If there is none.
        SettingError: If it is no such name.
    """
    name, at, which = reference.partition("@")
    if not at or not which:
        raise SettingError(f"'{reference}' names no version: write NAME@3 or NAME@{PRODUCTION}")
    if which.isdecimal():
        return version(place, name, int(which[:9]))
    check_name(which)
    number = current(place, name, which)
    if number is not None:
        return version(place, name, number)
    there = stages(place, name)
    if not there and name not in (known := names(place)):
        raise DataError(f"registry {place.url} has no run '{name}'; {nearest(name, known) if known else 'it is empty'}")
    cure = nearest(which, there) if there else f"`deepen registry promote {name}@1 --to {which}` puts one there"
    raise DataError(f"registry {place.url}: no version of {name} is '{which}'; {cure}")


def promote(
    place: Place, wanted: Version, *, to: str = PRODUCTION, by: str, why: str = "", despite_gate: bool = False
) -> Change:
    """Puts a version behind a word, from now on.

    Raises:
        SettingError: If the version did not pass its gate, and `despite_gate` does not say that it may go all the same.
    """
    check_name(to)
    if to.isdecimal():
        raise SettingError(f"--to {to}: a number names a version; write a word such as {PRODUCTION}")
    if wanted.gate is not None and not wanted.gate.passed and not despite_gate:
        said = f" ({wanted.gate.why})" if wanted.gate.why else ""
        raise SettingError(f"{wanted.name}@{wanted.version} did not pass its gate{said}; --despite-gate promotes it")
    return _write(place, wanted, to, Change(action="promote", version=wanted.version, by=by, at=now(), why=why))


def rollback(place: Place, name: str, *, to: str = PRODUCTION, by: str, why: str = "") -> Change:
    """Goes back to the version that stood behind a word before the present one; twice goes two back.

    Raises:
        DataError: If there was none, or it is gone.
    """
    stood: list[int] = []
    for change in history(place, name, to):
        if change.action == "rollback":
            while stood and stood[-1] != change.version:
                stood.pop()
        if not stood or stood[-1] != change.version:
            stood.append(change.version)
    if len(stood) < 2:
        raise DataError(f"registry {place.url}: there is no earlier {name}@{to} to go back to")
    before = version(place, name, stood[-2])
    return _write(place, before, to, Change(action="rollback", version=before.version, by=by, at=now(), why=why))


def _changes(place: Place, name: str, stage: str) -> list[str]:
    check_name(name)
    check_name(stage)
    return [file for file in place.names(f"{name}/{_FOLDER}/{stage}") if _FILE.fullmatch(file)]


def _read(place: Place, name: str, stage: str, file: str) -> Change:
    path = f"{name}/{_FOLDER}/{stage}/{file}"
    where = f"registry {place.url}: {path} is damaged"
    return parse(Change, read_record(place.read(path) or b"", where), where=where)


def _write(place: Place, wanted: Version, stage: str, change: Change) -> Change:
    files = _changes(place, wanted.name, stage)
    number = int(files[-1][:6]) + 1 if files else 1
    path = f"{wanted.name}/{_FOLDER}/{stage}/{number:06d}-{uuid.uuid4().hex}.json"
    place.write(path, change.model_dump_json(indent=1).encode())
    return change
