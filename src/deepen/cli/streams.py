"""What can go wrong with stdout itself: nobody reads it, there is no room for it, it can't hold a letter."""

from __future__ import annotations

import io
import os
import sys
from contextlib import suppress
from typing import TextIO


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
    return (getattr(sys.stdout, "encoding", None) or "utf-8").lower().replace("-", "").startswith("utf8")


def silence(stream: TextIO) -> None:
    """Sends what a stream still holds, and all that follows, nowhere: else the interpreter complains when it ends.

    Args:
        stream: One that can't be written to any more.
    """
    with suppress(OSError, ValueError):  # a stream in memory has no file
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)
