"""A decoder that is asked with examples: which ones, in which order, and the same after saving."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.worlds import WORLDS

import deepen
from deepen.core.errors import SettingError
from deepen.preparation.prepare import prepare
from deepen.preparation.read import Sources
from deepen.preparation.recipe import make_recipe
from deepen.problem.work import Work
from deepen.prompting.decoder import PromptedClassifier
from deepen.prompting.demonstrations import Examples
from deepen.rungs import few_shot


def work_of(rows: list[dict[str, Any]], model: Path, folder: Path, task: str = "classification") -> Work:
    values = {"task": task, "data": {"validation_at_least": 30}, "model": {"name": str(model)}}
    return prepare(make_recipe(values), Sources(rows), folder, say=lambda line: None).work


def test_the_most_similar_of_each_label_are_shown() -> None:
    texts = ["a red fox", "the red fox", "a blue whale", "the red foxes", "blue sky", "an old fox"]
    examples = Examples(texts, [0, 0, 1, 1, 1, 0], ("land", "other"), shown=4)
    (shown,) = examples(["the red fox"])
    assert shown[-1] == ("the red fox", "land")
    assert sorted(label for _, label in shown) == ["land", "land", "other", "other"]
    assert ("the red foxes", "other") in shown
    (left,) = examples(["the red fox"], without=np.array([1]))
    assert ("the red fox", "land") not in left
    assert len(left) == 4
    examples.most_similar_last = False
    assert examples(["the red fox"])[0] == shown[::-1]
    few = Examples(texts, [0, 1, 2, 3, 4, 5], tuple("abcdef"), shown=2)
    assert few(["the red fox"])[0] == [("the red foxes", "d"), ("the red fox", "b")]


def test_rows_to_choose_from_are_balanced() -> None:
    labels = np.array([0] * 90 + [1] * 6 + [2] * 4)
    some = few_shot._balanced(labels, 15, np.random.default_rng(0))
    assert np.bincount(labels[some]).tolist() == [6, 5, 4] or np.bincount(labels[some]).tolist() == [5, 6, 4]
    assert len(few_shot._balanced(labels, 200, np.random.default_rng(0))) == 100


def test_a_climb_saved_and_read_again(tiny_decoder: Path, tmp_path: Path) -> None:
    rows = WORLDS["classification"](120)
    settings = ["data.validation_at_least=30", "rungs.few_shot.trial_rows=16"]
    run = deepen.train(rows, model=tiny_decoder, out=tmp_path / "run", rungs=["few_shot"], settings=settings)
    model = deepen.load(run)
    texts = [row["text"] for row in rows[:5]]
    said = [one.probabilities for one in model.predict(texts)]
    assert said == [one.probabilities for one in deepen.load(run).predict(texts)]
    assert isinstance(model.predictor, PromptedClassifier)
    assert model.predictor.examples is not None
    kinds = {path.suffix for path in (run.rung("few_shot") / "model").rglob("*") if path.is_file()}
    assert kinds <= {".json", ".safetensors", ".txt", ".md"}
    assert json.loads((run.folder / "ladder.json").read_text(encoding="utf-8"))["rungs"][0]["network"] == "untouched"
    assert model.evaluate(rows[:20])[0].n == 20
    assert model.explain(texts[:1])[0].answers[0].method == "leave_one_out"


def test_only_training_rows_are_shown(tiny_decoder: Path, tmp_path: Path) -> None:
    """And neither choice nor order hang on the labels of the validation rows."""
    rows, held = WORLDS["classification"](100), WORLDS["classification"](140)[100:]
    names = {"good": "bad", "bad": "good"}
    other = [row | {"label": names[row["label"]]} for row in held]
    said = []
    for at, given in enumerate((held, other)):
        values = {"task": "classification", "model": {"name": str(tiny_decoder)}}
        values |= {"data": {"near": {"threshold": 1}, "check": False}}
        work = prepare(make_recipe(values), Sources(rows, given), tmp_path / str(at), say=lambda line: None).work
        found = few_shot.climb(work, few_shot.RungSettings(trial_rows=8), None)
        assert isinstance(found.predictor, PromptedClassifier)
        assert found.predictor.examples is not None
        assert set(found.predictor.examples.texts) <= {row["text"] for row in rows}
        said.append(found.validation.values_MC)
    np.testing.assert_array_equal(*said)


def test_it_tells_the_time(tiny_decoder: Path, tmp_path: Path) -> None:
    work = work_of(WORLDS["classification"](120), tiny_decoder, tmp_path)
    few, many = (few_shot.forecast(work, few_shot.RungSettings(shown=n)) for n in (2, 40))
    assert few is not None
    assert many is not None
    assert 0 < few < many


def test_what_it_is_not_for(tiny_model: Path, tiny_decoder: Path, tmp_path: Path) -> None:
    with pytest.raises(SettingError, match="it is no decoder"):
        few_shot.climb(work_of(WORLDS["classification"](90), tiny_model, tmp_path), few_shot.RungSettings(), None)
    tagged = work_of(WORLDS["tagging"](90), tiny_decoder, tmp_path / "two", "tagging")
    with pytest.raises(SettingError, match="not for tagging"):
        few_shot.climb(tagged, few_shot.RungSettings(), None)
