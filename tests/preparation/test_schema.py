"""The schema that recipes name in their first line takes every recipe there is, and no key that is misspelt."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from deepen.core.recipe_file import SCHEMA
from deepen.preparation.recipe import make_recipe, recipe_schema, write_recipe

ROOT = Path(__file__).parents[2]
RECIPES = sorted(path for folder in ("recipes", "examples") for path in (ROOT / folder).rglob("*.yaml"))


def check(recipe: Any, schema: str = "") -> None:
    jsonschema.validate(recipe, json.loads(schema or recipe_schema()))


def named(path: Path) -> Path:
    """The schema that a recipe's first line names."""
    mark, _, name = path.read_text(encoding="utf-8").splitlines()[0].partition("=")
    assert mark == "# yaml-language-server: $schema"
    return path.parent / name


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.name)
def test_a_recipe_that_comes_along(path: Path) -> None:
    schema = named(path).read_text(encoding="utf-8")
    assert schema == recipe_schema(), "a setting changed: python scripts/interface.py NNNN writes the schema anew"
    check(yaml.safe_load(path.read_text(encoding="utf-8")), schema)


def test_a_recipe_that_a_run_writes(tmp_path: Path) -> None:
    recipe = make_recipe({"task": "tagging", "ladder": {"rungs": "lexical,full", "budget": "5m"}, "device": "cpu"})
    write_recipe(tmp_path / "recipe.yaml", recipe)
    assert named(tmp_path / "recipe.yaml").name == SCHEMA
    written = yaml.safe_load((tmp_path / "recipe.yaml").read_text(encoding="utf-8"))
    check(written, (tmp_path / SCHEMA).read_text(encoding="utf-8"))
    assert make_recipe(written) == recipe


def test_what_people_write_short() -> None:
    check({"data": {"columns": {"text": 2}}, "ladder": {"rungs": "lexical,full", "budget": 90}})


@pytest.mark.parametrize("path", [(), ("data",), ("ladder",), ("rungs", "full"), ("tasks", "classification")])
def test_a_key_that_is_misspelt(path: tuple[str, ...]) -> None:
    recipe = make_recipe({"task": "classification"}).model_dump(mode="json")
    wrong = copy.deepcopy(recipe)
    at = wrong
    for name in path:
        at = at[name]
    at["sede"] = 1
    check(recipe)
    with pytest.raises(jsonschema.ValidationError, match="sede"):
        check(wrong)


@pytest.mark.parametrize(
    ("section", "value"), [("seed", -1), ("data", {"bad_rows": "maybe"}), ("ladder", {"worth": "x"})]
)
def test_a_value_that_can_not_be(section: str, value: Any) -> None:
    with pytest.raises(jsonschema.ValidationError):
        check({section: value})
