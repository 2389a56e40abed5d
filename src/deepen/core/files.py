"""Files that are whole or not there: written beside and renamed, hashed, cached."""

from __future__ import annotations

import errno
import glob
import hashlib
import json
import os
import re
import shutil
import socket
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from deepen.core.errors import DataError, DeepenError, SettingError
from deepen.core.foreign import cause
from deepen.core.places import check_file

_CHUNK_BYTES = 1 << 20
_LARGEST_JSON = 1 << 30  # bytes of a file that is read whole
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_CAUSES = {
    errno.ENOSPC: "the disk is full",
    errno.EDQUOT: "your share of the disk is full",
    errno.EFBIG: "the system does not allow files of that size",
    errno.EACCES: "no permission to write there",
    errno.EPERM: "no permission to write there",
    errno.EROFS: "the file system is read-only",
    errno.ENOTDIR: "a part of that path is a file, not a folder",
    errno.EEXIST: "a part of that path is a file, not a folder",
}


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Gives a path beside `path` to write a file or folder to, and renames it on success; else nothing is left."""
    owner = f"{socket.gethostname()}-{os.getpid()}"
    beside = path.with_name(f".{path.name}.{owner}.part")
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        remove_leftovers(path.parent, path.name)
        try:
            yield beside
            if beside.is_dir() and path.is_dir():
                old = path.with_name(f".{path.name}.{owner}.old")
                path.rename(old)
                beside.rename(path)
                _remove(old)
            else:
                beside.replace(path)
        finally:
            _remove(beside)


def remove_leftovers(folder: Path, name: str = "*") -> None:
    """Removes what killed processes of this machine were writing with `replacing` (all, or of one name)."""
    pattern = name if name == "*" else glob.escape(name)
    for path in [*folder.glob(f".{pattern}.*.part"), *folder.glob(f".{pattern}.*.old")]:
        stem, _, end = path.name.rpartition(".")
        host, _, pid = stem.rpartition("-")
        place = host.removesuffix(f".{socket.gethostname()}")
        if place != host and pid.isdecimal() and not _is_running(int(pid)):
            if end == "old" and not os.path.lexists(path.with_name(place[1:])):
                path.rename(path.with_name(place[1:]))  # it was killed between taking the old away and the new there
            else:
                _remove(path)


def _is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        pass
    return True


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with suppress(OSError):
            path.unlink(missing_ok=True)


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turns a failed write inside it into a SettingError that says why."""
    from safetensors import SafetensorError

    try:
        yield
    except OSError as error:
        raise explain(error, path) from error
    except SafetensorError as error:  # it hides the number in its text: "... (os error 28)"
        number = re.search(r"os error (\d+)", str(error))
        if number is None:
            raise
        raise explain(OSError(int(number.group(1)), os.strerror(int(number.group(1)))), path) from error


def explain(error: OSError, path: Path) -> SettingError:
    """A failed write in words a person can act on."""
    return SettingError(f"can't write {path}: {_CAUSES.get(error.errno or 0, error.strerror or str(error))}")


def write_text(path: Path, text: str) -> None:
    """Writes UTF-8 text, whole or not at all; a half character becomes its number, which JSON and YAML read back."""
    with replacing(path) as beside:
        beside.write_text(text, encoding="utf-8", errors="backslashreplace")


def write_json(path: Path, value: Any, *, indent: int | None = 2) -> None:
    """Writes JSON, whole or not at all; text stays readable in any script."""
    write_text(path, json.dumps(value, ensure_ascii=False, indent=indent, default=plain) + "\n")


def write_jsonl(path: Path, rows: Iterable[dict[str, Any]]) -> None:
    """Writes one JSON object a line, streamed, whole or not at all."""
    with replacing(path) as beside, beside.open("w", encoding="utf-8", errors="backslashreplace") as out:
        for row in rows:
            out.write(json.dumps(row, ensure_ascii=False, default=plain) + "\n")


def read_json(path: Path, *, kind: type[DeepenError] = DataError) -> Any:
    """Reads JSON; an error of that kind where it is none."""
    check_file(path, most_bytes=_LARGEST_JSON, kind=kind)
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise kind(f"{path} is not readable JSON: {cause(error)}", file=str(path)) from None


def read_object(path: Path, *, kind: type[DeepenError] = DataError) -> dict[str, Any]:
    """Reads a JSON object."""
    value = read_json(path, kind=kind)
    if not isinstance(value, dict):
        raise kind(f"{path} is damaged: it holds no JSON object", file=str(path))
    return value


def read_jsonl(path: Path) -> Iterator[dict[str, Any]]:
    """Reads one JSON object a line, streamed."""
    check_file(path, most_bytes=1 << 40, kind=DataError)
    try:
        with path.open(encoding="utf-8") as lines:
            for number, line in enumerate(lines, 1):
                try:
                    value = json.loads(line)
                except (ValueError, RecursionError) as error:
                    raise DataError(f"{path} line {number}: not JSON: {cause(error)}") from None
                if not isinstance(value, dict):
                    raise DataError(f"{path} line {number}: no JSON object")
                yield value
    except OSError as error:
        raise DataError(f"can't read {path}: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is damaged: {error}") from None


def plain(value: Any) -> Any:
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
    # names of files may hold bytes that are not UTF-8
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()[:16]


def cache_dir() -> Path:
    """Where tables, tokens and hidden states are kept between runs: `$DEEPEN_CACHE`, else `~/.cache/deepen`."""
    chosen = os.environ.get("DEEPEN_CACHE")
    return Path(chosen) if chosen else Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "deepen"


def open_to_others(folder: Path) -> None:
    """Gives every file of a folder the mode that a new file has; safetensors writes for its owner alone."""
    mask = os.umask(0)
    os.umask(mask)
    for path in folder.rglob("*"):
        if path.is_file():
            path.chmod(0o666 & ~mask)
