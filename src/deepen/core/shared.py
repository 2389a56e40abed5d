"""Weights that several runs have alike, as those of an encoder that was not trained, are on the disk once.

They are hard links to one file, which the cache knows by the sha256 of what it holds. A run that is copied, moved or
deleted takes nothing from another; where the file system has no links, every run has a file of its own. Shared files
are read-only: what is written into one would be in all.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from deepen.core.files import cache_dir, sha256_file

KIND = "shared"
_LEAST_BYTES = 1 << 20


def share(files: Mapping[Path, str]) -> None:
    """Makes large files one with those of other runs that hold the same.

    Args:
        files: Files of a run that are finished, with the sha256 of each.
    """
    for path, digest in files.items():
        with suppress(OSError):  # another file system, or one without links
            if path.stat().st_size >= _LEAST_BYTES:
                _share(path, cache_dir() / KIND / digest, digest)


def _share(path: Path, known: Path, digest: str) -> None:
    known.parent.mkdir(parents=True, exist_ok=True)
    if known.exists() and sha256_file(known) != digest:  # somebody wrote into it after all
        known.unlink()
    path.chmod(0o444)
    if not known.exists():
        os.link(path, known)
    elif not known.samefile(path):
        beside = path.with_name(f".{path.name}-{os.getpid()}.part")
        os.link(known, beside)
        os.replace(beside, path)


def is_orphan(path: Path) -> bool:
    """Whether no run has a file of the cache any more."""
    with suppress(OSError):
        return path.lstat().st_nlink == 1
    return False
