"""What can go wrong with stdout itself: nobody reads it, there is no room for it, it can't hold a letter."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TextIO


class _Kept:
    """Where the one JSON object goes while all else that is printed goes to stderr."""

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream
        self.used = False


_kept: list[_Kept] = []


def prepare() -> None:
    """Makes printing safe: a letter that the encoding lacks becomes its number, and a closed stream takes all."""
    sys.stdout = sys.stdout or _nowhere()  # None if the caller closed it
    sys.stderr = sys.stderr or _nowhere()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _nowhere() -> TextIO:
    return open(os.devnull, "w", encoding="utf-8")


def takes_any_letter() -> bool:
    """Whether stdout is UTF-8, so that JSON may show text in any script as it is."""
    return (getattr(out(), "encoding", None) or "utf-8").lower().replace("-", "").startswith("utf8")


def out() -> TextIO:
    """Where results are printed: stdout, or what `for_a_record` keeps of it."""
    return _kept[-1].stream if _kept else sys.stdout


def print_record(text: str) -> None:
    """Prints an object and remembers that it was."""
    if _kept:
        _kept[-1].used = True
    print(text, file=out(), flush=True)


def wants_record() -> bool:
    """Whether stdout is kept for an object that was not printed yet."""
    return bool(_kept) and not _kept[-1].used


@contextmanager
def for_a_record(wanted: bool) -> Iterator[None]:
    """If `wanted`, keeps stdout for `out` alone: whatever else prints there, a library in C too, goes to stderr."""
    if not wanted:
        yield
        return
    stdout, number = sys.stdout, None
    with suppress(OSError, ValueError, AttributeError):  # a stream in memory has no file
        number = os.dup(stdout.fileno())
        os.dup2(sys.stderr.fileno(), stdout.fileno())
    own = stdout
    if number is not None:
        own = open(number, "w", encoding=stdout.encoding, errors="backslashreplace")  # noqa: SIM115 - closed below
    _kept.append(_Kept(own))
    sys.stdout = sys.stderr
    try:
        yield
    finally:
        _kept.pop()
        sys.stdout = stdout
        if number is not None:
            with suppress(OSError, ValueError):
                own.flush()
            os.dup2(number, stdout.fileno())
            with suppress(OSError, ValueError):
                own.close()


def silence(stream: TextIO) -> None:
    """Sends what a stream still holds, and all that follows, nowhere: else the interpreter complains when it ends."""
    with suppress(OSError, ValueError):  # a stream in memory has no file
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)
