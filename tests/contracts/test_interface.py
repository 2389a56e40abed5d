"""Commands, options and settings are those of the list, and each of them has a decision."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

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
