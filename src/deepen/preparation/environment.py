"""environment.json: on what, with what and from which data a run was made."""

from __future__ import annotations

import hashlib
import platform
import subprocess
import sys
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from deepen.core.errors import DataError
from deepen.core.files import sha256_file, write_json
from deepen.core.places import path_of, without_home
from deepen.data.readers.opening import find_files
from deepen.models.device import chosen_device, describe
from deepen.preparation.prepare import Prepared
from deepen.preparation.recipe import Recipe

_PACKAGES = ("deepen", "torch", "transformers", "tokenizers", "accelerate", "scikit-learn", "numpy", "pyarrow")
_MOST_FILES = 100


def write_environment(folder: Path, prepared: Prepared, recipe: Recipe) -> None:
    """Writes environment.json: versions, machine, command, seed, the data's fingerprints and files, git commit."""
    import torch

    work, given = prepared.work, recipe.data
    parts = {
        "train": (work.problem.train, given.path),
        "validation": (work.problem.validation, given.validation or given.path),
        "test": (prepared.rows.test, given.test),
    }
    data = {
        name: {
            "source": part.table.name,
            "fingerprint": part.table.fingerprint,
            "rows": len(part),
            "files": data_files(path),
        }
        for name, (part, path) in parts.items()
        if part is not None
    }
    if prepared.rows.fold_N is not None:
        data["validation"]["folds"] = given.folds  # training rows, each answered by a model that has not seen it
    others = {"drop": given.drop, "fix": given.fix, "add": given.add, "unlabelled": given.unlabelled}
    lists = {name: path for name, path in others.items() if path is not None}
    data |= {name: {"source": path, "files": data_files(path)} for name, path in lists.items()}
    write_json(
        folder / "environment.json",
        {
            "versions": {"python": platform.python_version()} | {name: _version(name) for name in _PACKAGES},
            "machine": {
                "system": platform.platform(),
                "processor": platform.processor() or platform.machine(),
                "threads": torch.get_num_threads(),
                "device": describe(chosen_device()),
                "accelerator": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
            },
            "command": [Path(sys.argv[0]).name, *map(without_home, sys.argv[1:])],
            "seed": recipe.seed,
            "data": data,
            "model": {"name": work.base.model.name, "fingerprint": work.base.model.fingerprint},
            "git_commit": _git_commit(),
        },
    )


@cache
def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def data_files(path: str | None) -> dict[str, str]:
    """The sha256 of each file of a data source by its name; of many files, one sha256 of the list of them.

    Args:
        path: A file, a folder or a hub name.

    Returns:
        Nothing if there are no files there: rows from Python, a hub name.
    """
    if path is None or not (found := path_of(path, kind=DataError)).exists():
        return {}
    sums = [(file.relative_to(found).as_posix(), sha256_file(file)) for file in find_files(found, path).files]
    if len(sums) <= _MOST_FILES:
        return {found.name if name == "." else name: digest for name, digest in sums}
    listing = "".join(f"{digest}  {name}\n" for name, digest in sorted(sums))
    return {f"sha256sum of {len(sums)} files": hashlib.sha256(listing.encode(errors="surrogateescape")).hexdigest()}


def _git_commit() -> str | None:
    """The commit of the Deepen that runs, if it runs from a checkout; marked if a file in it was changed."""
    checkout = Path(__file__).resolve().parents[3]
    if not (checkout / ".git").exists():
        return None
    words = ["git", "describe", "--always", "--abbrev=40", "--exclude=*", "--dirty"]
    try:
        out = subprocess.run(words, cwd=checkout, capture_output=True, text=True, timeout=5, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return out.stdout.strip() or None
