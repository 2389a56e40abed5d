"""Whether a run learned from the very file that it is to be scored on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from deepen.core.files import read_object, sha256_file


def learned_from(run: Path | None, data: str) -> bool:
    """By the sha256 of the files that environment.json names; false without it, or where the data is no single file."""
    path, told = Path(data).expanduser(), run / "environment.json" if run is not None else None
    if told is None or not told.is_file() or not path.is_file():
        return False
    parts = _inside(read_object(told), "data")
    sums = [digest for part in ("train", "add") for digest in _inside(_inside(parts, part), "files").values()]
    return bool(sums) and sha256_file(path) in sums


def _inside(found: dict[str, Any], name: str) -> dict[str, Any]:
    value = found.get(name)
    return value if isinstance(value, dict) else {}
