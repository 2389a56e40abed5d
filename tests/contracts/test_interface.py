"""Commands, options and settings are those of the list, and each of them has a decision."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import pytest

from deepen.core.errors import SettingError
from deepen.preparation.recipe import make_recipe

ROOT = Path(__file__).parents[2]


def script() -> Any:
    spec = importlib.util.spec_from_file_location("interface", ROOT / "scripts" / "interface.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_nothing_of_it_changes_without_a_decision() -> None:
    made = script()
    now, listed = made.interface(), made.listed()
    new, gone = sorted(set(now) - set(listed)), sorted(set(listed) - set(now))
    assert not new + gone, (
        "the interface changed: write a decision in docs/decisions/ (0026 says why), then run "
        f"`python scripts/interface.py NNNN` with its number. New: {new}. Gone: {gone}."
    )
    assert now == list(listed)


def test_every_line_names_a_decision_that_is_there() -> None:
    made = script()
    there = {path.name[:4] for path in (ROOT / "docs" / "decisions").glob("*.md")}
    assert set(made.listed().values()) <= there


def test_a_change_would_be_seen() -> None:
    lines = script().interface()
    for line in (
        "deepen train --out: Path",
        "deepen predict --json: bool",
        'recipe.data.bad_rows: auto|error|drop = "auto"',
        "recipe.rungs.top_layers.num_epochs",
    ):
        assert any(found.startswith(line) for found in lines), line


@pytest.mark.parametrize(
    ("name", "off", "on"), [("easy_share", 1.0, 0.5), ("hard_rows", 1, 4), ("easy_from", 0.7, None)]
)
def test_a_recipe_that_names_what_is_gone(name: str, off: float, on: float | None) -> None:
    recipe = make_recipe({"data": {"path": "x.csv"}, "rungs": {"full": {name: off, "num_epochs": 2}}})
    assert recipe.model_dump()["rungs"]["full"]["num_epochs"] == 2
    assert name not in recipe.model_dump()["rungs"]["full"]
    if on is not None:
        with pytest.raises(SettingError, match=f"rungs.full.{name}' is gone, since it did not pay: leave it out"):
            make_recipe({"rungs": {"full": {name: on}}})
