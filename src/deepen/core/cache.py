"""What Deepen keeps between runs: tables as read, their tokens, the states of untouched layers, measured speeds.

All of it can be made again, so it may be removed at any time. Entries that are used again count as new; when all of
them together are larger than the cap, the oldest go first.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from deepen.core.errors import SettingError
from deepen.core.files import cache_dir
from deepen.core.shared import KIND, is_orphan

KINDS = {
    "tables": "rows as they were read",
    "tokens": "rows cut into subword tokens",
    "hidden": "states of layers that are not trained",
    "analogies": "training rows as models see them",
    "models": "models converted to safetensors",
    KIND: "weights that runs have in common",
    "speed": "what this machine's forecasts are made of",
}
CAP = "DEEPEN_CACHE_GB"
_CAP_GB = 10.0
_IN_USE_SECONDS = 3600


@dataclass(frozen=True)
class Entry:
    """A file or folder of the cache. `used` is when it was last written or read, in seconds since 1970."""

    path: Path
    kind: str
    num_bytes: int
    used: float


def entries() -> list[Entry]:
    """All that is in the cache, the longest unused first."""
    found = [_entry(path, kind) for kind in KINDS for path in _inside(cache_dir() / kind)]
    return sorted(found, key=lambda entry: (entry.used, entry.path))


def cap_bytes() -> int:
    """How large the cache may grow: `$DEEPEN_CACHE_GB` gigabytes, else ten.

    Raises:
        SettingError: If the variable holds no number.
    """
    text = os.environ.get(CAP) or str(_CAP_GB)
    try:
        value = float(text)
        return int(max(0.0, value) * 1e9)
    except (ValueError, OverflowError):
        raise SettingError(f"{CAP}={text}: it must be a number of gigabytes, as in {CAP}=10") from None


def trim(say: Callable[[str], None] = lambda line: None) -> None:
    """Removes the longest unused entries until the rest is within the cap; what was used within the hour stays.

    Shared weights that no run has any more go first, whatever the cap.

    Raises:
        SettingError: If `$DEEPEN_CACHE_GB` holds no number.
    """
    cap = cap_bytes()
    for path in _inside(cache_dir() / KIND):
        if is_orphan(path):
            with suppress(OSError):
                path.unlink()
    there = entries()
    num_bytes, gone, freed = sum(entry.num_bytes for entry in there), 0, 0
    for entry in there:
        if num_bytes - freed <= cap or time.time() - entry.used < _IN_USE_SECONDS:
            break
        remove(entry)
        gone, freed = gone + 1, freed + entry.num_bytes
    if gone:
        entries_gone = f"{gone:,} old {'entry' if gone == 1 else 'entries'}"
        say(f"cache: {entries_gone} removed, {freed / 1e6:,.0f} MB, to stay within {cap / 1e9:g} GB ({CAP})")


def remove(entry: Entry) -> None:
    """Takes an entry out; a process that has its files open goes on with them."""
    with suppress(OSError):
        shutil.rmtree(entry.path) if entry.path.is_dir() else entry.path.unlink()


def _inside(folder: Path) -> Iterator[Path]:
    with suppress(OSError):
        yield from folder.iterdir()


def _entry(path: Path, kind: str) -> Entry:
    num_bytes, used = 0, 0.0
    for file in (path, *path.rglob("*")):
        with suppress(OSError):
            about = file.lstat()
            own = about.st_size if kind != KIND or about.st_nlink == 1 else 0  # else it is a run's
            num_bytes, used = num_bytes + own, max(used, about.st_mtime)
    return Entry(path, kind, num_bytes, used)
