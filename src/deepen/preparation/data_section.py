"""The part of a recipe that says where rows are and how they are read. Nothing here loads torch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import Field, field_validator

from deepen.core.settings import parse
from deepen.data.near import NearSettings
from deepen.data.settings import DataSettings


class DataSection(DataSettings):
    """Where the rows are and how they are read."""

    path: str | None = None
    """The training rows: a file, a folder or a hub name."""
    validation: str | None = None
    """The validation set; None holds some of the training rows out."""
    test: str | None = None
    """Rows that are scored once, at the end."""
    columns: dict[str, str] | None = None
    """Which columns are what, as in `{text: title+description, label: stars}`; None finds them and says why."""
    labels: str | None = None
    """A file with names for numeric labels."""
    validation_share: float = Field(default=0.1, gt=0, le=0.5)
    """The share of the training rows that is held out when there are no validation rows."""
    validation_at_least: int = Field(default=200, ge=1)
    """Hold out at least so many rows if the data allows; fewer can't tell one rung from the next."""
    cross_validate_below: int = Field(default=0, ge=0)
    """With fewer training rows, and no validation rows, cross-validation decides in their place and the chosen rung is
    trained on all rows; 0 holds rows out. What it gains is what `--refit` gains too (docs/decisions/0040)."""
    folds: int = Field(default=2, ge=2, le=10)
    """Folds of that cross-validation. Every fold costs a training of each rung."""
    near: NearSettings = NearSettings()
    """What counts as nearly the same: such rows are never held out from one another."""
    drop: str | None = None
    """A file of ids (CSV with a column `id`, or JSON lines): these training rows are left out. The split stays."""
    fix: str | None = None
    """A file of ids and labels (columns `id` and `label`): these training rows get that label. The split stays."""
    add: str | None = None
    """A file of more training rows, with the columns of the training data or those the task needs. The split stays."""
    unlabelled: str | None = None
    """A file of rows without a label: the best rung labels them, and rungs learn again from those it is sure of."""
    label_rows: bool = True
    """Whether what a label is called, or described as, is a training row of it too, where each has up to eight."""
    check: bool = True
    """Whether the quick checks of `deepen check` run first and stop at errors; off only for data that looks odd."""

    @field_validator("columns", mode="before", json_schema_input_type=dict[str, str | int] | None)
    @classmethod
    def _as_text(cls, value: Any) -> Any:
        return {str(k): str(v) for k, v in value.items()} if isinstance(value, Mapping) else value

    @field_validator("columns")
    @classmethod
    def _each_once(cls, value: dict[str, str] | None) -> dict[str, str] | None:
        owners: dict[str, str] = {}
        for name, parts in (value or {}).items():
            for part in map(str.strip, parts.split("+")):
                if part in owners:
                    raise ValueError(f"column '{part}' is named twice, for {owners[part]} and for {name}")
                owners[part] = name
        return value


def asked_columns(columns: Any) -> dict[str, str] | None:
    """Checks what a person says about columns.

    Args:
        columns: A mapping such as `{"text": "title+description"}`; None says nothing.

    Raises:
        SettingError: If it is something else, or names a column twice.
    """
    return parse(DataSection, {"columns": columns}, where="columns").columns
