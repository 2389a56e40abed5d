"""What `precision=auto` came to is said, written down, and gone on with; a run that names none was in float32."""

from __future__ import annotations

from pathlib import Path

from tests.contracts.conftest import QUICK, Deepen

from deepen.core.recipe_file import read_recipe
from deepen.preparation.recipe import make_recipe
from deepen.preparation.resume import check_resumed


def test_auto_is_resolved(deepen: Deepen, two_class_csv: Path, tiny_model: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    words = ["--model", tiny_model, "--out", folder, "--rungs", "frozen,top_layers", *QUICK]
    said = deepen("train", two_class_csv, *words, "--set", "precision=auto").out
    values = read_recipe(folder / "recipe.yaml")
    assert values["precision"] in ("float32", "bfloat16")
    assert f"  precision: {values['precision']}" in said.splitlines()
    asked = make_recipe(values | {"precision": "auto"})
    assert check_resumed(folder, asked).precision == values["precision"]
    lines = (folder / "recipe.yaml").read_text(encoding="utf-8").splitlines(keepends=True)
    (folder / "recipe.yaml").write_text("".join(line for line in lines if not line.startswith("precision:")))
    assert check_resumed(folder, asked).precision == "float32"
