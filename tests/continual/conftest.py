"""A small run of a solved head, and rows that came later, one label of which is new."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest
from tests.conftest import PlantedRows, write_csv

import deepen

QUICK = ["data.validation_at_least=80", "data.near.threshold=1"]


@pytest.fixture(scope="session")
def world(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory, planted_rows: PlantedRows) -> dict[str, Any]:
    """`run`, a frozen run of 240 rows, and `new`, 120 rows of two labels that it knows and one that it does not."""
    folder = tmp_path_factory.mktemp("continual")
    old = write_csv(folder / "old.csv", planted_rows(240))
    run = deepen.train(old, out=folder / "mood", model=tiny_model, settings=QUICK, rungs=["frozen"])
    new = planted_rows(120, num_classes=3, seed=5)
    random.Random(0).shuffle(new)
    return {"run": run.folder, "rows": old, "new": new, "file": write_csv(folder / "new.csv", new), "folder": folder}
