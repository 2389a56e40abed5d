"""Labels by their descriptions: nothing is learned from labelled rows."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.worlds import WORLDS

import deepen
from deepen.core.errors import SettingError
from deepen.finetuning.predictor import EncoderPredictor
from deepen.preparation.prepare import prepare
from deepen.preparation.read import Sources
from deepen.preparation.recipe import make_recipe
from deepen.problem.work import Work
from deepen.prompting.verbalizers import usual_words
from deepen.rungs import zero_shot


def work_of(rows: list[dict[str, Any]], model: Path, folder: Path, task: str = "classification") -> Work:
    values = {
        "task": task,
        "data": {"validation_at_least": 30, "near": {"threshold": 1}},
        "model": {"name": str(model)},
    }
    return prepare(make_recipe(values), Sources(rows), folder, say=lambda line: None).work


def test_the_nearest_description_is_the_answer(tiny_model: Path, tmp_path: Path) -> None:
    """Rows that are the descriptions themselves, with no template around, get their own label."""
    told = {"fine": "a lovely film and good fun", "poor": "awful , not good zebra"}
    rows = [{"text": told[label], "label": label} for label in ("fine", "poor") * 50]
    other = [{"text": told[label] + " .", "label": label} for label in ("fine", "poor") * 50]
    values = {"task": "classification", "model": {"name": str(tiny_model)}}
    work = prepare(make_recipe(values), Sources(rows, other), tmp_path, say=lambda line: None).work
    settings = zero_shot.RungSettings(descriptions={k: (v,) for k, v in told.items()}, templates=("{}",), centred=False)
    found = zero_shot.climb(work, settings, None)
    assert found.num_trained_parameters == 0
    right = work.problem.validation_targets.labels_M
    assert (found.validation.values_MC.argmax(1) == right).all()
    turned = {"fine": (told["poor"],), "poor": (told["fine"],)}
    wrong = zero_shot.climb(work, settings.model_copy(update={"descriptions": turned}), None)
    assert (wrong.validation.values_MC.argmax(1) != right).all()


def test_labels_start_level(tiny_model: Path, tmp_path: Path) -> None:
    work = work_of(WORLDS["classification"](200), tiny_model, tmp_path)
    found = zero_shot.climb(work, zero_shot.RungSettings(), None)
    assert isinstance(found.predictor, EncoderPredictor)
    np.testing.assert_allclose(found.predictor.predict(work.problem.train).values_MC.mean(0), 0, atol=1e-3)
    head = found.predictor.network.head
    np.testing.assert_allclose(head.weight.detach().norm(dim=1).numpy(), 1, atol=1e-5)


def test_labels_are_not_looked_at(tiny_model: Path, tmp_path: Path) -> None:
    rows = WORLDS["classification"](200)
    names = sorted({row["label"] for row in rows})
    other = [row | {"label": names[(names.index(row["label"]) + 1) % len(names)]} for row in rows]
    one, two = (
        zero_shot.climb(work_of(some, tiny_model, tmp_path), zero_shot.RungSettings(), None) for some in (rows, other)
    )
    assert isinstance(one.predictor, EncoderPredictor)
    assert isinstance(two.predictor, EncoderPredictor)
    heads = [each.network.head.weight.detach().numpy() for each in (one.predictor, two.predictor)]
    np.testing.assert_array_equal(*heads)


def test_it_is_climbed_only_when_asked_for(tiny_model: Path, tmp_path: Path) -> None:
    rows = WORLDS["classification"](200)
    run = deepen.train(rows, model=tiny_model, out=tmp_path / "asked", rungs=["zero_shot"])
    assert [row["rung"] for row in run.ladder["rungs"]] == ["zero_shot"]
    assert deepen.load(run).predict([rows[0]["text"]])[0].output in run.ladder["labels"]
    whole = deepen.train(rows, model=tiny_model, out=tmp_path / "whole")
    assert "zero_shot" not in [row["rung"] for row in whole.ladder["rungs"]]


def test_descriptions_come_with_the_names_of_labels(tiny_model: Path, tmp_path: Path) -> None:
    file = tmp_path / "labels.tsv"
    file.write_text("0\tpoor\tawful , not good zebra\n1\tfine\ta lovely film and good fun\n", encoding="utf-8")
    rows = [row | {"label": str(number % 2)} for number, row in enumerate(WORLDS["classification"](200))]
    given: dict[str, Any] = {"model": tiny_model, "rungs": ["zero_shot"]}
    told = deepen.train(rows, labels=file, out=tmp_path / "told", **given)
    assert told.ladder["labels"] == ["fine", "poor"]
    said = deepen.load(told).predict([rows[0]["text"]])[0].probabilities
    file.write_text("0\tpoor\n1\tfine\n", encoding="utf-8")
    bare = deepen.train(rows, labels=file, out=tmp_path / "bare", **given)
    assert deepen.load(bare).predict([rows[0]["text"]])[0].probabilities != said


def test_what_it_is_not_for(tiny_model: Path, tmp_path: Path) -> None:
    tagging = work_of(WORLDS["tagging"](120), tiny_model, tmp_path, "tagging")
    with pytest.raises(SettingError, match="for classification with one label a row"):
        zero_shot.climb(tagging, zero_shot.RungSettings(), None)
    work = work_of(WORLDS["classification"](120), tiny_model, tmp_path)
    with pytest.raises(SettingError, match="'fnie' is no label"):
        zero_shot.climb(work, zero_shot.RungSettings(descriptions={"fnie": ("x",)}), None)


def test_chinese_texts_get_chinese_templates(tiny_model: Path, tmp_path: Path) -> None:
    rows = [{"text": f"酒店位置好房间干净{i}号", "label": ("好", "坏")[i % 2]} for i in range(80)]
    work = work_of(rows, tiny_model, tmp_path)
    assert any("这段文字" in template for template in usual_words(work.problem.language)["templates"])


def test_usual_labels_have_descriptions(tiny_model: Path, tmp_path: Path) -> None:
    """Those of the package, unless others are given; and a label that is only a code is pointed out."""
    plain = zero_shot.RungSettings(form="similarity", centred=False)
    rows = [{"text": f"a good film {at}", "label": ("Sports", "card_lost")[at % 2]} for at in range(80)]
    work = work_of(rows, tiny_model, tmp_path)
    told = {"Sports": tuple(usual_words(work.problem.language)["descriptions"]["sports"]), "card_lost": ("card lost",)}
    found = zero_shot.climb(work, plain, None).validation.values_MC
    same = zero_shot.climb(work, plain.model_copy(update={"descriptions": told}), None).validation.values_MC
    np.testing.assert_array_equal(found, same)
    lines: list[str] = []
    coded = work_of([row | {"label": str(at % 2)} for at, row in enumerate(rows)], tiny_model, tmp_path / "coded")
    zero_shot.climb(replace(coded, context=replace(coded.context, say=lines.append)), plain, None)
    assert any("'0' says nothing" in line for line in lines)


def test_a_template_without_a_place_is_refused(tiny_model: Path, tmp_path: Path) -> None:
    work = work_of(WORLDS["classification"](80), tiny_model, tmp_path)
    with pytest.raises(SettingError, match=r"rungs\.zero_shot\.templates has no \{\}"):
        zero_shot.climb(work, zero_shot.RungSettings(form="similarity", templates=("about",)), None)
