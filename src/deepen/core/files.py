"""Files that are whole or not there: written beside and renamed, hashed, cached."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from deepen.core.errors import DataError, SettingError

_CHUNK_BYTES = 1 << 20


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Gives a path beside `path` to write to and renames it over `path` on success; on failure nothing is left behind.

    Args:
        path: Where the finished file or folder is to be.

    Yields:
        The temporary path; write a file or make a folder there.

    Raises:
        SettingError: If the disk is full or the place can't be written to.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        yield beside
        if beside.is_dir() and path.is_dir():
            old = path.with_name(f".{path.name}.{os.getpid()}.old")
            path.rename(old)
            beside.rename(path)
            shutil.rmtree(old, ignore_errors=True)
        else:
            beside.replace(path)
    except OSError as error:
        raise explain(error, path) from error
    finally:
        if beside.is_dir():
            shutil.rmtree(beside, ignore_errors=True)
        else:
            beside.unlink(missing_ok=True)


def explain(error: OSError, path: Path) -> SettingError:
    """A failed write in words a person can act on.

    Args:
        error: What the system said.
        path: What was being written.

    Returns:
        The error to raise.
    """
    causes = {28: "the disk is full", 13: "no permission to write there", 30: "the file system is read-only"}
    return SettingError(f"can't write {path}: {causes.get(error.errno or 0, error.strerror or str(error))}")


def write_text(path: Path, text: str) -> None:
    """Writes UTF-8 text, whole or not at all."""
    with replacing(path) as beside:
        beside.write_text(text, encoding="utf-8")


def write_json(path: Path, value: Any, *, indent: int | None = 2) -> None:
    """Writes JSON, whole or not at all; text stays readable in any script."""
    write_text(path, json.dumps(value, ensure_ascii=False, indent=indent, default=_plain) + "\n")


def write_jsonl(path: Path, rows: Iterable[dict[str, Any]]) -> None:
    """Writes one JSON object a line, streamed, whole or not at all."""
    with replacing(path) as beside, beside.open("w", encoding="utf-8") as out:
        for row in rows:
            out.write(json.dumps(row, ensure_ascii=False, default=_plain) + "\n")


def read_json(path: Path) -> Any:
    """Reads JSON.

    Raises:
        DataError: If the file is missing or is not JSON.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise DataError(f"{path} does not exist") from None
    except (OSError, ValueError) as error:
        raise DataError(f"{path} is not readable JSON: {error}") from None


def read_jsonl(path: Path) -> Iterator[dict[str, Any]]:
    """Reads one JSON object a line, streamed.

    Raises:
        DataError: If the file is missing or a line is not JSON.
    """
    try:
        with path.open(encoding="utf-8") as lines:
            for number, line in enumerate(lines, 1):
                try:
                    yield json.loads(line)
                except ValueError as error:
                    raise DataError(f"{path} line {number}: not JSON: {error}") from None
    except OSError as error:
        raise DataError(f"can't read {path}: {error.strerror}") from None


def _plain(value: Any) -> Any:
    """numpy numbers and paths as JSON values."""
    if hasattr(value, "tolist"):
        return value.tolist()
    if isinstance(value, Path):
        return str(value)
    raise TypeError(f"{type(value).__name__} is not a JSON value")


def sha256_file(path: Path) -> str:
    """The sha256 of a file's bytes, in hex, read in chunks."""
    digest = hashlib.sha256()
    with path.open("rb") as source:
        while chunk := source.read(_CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()


def fingerprint(*parts: Any) -> str:
    """A short key (16 hex digits) for a cache entry, from anything JSON can hold."""
    text = json.dumps(parts, sort_keys=True, ensure_ascii=False, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def cache_dir() -> Path:
    """Where tables, tokens and hidden states are kept between runs: `$DEEPEN_CACHE`, else `~/.cache/deepen`."""
    chosen = os.environ.get("DEEPEN_CACHE")
    base = Path(chosen) if chosen else Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "deepen"
    return base
