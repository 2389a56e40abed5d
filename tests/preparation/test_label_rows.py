"""What labels are called as training rows, where each label has few."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tests.worlds import WORLDS

import deepen
from deepen.preparation.prepare import Prepared, prepare
from deepen.preparation.read import Sources
from deepen.preparation.recipe import make_recipe
from deepen.preparation.reopen import recipe_of, reopened


def prepared(
    rows: list[dict[str, Any]], model: Path, folder: Path, *, task: str = "classification", **data: Any
) -> Prepared:
    values = {"task": task, "data": {"near": {"threshold": 1}} | data, "model": {"name": str(model)}}
    return prepare(make_recipe(values), Sources(rows), folder, say=lambda line: None)


def rows_of(*labels: str, each: int = 8) -> list[dict[str, Any]]:
    return [{"text": f"row {at} of {label}", "label": label} for label in labels for at in range(each)]


def added(found: Prepared) -> list[tuple[str, str]]:
    """Texts and labels of the training rows that are not rows of the file."""
    texts, targets = (list(found.work.problem.train.values(name)) for name in ("text", "target"))
    return [(text, label) for text, label in zip(texts, targets, strict=True) if not text.startswith("row ")]


def test_names_and_descriptions_are_training_rows(tiny_model: Path, tmp_path: Path) -> None:
    """The package's for usual labels, the names of others, and the user's before both."""
    rows = rows_of("Sports", "card_lost", "travel")
    (tmp_path / "labels.tsv").write_text(
        "Sports\tSports\ncard_lost\tcard_lost\ntravel\ttravel\tgetting there by train\n"
    )
    found = prepared(rows, tiny_model, tmp_path, labels=str(tmp_path / "labels.tsv"))
    assert added(found) == [
        ("sports, games, teams and players", "Sports"),
        ("card lost", "card_lost"),
        ("getting there by train", "travel"),
    ]
    assert all(text.startswith("row ") for text in found.work.problem.validation.values("text"))
    assert any("3 training rows more" in note for note in found.rows.told.notes)
    ids = [*found.work.problem.train.values("id"), *found.work.problem.validation.values("id")]
    assert len(set(ids)) == len(ids) == len(rows) + 3


def test_the_split_is_what_it_is_without(tiny_model: Path, tmp_path: Path) -> None:
    """And the data's mark is another, so a run without does not go on as one with."""
    rows = rows_of("fine", "poor")
    one, other = (prepared(rows, tiny_model, tmp_path, label_rows=on) for on in (True, False))
    assert list(one.work.problem.validation.values("id")) == list(other.work.problem.validation.values("id"))
    assert not added(other)
    assert list(one.work.problem.train.values("id"))[: len(other.work.problem.train)] == list(
        other.work.problem.train.values("id")
    )
    assert one.mark != other.mark


@pytest.mark.parametrize(
    ("rows", "more"),
    [
        (rows_of("0", "1"), {}),
        (rows_of("LABEL_0", "LABEL_1"), {}),
        (rows_of("A", "fine"), {}),
        (rows_of("fine", "poor", each=9), {}),
        (rows_of("fine", "poor"), {"hide": ["fine"]}),
        (WORLDS["multilabel"](40), {"task": "multilabel"}),
        (WORLDS["matching"](40), {"task": "matching"}),
    ],
    ids=["codes", "codes with a word", "a letter", "many rows", "hidden words", "several labels", "pairs"],
)
def test_where_there_are_none(
    rows: list[dict[str, Any]], more: dict[str, Any], tiny_model: Path, tmp_path: Path
) -> None:
    found = prepared(rows, tiny_model, tmp_path, **more)
    assert not any("training rows more" in note for note in found.rows.told.notes)


def test_rungs_that_learn_nothing_get_none(tiny_model: Path, tmp_path: Path) -> None:
    values = {"data": {"near": {"threshold": 1}}, "model": {"name": str(tiny_model)}}
    for rungs, num in (("zero_shot", 0), ("zero_shot,frozen", 2)):
        recipe = make_recipe(values | {"ladder": {"rungs": rungs.split(",")}})
        assert len(added(prepare(recipe, Sources(rows_of("fine", "poor")), tmp_path, say=lambda line: None))) == num


def test_an_older_run_can_be_read_again(tiny_model: Path, tmp_path: Path) -> None:
    """Its recipe does not have the setting, and it had no such rows."""
    source = tmp_path / "rows.jsonl"
    source.write_text("".join(json.dumps(row) + "\n" for row in rows_of("fine", "poor")), encoding="utf-8")
    for on in (True, False):
        settings = ["data.near.threshold=1", f"data.label_rows={str(on).lower()}"]
        run = deepen.train(
            source, out=tmp_path / f"run-{on}", rungs="lexical", model=str(tiny_model), settings=settings
        )
        recipe = run.folder / "recipe.yaml"
        recipe.write_text("".join(x for x in recipe.read_text().splitlines(True) if "label_rows" not in x))
        found, why = reopened(run, recipe_of(run))
        assert (found is None) == on, why


def test_a_decoder_gets_none(tiny_decoder: Path, tmp_path: Path) -> None:
    """It is shown training rows as examples, and a name is none."""
    assert not added(prepared(rows_of("fine", "poor"), tiny_decoder, tmp_path))
