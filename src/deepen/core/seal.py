"""What a cache holds is served only if it is what was put there: lengths and checksums of files are sealed with it."""

from __future__ import annotations

import json
import os
import zlib
from contextlib import suppress
from pathlib import Path

from deepen.core.files import write_json

SEAL = "seal.json"
_CHUNK_BYTES = 4 << 20
_seen: set[tuple[object, ...]] = set()


def seal(folder: Path) -> None:
    """Writes down what the files of a finished entry are, in which nothing may change any more.

    CRC-32 is several times as fast as a cryptographic hash and never misses a single changed byte; it guards against
    accidents, not against a person who may write to the cache.
    """
    write_json(folder / SEAL, {path.name: list(_sum(path)) for path in _files(folder)})


def sealed(folder: Path) -> bool:
    """Whether every file of a folder is what its seal says; an untouched file is read once a process."""
    try:
        told = json.loads((folder / SEAL).read_text(encoding="utf-8"))
        paths = _files(folder)
        if not isinstance(told, dict) or [path.name for path in paths] != sorted(told):
            return False
        marks = [(str(path), *_stamp(path), *told[path.name]) for path in paths]
        for path, mark in zip(paths, marks, strict=True):
            if mark not in _seen and list(_sum(path)) != told[path.name]:
                return False
    except (OSError, ValueError, TypeError):
        return False
    _seen.update(marks)
    with suppress(OSError):
        os.utime(folder / SEAL)  # it is in use: the cache keeps it longer
    return True


def _files(folder: Path) -> list[Path]:
    """All but the seal, and what `replacing` is about to put in its place."""
    return [path for path in sorted(folder.iterdir()) if path.name != SEAL and not path.name.startswith(".")]


def _stamp(path: Path) -> tuple[int, ...]:
    found = path.stat()
    return found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns


def _sum(path: Path) -> tuple[int, int]:
    size = crc = 0
    with path.open("rb") as source:
        while chunk := source.read(_CHUNK_BYTES):
            size, crc = size + len(chunk), zlib.crc32(chunk, crc)
    return size, crc
