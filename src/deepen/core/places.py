"""Paths that a person names: `~` is the home folder, and what the system can't look at is said in one line."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

from deepen.core.errors import DeepenError, SettingError, one_line

_LONGEST = 3_000  # bytes of a path; systems stop at some 4,000, and the names of a run's files come behind it
_SPECIAL = {
    stat.S_ISFIFO: "a named pipe",
    stat.S_ISSOCK: "a socket",
    stat.S_ISCHR: "a device",
    stat.S_ISBLK: "a device",
}


def path_of(path: str | os.PathLike[str], *, called: str = "", kind: type[DeepenError] = SettingError) -> Path:
    """A path as the system knows it, whether something is there or not; errors name it as `called`."""
    text = os.fspath(path)
    name = " ".join(filter(None, (called, one_line(text, 100))))
    if not text or "\0" in text:
        raise kind(f"{called or 'a path'} is empty or holds a NUL byte: name a file or a folder")
    try:
        found = Path(os.path.expanduser(text))
        if len(os.fsencode(found)) > _LONGEST:
            raise kind(f"{name}: the name is too long for the system", file=one_line(text))
        is_folder = stat.S_ISDIR(found.stat().st_mode)
    except (FileNotFoundError, NotADirectoryError):
        return found
    except (OSError, ValueError) as error:
        if isinstance(error, OSError) and error.errno == errno.ELOOP:
            return found  # a link to itself
        raise kind(f"{name}: {_why(error)}", file=one_line(text)) from None
    if is_folder and not os.access(found, os.X_OK):
        raise kind(f"{name}: no permission to look into that folder", file=text)
    return found


def _why(error: OSError | ValueError) -> str:
    if isinstance(error, PermissionError):
        return "no permission to read it"
    return (error.strerror if isinstance(error, OSError) else None) or one_line(str(error))


def without_home(word: str) -> str:
    """A word with the path in it as seen from the working folder or from `~`, so that it names no person."""
    start = 0 if os.path.isabs(word) else word.find("=") + 1
    path = word[start:]
    try:
        here, home = Path.cwd(), Path.home()
    except (OSError, RuntimeError):
        return word
    if not os.path.isabs(path):
        return word
    for folder, called in ((here, Path()), (home, Path("~"))):
        if len(folder.parts) > 1 and Path(path).is_relative_to(folder):
            return f"{word[:start]}{called / Path(path).relative_to(folder)}"
    return word


def what_is(path: Path) -> str:
    """What stands where a file is wanted, as the end of a sentence; nothing if it is a file."""
    try:
        mode = path.stat().st_mode
    except (OSError, ValueError):
        return "is a symbolic link that leads nowhere" if path.is_symlink() else "does not exist"
    if stat.S_ISREG(mode):
        return ""
    if stat.S_ISDIR(mode):
        return "is a folder, not a file"
    special = next((name for test, name in _SPECIAL.items() if test(mode)), "no file")
    return f"is {special}, not a file; write its content to a file first"


def check_file(path: Path, *, most_bytes: int, called: str = "", kind: type[DeepenError] = SettingError) -> None:
    """Whether a path is a file that may be read whole: one that ends, and is not larger than such a file can be."""
    name = " ".join(filter(None, (called, one_line(str(path), 200))))
    wrong = what_is(path)
    if wrong:
        raise kind(f"{name} {wrong}", file=str(path))
    size = path.stat().st_size
    if size > most_bytes:
        raise kind(f"{name} has {size:,} bytes; more than {most_bytes:,} are not read", file=str(path))
    if not os.access(path, os.R_OK):
        raise kind(f"{name}: no permission to read it", file=str(path))
