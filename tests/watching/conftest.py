"""A run of the tiny world to watch, and what it is asked."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.conftest import PlantedRows, write_csv

import deepen

Run = Callable[[], Path]


@pytest.fixture(scope="session")
def made(tiny_model: Path, planted_rows: PlantedRows, same: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three labels, 300 held-out rows, no cue; the lexical rung below a frozen one; what failures cost is known."""
    folder = tmp_path_factory.mktemp("watched")
    train = write_csv(folder / "train.csv", planted_rows(300, num_classes=3, shortcut=0.0))
    held = write_csv(folder / "held.csv", planted_rows(300, num_classes=3, shortcut=0.0, seed=1))
    how = {"model": str(tiny_model), "rungs": ["lexical", "frozen"], "out": folder / "run"}
    deepen.train(str(train), validation=str(held), say=lambda line: None, **how)  # type: ignore[arg-type]
    deepen.watch(folder / "run", same, say=lambda line: None)
    return folder / "run"


@pytest.fixture
def run(made: Path, tmp_path: Path) -> Path:
    """The run, in a folder of its own; what it learns about itself is in the cache."""
    return Path(shutil.copytree(made, tmp_path / "run"))


@pytest.fixture(scope="session")
def same(planted_rows: PlantedRows, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """250 rows that are drawn as the held-out ones were."""
    rows = planted_rows(250, num_classes=3, shortcut=0.0, seed=2)
    return write_csv(tmp_path_factory.mktemp("same") / "same.csv", rows)


@pytest.fixture(scope="session")
def other(planted_rows: PlantedRows, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """250 rows, half of them with damaged words."""
    rows = planted_rows(250, num_classes=3, shortcut=0.0, seed=3)
    broken = [{**row, "text": row["text"][::-1]} if at % 2 else row for at, row in enumerate(rows)]
    return write_csv(tmp_path_factory.mktemp("other") / "other.csv", broken)
