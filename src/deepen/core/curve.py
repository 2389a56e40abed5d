"""The curves of a run: metrics.jsonl, a line each time a rung that learns was scored. Training writes, reports read."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict

from deepen.core.errors import DataError, SettingError
from deepen.core.files import read_jsonl
from deepen.core.settings import parse

METRICS = "metrics.jsonl"


class CurvePoint(BaseModel):
    """A score on the validation rows while a rung learned.

    `step` counts optimizer updates, `seconds` are those of the rung's training so far. `loss` is the mean training loss
    since the point before, in nats a unit or what the task's loss is measured in; runs of 0.1.0 have none.
    """

    model_config = ConfigDict(frozen=True)

    rung: str
    step: int
    name: str
    value: float
    loss: float | None = None
    seconds: float | None = None


def read_curves(run: Path) -> dict[str, list[CurvePoint]]:
    """The points of each rung that learned, in the order of the file; empty if the run has no such file.

    Raises:
        DataError: If a line of the file is damaged.
    """
    curves: dict[str, list[CurvePoint]] = {}
    path = run / METRICS
    try:
        for line in read_jsonl(path) if path.is_file() else ():
            point = parse(CurvePoint, line, where=f"{path} is damaged")
            curves.setdefault(point.rung, []).append(point)
    except SettingError as error:
        raise DataError(str(error)) from None
    return curves
