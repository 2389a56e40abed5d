"""What a model folder says of its model: where it is in a run, which labels it knows, how they were written."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from deepen.core.errors import DataError, DeepenError, ModelError, SettingError, nearest
from deepen.core.places import path_of
from deepen.core.settings import shown
from deepen.core.types import Outputs
from deepen.data.columns import TARGET, Columns
from deepen.data.label_names import LabelNames
from deepen.data.normalise import normalise_label
from deepen.data.settings import DataSettings
from deepen.models.runtimes.form import FILE
from deepen.preparation.manifest import About
from deepen.problem.task import Task


def model_folder(path: Path, rung: Any) -> Path:
    """Where the model of a run, or of one of its rungs, lies; raises if it has none."""
    if rung is not None and not isinstance(rung, str):
        raise SettingError(f"rung is {shown(rung)}: it must be text")
    if rung is not None:
        there = [found.parents[1].name for found in path.glob("rungs/*/model/deepen.json")]
        if rung in there:
            return path / "rungs" / rung / "model"
        if there:
            raise ModelError(f"{path} has no rung '{rung}'; {nearest(rung, there)}")
        if (path / "deepen.json").is_file():
            raise ModelError(f"{path} is a model by itself, without rungs: leave --rung out")
        if (path / "model" / "deepen.json").is_file():
            raise ModelError(
                f"{path} has no rung '{rung}': its folder rungs/ is gone; leave --rung out for the chosen one"
            )
    for folder in (path, path / "model"):
        if (folder / "deepen.json").is_file():
            return folder
    if (path / FILE).is_file():
        raise ModelError(f"{path} is not what `deepen export` writes: there is no deepen.json beside {FILE}")
    why = "there is no such folder" if not path.exists() else "it has no finished rung"
    raise DataError(f"{path} is not a run: {why}; `deepen train` makes one")


def check_outputs(folder: Path, outputs: Outputs, width: int, num_labels: int) -> None:
    """Whether a model answers in the terms of its folder, which may have been put together from several."""
    if outputs.width != width:
        raise ModelError(
            f"{folder}: the model gives {outputs.width} numbers for an answer, and deepen.json names "
            f"{num_labels} labels"
        )
    if not outputs.is_finite:
        raise ModelError(f"{folder}: the model gives values that are no numbers: its weights are damaged")


def needs_device(path: Path, rung: str | None) -> bool:
    """Whether a run's model holds a network, so that it matters where it is put; also if it can't be told."""
    try:
        folder = model_folder(path_of(path, kind=DataError), rung)
        return any(folder.rglob("config.json"))
    except (DeepenError, OSError):
        return True


def uneven(about: About, task: Task, data: DataSettings) -> LabelNames | None:
    """Names for labels that are evened out today and were not when the model was made: they keep theirs."""
    even = {label: normalise_label(label, data.normalise, {}) for label in about.labels}
    if not task.fixed or all(label == name for label, name in even.items()):
        return None
    return LabelNames("the labels of the run", mapping=tuple((name, label) for label, name in even.items()))


def with_labels(columns: Columns, task: Task, labels: tuple[str, ...]) -> Columns:
    """Columns that know every label, for runs of 0.1.0, and for files that begin with rows of few labels."""
    target = next((need for need in task.needs if need.name == TARGET), None)
    if target is None or target.kind not in ("category", "labels") or len(labels) > 1000 or not task.fixed:
        return columns
    return replace(columns, values=tuple(dict.fromkeys((*columns.values, *labels))))


def tuples(value: dict[str, Any]) -> dict[str, Any]:
    """JSON has lists where the record had tuples."""
    pairs, told = (
        tuple((str(one), str(two)) for one, two in value.get(key, ())) for key in ("mapping", "descriptions")
    )
    return {"source": value["source"], "names": tuple(value["names"]), "mapping": pairs, "descriptions": told}
