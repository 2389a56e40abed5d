"""How a command ends that can't do its work: one line on stderr, an exit code, and with --json one object."""

from __future__ import annotations

import errno
import os
import shlex
import sys
import traceback
from pathlib import Path
from typing import Any, NamedTuple

from deepen.core.errors import DeepenError, Interrupted, SettingError, one_line

_LONGEST = 2_000
_OF_THE_SYSTEM = (
    *(errno.EACCES, errno.EPERM, errno.ENAMETOOLONG, errno.ELOOP, errno.EROFS, errno.EIO, errno.ESTALE),
    *(errno.EMFILE, errno.ENFILE, errno.ENOMEM),
)
"""What no program can foresee; that a file is not there it can, so that is a bug where it is not said."""


class Ending(NamedTuple):
    """The exit code, the line for stderr, and the record for stdout."""

    code: int
    line: str
    record: dict[str, Any]


def ending(error: BaseException, words: list[str]) -> Ending:
    """The exit code, line and record of an error: 2 if a person can put it right, 130 interrupted, 1 a bug."""
    if isinstance(error, OSError):
        error = _of_the_system(error)
    elif isinstance(error, MemoryError):
        error = SettingError(
            "there is not enough memory for this; give it fewer rows, shorter texts or a smaller model"
        )
    if isinstance(error, DeepenError):
        kind, said = type(error).__name__, one_line(str(error), _LONGEST)
        file = error.file if error.file is not None else _named(said, words)
        return Ending(2, f"{kind}: {said}", _record(kind, said, file, error.line, error.column))
    if isinstance(error, KeyboardInterrupt):
        again = f"; `deepen train --out {shlex.quote(str(error))} --resume` goes on from here"
        said = f"interrupted{again if isinstance(error, Interrupted) else ''}"
        return Ending(130, said, _record("Interrupted", said))
    if isinstance(error, SystemExit):
        return Ending(error.code if isinstance(error.code, int) else 1, "", _record("Exit", one_line(str(error.code))))
    said = _bug(error)
    return Ending(1, f"bug: {said}", _record("Bug", said))


def _record(
    kind: str, message: str, file: str | None = None, line: int | None = None, column: int | None = None
) -> dict[str, Any]:
    return {"error": {"kind": kind, "message": message, "file": file, "line": line, "column": column}}


def _of_the_system(error: OSError) -> BaseException:
    """Files say by themselves that a disk is full; what else has no room is stdout."""
    from deepen.core.files import FULL, explain

    if error.errno in FULL:
        return explain(error, Path(error.filename or "stdout"))
    if error.errno not in _OF_THE_SYSTEM:
        return error
    name = os.fsdecode(error.filename) if isinstance(error.filename, str | bytes) else None
    return SettingError(f"{one_line(name or 'the system', 200)}: {error.strerror}", file=name)


def _named(message: str, words: list[str]) -> str | None:
    """The file that a message begins with, if the command named it or a folder above it."""
    start = message.removeprefix("can't read ").removeprefix("recipe ")
    for word in sorted((one_line(word.rpartition("=")[2]) for word in words), key=len, reverse=True):
        if len(word) > 1 and start.startswith(word):
            rest = start[len(word) :]
            more = rest.split(":")[0].split(" ")[0].rstrip(",;") if rest.startswith("/") else ""
            if more or rest[:1] in ("", " ", ":", ","):
                return word + more
    return None


def _bug(error: BaseException) -> str:
    """What went wrong and where, for a report; the whole way there only for those who ask."""
    if os.environ.get("DEEPEN_DEBUG", "") not in ("", "0"):
        traceback.print_exception(error, file=sys.stderr)
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if "deepen" in Path(frame.filename).parts] or frames
    where = f" at {'/'.join(Path(ours[-1].filename).parts[-2:])}:{ours[-1].lineno}" if ours else ""
    said = one_line(f"{type(error).__name__}: {error}", 300)
    return f"{said}{where}; this is Deepen's fault: please report it with what DEEPEN_DEBUG=1 prints before this line"
