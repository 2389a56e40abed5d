"""Packed files, which may unpack to far more than they hold: a few bytes can be packed so that they fill any disk."""

from __future__ import annotations

import gzip
import zlib
from contextlib import suppress
from functools import cache
from pathlib import Path

from deepen.core.cells import printable
from deepen.core.errors import DataError

_MOST_TIMES = 100  # gzip packs text three to ten times, a table of few different rows some fifty
_UNPACKED_ANYWAY = 64 << 20
_SCANNED = 8 << 20
_DENSEST = 1_100  # bytes that one byte of gzip can stand for, at most


def unpacked(path: Path) -> gzip.GzipFile:
    """Opens a gzip file; an error, perhaps only while it is read, if it unpacks to more than text may."""
    size = path.stat().st_size
    with path.open("rb") as stream:
        stream.seek(max(0, size - 4))
        told = int.from_bytes(stream.read(4), "little")
    if told <= _DENSEST * size:  # else the file is damaged, which is told when it is read
        check_unpacked(path, size, told)
    if size <= _SCANNED:
        _scan(path, size, path.stat().st_mtime_ns)
    return _Unpacked(path, size)


def check_unpacked(
    path: Path, packed: int, unpacked: int, remedy: str = "unpack it and give the unpacked file"
) -> None:
    """Refuses what unpacks to far more bytes than text does; `remedy` says what to do if the file is right."""
    if unpacked > max(_UNPACKED_ANYWAY, _MOST_TIMES * packed):
        name = printable(str(path))
        raise DataError(
            f"{name} has {packed:,} bytes and unpacks to more than {_MOST_TIMES} times as many ({unpacked:,}), as no "
            f"text does; if it is right, {remedy}",
            file=name,
        )


@cache
def _scan(path: Path, size: int, changed: int) -> None:
    """Unpacks a small file once, up to where it is too much; what else is wrong with it is told when it is read."""
    with suppress(OSError, EOFError, zlib.error), _Unpacked(path, size) as stream:
        while stream.read(1 << 20):
            pass


class _Unpacked(gzip.GzipFile):
    """The bytes of a gzip file, as many as text may have."""

    def __init__(self, path: Path, size: int) -> None:
        super().__init__(path, "rb")
        self._path, self._size = path, size

    def read(self, size: int | None = -1) -> bytes:
        found = super().read(size)
        check_unpacked(self._path, self._size, self.tell())
        return found
