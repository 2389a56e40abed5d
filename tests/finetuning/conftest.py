"""A climb's work on planted rows with the tiny model, in a cache of its own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from deepen.problem.work import Work

MakeWork = Callable[..., Work]


@pytest.fixture
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache that starts empty."""
    folder = tmp_path / "own-cache"
    monkeypatch.setenv("DEEPEN_CACHE", str(folder))
    return folder


@pytest.fixture
def make_work(tiny_model: Path, planted_rows: Callable[..., Any], tmp_path: Path) -> MakeWork:
    """`make_work(num_rows=120, num_classes=2, seed=0, **model settings)`: the work of a climb on planted rows."""
    from deepen.preparation.prepare import prepare
    from deepen.preparation.read import Sources
    from deepen.preparation.recipe import make_recipe

    def make(num_rows: int = 120, *, num_classes: int = 2, seed: int = 0, **model: Any) -> Work:
        values = {
            "seed": seed,
            "data": {"validation_at_least": 40},
            "model": {"name": str(tiny_model)} | model,
        }
        rows = planted_rows(num_rows, num_classes=num_classes)
        return prepare(make_recipe(values), Sources(rows), tmp_path / "run", say=lambda line: None).work

    return make
