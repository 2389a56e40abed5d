"""The ladder of a run, as ladder.json holds it: one row a rung, the chosen one, the scores."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from deepen.core.errors import DataError, SettingError
from deepen.core.files import read_object
from deepen.core.settings import parse


class _Record(BaseModel):
    model_config = ConfigDict(strict=True)


class _Score(_Record):
    name: str
    value: float
    n: int
    low: float | None = None
    high: float | None = None
    label: str | None = None


class _Gain(_Record):
    value: float
    low: float
    high: float


class _Row(_Record):
    rung: str
    status: str
    reason: str = ""
    score: _Score | None = None
    gain: _Gain | None = None
    seconds: float | None = None
    forecast_seconds: float | None = None
    num_trained_parameters: int | None = None
    seconds_per_1000_predictions: float | None = None
    temperature: float | None = None
    validation: list[_Score] = []
    ran: dict[str, Any] | None = None
    network: str | None = None


class _Data(_Record):
    name: str | None = None
    train: int | None = None
    validation: int | None = None
    test: int | None = None
    columns: dict[str, Any] | None = None
    notes: list[str] | None = None
    warnings: list[str] | None = None


class _Ladder(_Record):
    """What is read of ladder.json, here and by the report; there may be more in it."""

    task: str
    rungs: list[_Row]
    model: str | None = None
    chosen: str | None = None
    chosen_reason: str = ""
    cheapest_not_worse: str | None = None
    seconds: float = 0
    before: _Score | None = None
    test: list[_Score] = []
    labels: list[str] = []
    data: _Data | None = None
    stop_reason: str = ""
    complete: bool = False


def read_ladder(path: Path) -> dict[str, Any]:
    """Reads ladder.json.

    Returns:
        What it holds.

    Raises:
        DataError: If it is missing or damaged.
    """
    found = read_object(path)
    try:
        parse(_Ladder, found, where=f"{path} is damaged")
    except SettingError as error:
        raise DataError(str(error)) from None
    return found
