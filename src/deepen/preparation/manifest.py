"""deepen.json: what Deepen needs to use a model folder again, and what the files in it were when it was saved."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

from deepen.core.errors import DeepenError, ModelError
from deepen.core.files import read_object, sha256_file, write_json
from deepen.core.settings import parse
from deepen.data.columns import columns_to_json
from deepen.data.settings import DataSettings
from deepen.models.runtimes.form import Runtime

if TYPE_CHECKING:
    from deepen.preparation.prepare import Prepared
    from deepen.problem.work import Work


def write_about(folder: Path, *, work: Work, prepared: Prepared, rung: str, data: dict[str, Any]) -> dict[str, str]:
    """Writes deepen.json into a model folder: all that is needed to use it again.

    Args:
        prepared: Which columns of the data were what, and the names of its label codes.
        data: The reading settings that also hold for new data.

    Returns:
        The sha256 of each file beside it, by name.
    """
    files = {name: sha256_file(folder / name) for name in _files(folder)}
    about = {
        "task": work.problem.task.name,
        "rung": rung,
        "task_settings": work.problem.task.settings.model_dump(mode="json") if work.problem.task.settings else None,
        "labels": list(work.problem.labels),
        "columns": columns_to_json(prepared.rows.columns),
        "label_names": vars(prepared.rows.names) if prepared.rows.names else None,
        "data": data,
        "max_tokens": work.base.max_tokens,
        "base_model": work.base.model.name,
        "deepen": version("deepen"),
        "files": files,
    }
    write_json(folder / "deepen.json", about)
    return files


class About(BaseModel):
    """What deepen.json says of a model folder; there may be more in it."""

    task: str
    rung: str
    labels: tuple[str, ...]
    columns: dict[str, Any]
    data: DataSettings
    task_settings: dict[str, Any] | None = None
    label_names: dict[str, Any] | None = None
    files: dict[str, str] = {}
    runtime: Runtime | None = None
    """How it runs, of what `deepen export` wrote."""


def read_about(folder: Path) -> About:
    """Reads deepen.json and checks that the files beside it are those that were saved.

    Raises:
        ModelError: If it or another file is damaged.
    """
    path = folder / "deepen.json"
    try:
        about = parse(About, read_object(path), where=f"{path} is damaged")
    except DeepenError as error:
        raise ModelError(str(error)) from None
    for name, digest in about.files.items():
        file = folder / name
        if not file.is_file():
            raise ModelError(f"{file} is missing: it was there when the model was saved")
        if sha256_file(file) != digest:
            raise ModelError(f"{file} is damaged: it is not what was saved (its sha256 is not that in deepen.json)")
    return about


def _files(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
