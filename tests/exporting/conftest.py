"""Small runs of every kind, with an encoder's rung, and their exports: made once, to be read and left as they are."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.worlds import WORLDS

import deepen

Run = Callable[..., Path]
Exported = Callable[..., Path]


def _scores(num_rows: int) -> list[dict[str, Any]]:
    rows = WORLDS["classification"](num_rows)
    return [{**row, "label": {"good": 0.5, "bad": -1.0}[row["label"]] + at % 5 / 10} for at, row in enumerate(rows)]


KINDS = {**{name: (name, make) for name, make in WORLDS.items()}, "score": ("classification", _scores)}


@pytest.fixture(scope="session")
def run_of(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """`run_of("tagging", *settings, tuning=..., model=...)`: a run with the rungs frozen and full."""
    made: dict[Any, Path] = {}

    def run(kind: str, *settings: str, tuning: str | None = None, model: Path = tiny_model) -> Path:
        key = (kind, settings, tuning, model)
        if key not in made:
            task, rows = KINDS[kind]
            quick = ["rungs.full.num_epochs=2", "data.validation_at_least=40", *settings]
            how: dict[str, Any] = {"task": task, "model": model, "tuning": tuning, "settings": quick}
            out = tmp_path_factory.mktemp("runs") / kind
            made[key] = deepen.train(rows(160), rungs=["lexical", "frozen", "full"], out=out, **how).folder
        return made[key]

    return run


@pytest.fixture(scope="session")
def export_of(run_of: Run, tmp_path_factory: pytest.TempPathFactory) -> Exported:
    """`export_of("tagging", form)`: the rung `full` of `run_of(kind)`, exported."""
    made: dict[Any, Path] = {}

    def export(kind: str, form: str = "onnx") -> Path:
        if (kind, form) not in made:
            made[kind, form] = tmp_path_factory.mktemp("exports") / kind
            deepen.export(run_of(kind), made[kind, form], form=form, rung="full")
        return made[kind, form]

    return export
