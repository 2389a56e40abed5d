"""Where a registry lies: a folder, S3, or another file system, through the few calls that all of them have.

No record is there in part: it is written under another name and moved when it is whole, and none is written twice. So
nothing here needs a lock, or a store that compares before it writes.
"""

from __future__ import annotations

import hashlib
import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from deepen.core.errors import DataError, SettingError, one_line
from deepen.core.foreign import blaming
from deepen.core.places import path_of

_CHUNK_BYTES = 1 << 20
_LARGEST_RECORD = 64 << 20  # bytes of a manifest; one of 100,000 files has some 15 million
_PART = ".part"
_OF_OBJECTS = ("s3", "gcs", "abfs")
_KEYS = "keys come from the environment (AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY) or the file that AWS_PROFILE names"


@dataclass(frozen=True)
class Place:
    """A folder of a file system; `url` is how a person named it. Paths in it have `/` between their parts."""

    url: str
    system: Any
    root: str

    def names(self, folder: str = "") -> list[str]:
        """What lies in a folder, without what is still being written; nothing if there is no such folder."""
        import pyarrow.fs

        with self.reached():
            try:
                found = self.system.get_file_info(pyarrow.fs.FileSelector(self._path(folder), allow_not_found=True))
            except NotADirectoryError:  # somebody's file beside the names
                return []
            names = (item.base_name for item in found)
            return sorted(name for name in names if name and not name.endswith(_PART))

    def read(self, path: str) -> bytes | None:
        """A small file; None if it is not there."""
        with self.reached():
            try:
                with self.system.open_input_stream(self._path(path)) as source:
                    content = source.read(_LARGEST_RECORD + 1)
            except FileNotFoundError:
                return None
        if len(content) > _LARGEST_RECORD:
            raise DataError(f"{self.url}: {path} is damaged: no record is longer than {_LARGEST_RECORD:,} bytes")
        return bytes(content)

    def write(self, path: str, content: bytes) -> None:
        """Writes a small file, whole or not at all."""
        beside = f"{path}.{uuid.uuid4().hex}{_PART}"
        try:
            with self.reached():
                with self._opened(beside) as out:
                    out.write(content)
                self.system.move(self._path(beside), self._path(path))
        except BaseException:
            self.remove(beside)
            raise

    def send(self, source: Path, path: str) -> str:
        """Copies a file to here; returns the sha256 of what was sent, in hex. What is cut short is there in part."""
        digest = hashlib.sha256()
        with source.open("rb") as content, self.reached(), self._opened(path) as out:
            while chunk := content.read(_CHUNK_BYTES):
                digest.update(chunk)
                out.write(chunk)
        return digest.hexdigest()

    def fetch(self, path: str, target: Path) -> str | None:
        """Copies a file from here; returns the sha256 of what came, in hex, or None if it is not there."""
        digest = hashlib.sha256()
        with self.reached():
            try:
                source = self.system.open_input_stream(self._path(path))
            except FileNotFoundError:
                return None
        with source, target.open("wb") as out:  # what can't be written here is not the registry's fault
            while chunk := self._next(source):
                digest.update(chunk)
                out.write(chunk)
        return digest.hexdigest()

    def remove(self, path: str) -> None:
        """Removes a file, if that can be done."""
        with suppress(Exception):
            self.system.delete_file(self._path(path))

    def _opened(self, path: str) -> Any:
        """A stream to write a file to; a store of objects has no folders to make first."""
        target = self._path(path)
        if self.system.type_name not in _OF_OBJECTS:
            self.system.create_dir(target.rpartition("/")[0], recursive=True)
        return self.system.open_output_stream(target)

    def _path(self, path: str) -> str:
        return f"{self.root}/{path}" if path else self.root

    def _next(self, source: Any) -> bytes:
        with self.reached():
            return bytes(source.read(_CHUNK_BYTES))

    @contextmanager
    def reached(self) -> Iterator[None]:
        """Turns whatever a file system raises inside it into a SettingError that names the registry."""
        with blaming(f"registry {self.url}", "can't be reached", kind=SettingError):
            yield


def open_place(url: str | os.PathLike[str]) -> Place:
    """Opens a registry; nothing need be in it yet.

    Args:
        url: A folder, `s3://bucket/folder` (`?endpoint_override=HOST:PORT&scheme=http` names another server than
            Amazon's), what else pyarrow opens (`gs://`, `abfss://`, `hdfs://`), or what fsspec opens.

    Raises:
        SettingError: If there is no such kind of store, its package is missing, it can't be reached, there is no such
            bucket, or the URL holds a password.
    """
    import pyarrow as pa
    import pyarrow.fs

    text = os.fspath(url)
    if "://" not in text:
        return Place(text, pyarrow.fs.LocalFileSystem(), str(path_of(text, called="registry").absolute()))
    parts = urlsplit(text)
    if parts.password is not None or (parts.scheme == "s3" and parts.username is not None):
        hidden = f"{parts.scheme}://...@{parts.netloc.rpartition('@')[2]}"
        raise SettingError(
            f"registry {hidden}: the URL holds a key, which others can read in lists of processes; {_KEYS}"
        )
    shown = one_line(text.partition("?")[0], 200)
    with blaming(f"registry {shown}", "can't be opened", kind=SettingError):
        try:
            system, root = pyarrow.fs.FileSystem.from_uri(text)
        except pa.ArrowInvalid as error:
            if "Unrecognized filesystem" not in str(error):
                raise
            system, root = _by_fsspec(text)
    place = Place(shown, system, root.rstrip("/"))
    if parts.scheme == "s3":
        bucket = root.partition("/")[0]
        with place.reached():
            there = system.get_file_info(bucket).type != pyarrow.fs.FileType.NotFound
        if not there:
            raise SettingError(f"registry {shown}: there is no bucket '{bucket}': make it first")
    return place


def _by_fsspec(url: str) -> tuple[Any, str]:
    import pyarrow.fs

    try:
        from fsspec.core import url_to_fs
    except ImportError:
        raise SettingError(f"registry {url}: only fsspec could open it: pip install 'deepen[serve]'") from None
    system, root = url_to_fs(url)
    return pyarrow.fs.PyFileSystem(pyarrow.fs.FSSpecHandler(system)), str(root)
