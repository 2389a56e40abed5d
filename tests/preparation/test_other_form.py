"""A rung that reads rows in another form than the one below it is not judged by what that one gained."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.worlds import WORLDS

from deepen import train
from deepen.preparation.catalog import shelf

QUICK = [
    "data.validation_at_least=30",
    "data.check=false",
    *(f"rungs.{rung}.num_epochs=1" for rung in ("top_layers", "full")),
]


def rows_of(task: str, model: Path, out: Path, *words: str, budget: str | None = None) -> dict[str, dict[str, Any]]:
    """The ladder of a climb for which no gain is ever enough."""
    given: dict[str, Any] = {"task": task, "model": model, "out": out, "worth": 1000.0, "settings": [*QUICK, *words]}
    run = train(WORLDS[task](200), budget=budget, **given)
    return {row["rung"]: row for row in run.ladder["rungs"]}


def test_two_texts_together_are_tried_whatever_they_gained_apart(tiny_model: Path, tmp_path: Path) -> None:
    rows = rows_of("matching", tiny_model, tmp_path / "run")
    assert rows["full"]["status"] == "done"
    said = rows["top_layers"]["reason"]
    assert "over frozen" in said
    assert "says nothing of full, which reads both texts together" in said


@pytest.mark.parametrize(
    ("task", "words"), [("matching", ["tasks.matching.together=false"]), ("classification", []), ("relation", [])]
)
def test_rungs_that_read_alike_are_judged_by_the_gain(
    task: str, words: list[str], tiny_model: Path, tmp_path: Path
) -> None:
    rows = rows_of(task, tiny_model, tmp_path / "run", *words)
    assert rows["top_layers"]["reason"] == ""
    assert rows["full"]["status"] == "skipped"
    assert "less than the 1000 that make full worth its price" in rows["full"]["reason"]


def test_the_budget_still_ends_the_climb(tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    long = replace(shelf()["full"], forecast=lambda work, settings: 1e6)
    monkeypatch.setitem(shelf(), "full", long)
    rows = rows_of("matching", tiny_model, tmp_path / "run", budget="10m")
    assert rows["full"]["status"] == "skipped"
    assert rows["full"]["reason"].startswith("forecast 1000000 s")
