"""One process at a time in a run folder. The system frees the lock when the process ends, however it ends."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from deepen.core.errors import SettingError

fcntl: Any  # Windows has none: nothing is locked there
try:
    import fcntl
except ImportError:
    fcntl = None


@contextmanager
def holding(folder: Path) -> Iterator[Callable[[], None]]:
    """Keeps other processes from training in a folder (where there are locks); call what is given once it is made."""
    held: list[int] = []

    def take() -> None:
        if not held and folder.is_dir():
            held.extend(_locked(folder))

    take()
    try:
        yield take
    finally:
        for descriptor in held:
            os.close(descriptor)


def _locked(folder: Path) -> list[int]:
    """The open folder, locked; nothing where it can't be."""
    if fcntl is None:
        return []
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except OSError:
        return []
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise SettingError(f"another process is training in {folder}") from None
    except OSError:
        os.close(descriptor)
        return []
    return [descriptor]
