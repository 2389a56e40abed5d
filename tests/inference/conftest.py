"""Small runs of two rungs: made once, to be read and left as they are."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.conftest import PlantedRows, write_csv
from tests.exporting.conftest import KINDS

import deepen

Run = Callable[..., Path]


@pytest.fixture(scope="session")
def run_of(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """`run_of(kind)`: a run of the tiny world with the rungs lexical and frozen."""
    made: dict[str, Path] = {}

    def run(kind: str) -> Path:
        if kind not in made:
            task, rows = KINDS[kind]
            how: dict[str, Any] = {"task": task, "model": tiny_model, "settings": ["data.validation_at_least=40"]}
            out = tmp_path_factory.mktemp("runs") / kind
            made[kind] = deepen.train(rows(160), rungs=["lexical", "frozen"], out=out, **how).folder
        return made[kind]

    return run


@pytest.fixture(scope="session")
def planted(tiny_model: Path, planted_rows: PlantedRows, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """`planted(num_classes, validation)`: a run on planted rows, lexical and frozen, with so many rows held out."""
    made: dict[Any, Path] = {}

    def run(num_classes: int = 2, validation: int = 60) -> Path:
        key = (num_classes, validation)
        if key not in made:
            folder = tmp_path_factory.mktemp("planted")
            train = write_csv(folder / "train.csv", planted_rows(300, num_classes=num_classes))
            held = write_csv(folder / "validation.csv", planted_rows(validation, num_classes=num_classes, seed=1))
            how: dict[str, Any] = {"model": tiny_model, "rungs": ["lexical", "frozen"], "out": folder / "run"}
            made[key] = deepen.train(train, validation=held, **how).folder
        return made[key]

    return run
