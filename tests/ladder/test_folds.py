"""Cross-validation below a thousand rows: every row is judged by a model that has not seen it, and learned from."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.conftest import write_csv
from tests.worlds import WORLDS, some

import deepen
from deepen import api
from deepen.core.errors import DataError
from deepen.core.run import Run
from deepen.data.load import load_table
from deepen.data.split import deal
from deepen.preparation.catalog import shelf, tasks
from deepen.preparation.recipe import make_recipe

FEW = [f"rungs.{rung}.num_epochs=2" for rung in ("top_layers", "full")]
FEW += ["data.check=false", "data.cross_validate_below=1000"]
RUNGS = ("majority", "lexical", "frozen", "top_layers")


def weights(run: Run) -> dict[str, bytes]:
    return {str(path.relative_to(run.folder)): path.read_bytes() for path in run.folder.glob("model/**/*.safetensors")}


def predictions(run: Run, rung: str) -> list[dict[str, Any]]:
    path = run.folder / "rungs" / rung / "predictions-validation.jsonl"
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def spied(monkeypatch: pytest.MonkeyPatch, rung: str) -> list[Any]:
    """The work that each training of a rung was handed."""
    seen: list[Any] = []
    climb = shelf()[rung].climb

    def spy(work: Any, settings: Any, below: Any) -> Any:
        seen.append(work)
        return climb(work, settings, below)

    monkeypatch.setitem(shelf(), rung, replace(shelf()[rung], climb=spy))
    return seen


@pytest.mark.parametrize(
    "task", some([task for task in WORLDS if task != "ranking"], "classification", "tagging", "span_qa")
)
def test_every_task(task: str, tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = spied(monkeypatch, "frozen")
    rows = WORLDS[task](60)
    run = api.train(rows, model=str(tiny_model), rungs="frozen", settings=FEW, out=tmp_path / "run")
    one, two, whole = seen
    for fold in (one, two):
        learned, judged = (set(part.rows_N.tolist()) for part in (fold.problem.train, fold.problem.validation))
        assert not learned & judged
        assert len(learned | judged) == len(rows)
    assert not set(one.problem.validation.rows_N.tolist()) & set(two.problem.validation.rows_N.tolist())
    assert len(whole.problem.train) == len(rows), "what is shipped has learned from all"
    assert (
        len(predictions(run, "frozen"))
        == run.ladder.data.validation
        == len(one.problem.validation) + len(two.problem.validation)
    )
    assert run.ladder.data.folds == 2


def test_a_row_is_judged_by_a_model_that_has_not_seen_it(tiny_model: Path, tmp_path: Path) -> None:
    """Labels that no text tells: who has seen a row knows its label by heart, who has not is at chance."""
    chance = np.random.default_rng(0)
    rows = [{"text": f"w{n} x{n} y{n}", "label": "ab"[int(chance.integers(2))]} for n in range(200)]
    run = api.train(rows, model=str(tiny_model), rungs="lexical", settings=FEW, out=tmp_path / "run")
    known = [one.output == row["label"] for one, row in zip(api.load(run).predict(rows), rows, strict=True)]
    assert np.mean(known) > 0.9
    assert run.ladder.chosen_row.score["value"] < 0.65


def test_recipe_repeats_and_resume_goes_on(tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = tmp_path / "rows.jsonl"
    data.write_text("".join(json.dumps(row) + "\n" for row in WORLDS["classification"](80)), encoding="utf-8")
    given: dict[str, Any] = {"model": str(tiny_model), "rungs": ",".join(RUNGS), "settings": FEW}
    run = api.train(str(data), **given, out=tmp_path / "run")
    again = api.train(recipe=run.folder / "recipe.yaml", out=tmp_path / "again")
    assert weights(run) == weights(again)
    for rung in RUNGS:
        assert [p["output"] for p in predictions(run, rung)] == [p["output"] for p in predictions(again, rung)]

    climb, calls = shelf()["top_layers"].climb, []

    def stop(*handed: Any) -> Any:
        calls.append(handed)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return climb(*handed)

    with monkeypatch.context() as patch:
        patch.setitem(shelf(), "top_layers", replace(shelf()["top_layers"], climb=stop))
        with pytest.raises(KeyboardInterrupt):
            api.train(str(data), **given, out=tmp_path / "cut")
    resumed = api.train(str(data), **given, out=tmp_path / "cut", resume=True)
    assert weights(run) == weights(resumed)
    assert predictions(run, "top_layers")[0]["probabilities"] == predictions(resumed, "top_layers")[0]["probabilities"]


def test_the_chosen_trained_rung_learns_from_all(
    tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = spied(monkeypatch, "full")
    data = tmp_path / "rows.jsonl"
    data.write_text("".join(json.dumps(row) + "\n" for row in WORLDS["classification"](80)), encoding="utf-8")
    run = api.train(str(data), model=str(tiny_model), rungs="full", settings=FEW, out=tmp_path / "run")
    assert [len(work.problem.train) for work in seen] == [40, 40, 80]
    assert weights(run) != {
        str(path.relative_to(run.folder / "folds" / "1" / "rungs" / "full")): path.read_bytes()
        for path in run.folder.glob("folds/1/rungs/full/model/**/*.safetensors")
    }
    assert not (run.folder / "folds" / "2").exists()
    assert api.diagnose(run.folder, questions=["partial_input"]), "by a model and the rows that it has not seen"


def test_a_rung_that_gains_nothing_on_the_first_fold_is_given_up(
    tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = spied(monkeypatch, "top_layers")
    rows = WORLDS["classification"](80)
    settings = [*FEW, "rungs.top_layers.learning_rate=1e-12", "rungs.top_layers.head_learning_rate=1e-12"]
    run = api.train(rows, model=str(tiny_model), settings=settings, out=tmp_path / "run")
    assert len(seen) == 1
    row = run.ladder.row("top_layers")
    assert row.status == "skipped"
    assert "first of 2 folds" in row.reason


def test_who_keeps_the_split(tiny_model: Path, tmp_path: Path) -> None:
    assert make_recipe({}).data.cross_validate_below == 0, "it is asked for"
    rows = WORLDS["ranking"](30)
    run = api.train(rows, model=str(tiny_model), rungs="majority", settings=FEW, out=tmp_path / "run")
    assert run.ladder.data.folds is None
    assert any("not cross-validated" in note for note in run.ladder.data.notes)


def test_folds_keep_groups_and_labels() -> None:
    labels = ["a"] * 11 + ["b"] * 6 + ["c"]
    rows = [{"text": f"word{n // 2}", "label": label} for n, label in enumerate(labels)]
    part = load_table(rows, tasks()["classification"].needs, make_recipe({}).data)[0].all_rows()
    codes = np.array(["abc".index(label) for label in labels])
    fold_N = deal(part, codes, num_folds=2)
    assert all(fold_N[n] == fold_N[n ^ 1] for n in range(18)), "copies stay together"
    for fold in range(2):
        assert set(codes[fold_N != fold]) == {0, 1, 2}
        assert (fold_N == fold).sum() >= 6
    order = np.random.default_rng(0).permutation(18)
    assert (deal(part.take(order), codes[order], num_folds=2) == fold_N[order]).all(), "whatever the order of rows"
    with pytest.raises(DataError, match="too few for 9 folds"):
        deal(part.take(np.arange(8)), codes[:8], num_folds=9)


def test_rows_that_were_learned_from_judge_nothing(tiny_model: Path, tmp_path: Path) -> None:
    rows = WORLDS["classification"](120)
    data = write_csv(tmp_path / "rows.csv", rows)
    api.train(data, model=str(tiny_model), rungs="frozen", settings=FEW, out=tmp_path / "run")
    with pytest.raises(DataError, match="has learned from all its rows, which can't judge it: give DATA"):
        deepen.compress(tmp_path / "run", ways=["vocabulary"], out=tmp_path / "small")
    with pytest.raises(DataError, match=r"has learned from its validation rows \(--refit, or cross-validation\)"):
        deepen.watch(tmp_path / "run", data)
    assert not (tmp_path / "small").exists()
