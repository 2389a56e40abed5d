"""What the scored rows of a run are told apart by beside their text and their answer: slices.json, and no more in it.

The end of a climb writes it, the report reads it.
"""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict

from deepen.core.errors import DataError, SettingError
from deepen.core.files import read_object, write_json
from deepen.core.settings import parse

SLICES = "slices.json"


class Slicing(BaseModel):
    """How often training rows have a label, and cells of columns that were not learned from.

    A column has a cell for each line of the chosen rung's `predictions-test.jsonl`, or `-validation` without test rows:
    a number, a short text, or None where the row has none.
    """

    model_config = ConfigDict(frozen=True)

    training_rows: dict[str, int] = {}
    columns: dict[str, list[float | str | None]] = {}


def write_slicing(run: Path, slicing: Slicing) -> None:
    """Replaces slices.json."""
    write_json(run / SLICES, slicing.model_dump(), indent=None)


def read_slicing(run: Path) -> Slicing:
    """Reads slices.json; runs of 0.1.0 have none, and nothing in it.

    Raises:
        DataError: If the file is damaged.
    """
    path = run / SLICES
    if not path.is_file():
        return Slicing()
    try:
        return parse(Slicing, read_object(path), where=f"{path} is damaged")
    except SettingError as error:
        raise DataError(str(error)) from None
