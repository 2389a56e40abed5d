"""A small run whose data is a file, so that its rows can be read again."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from tests.worlds import WORLDS

import deepen


@pytest.fixture(scope="session")
def small_run(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A classification run of the rung `full`, on 240 rows."""
    folder = tmp_path_factory.mktemp("compression")
    rows = WORLDS["classification"](240)
    with (folder / "rows.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    quick = ["rungs.full.num_epochs=2", "data.validation_at_least=80", "data.near.threshold=1"]
    how = {"model": tiny_model, "settings": quick, "rungs": ["full"]}
    return deepen.train(folder / "rows.csv", out=folder / "run", **how).folder
