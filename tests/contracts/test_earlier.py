"""Runs that earlier releases wrote are read, answer as they did, are reported, diagnosed and gone on with.

`scripts/earlier_runs.py` made the archives, each with the release that is in its name.
"""

from __future__ import annotations

import json
import os
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import deepen

ARCHIVES = sorted((Path(__file__).parent.parent / "fixtures").glob("runs-*.tar.xz"))
TASKS = ("classification", "tagging", "matching", "relation", "multilabel", "span_qa", "ranking")


@pytest.fixture(scope="module", params=ARCHIVES, ids=lambda path: path.name)
def earlier(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The archive's runs, with the data and the models that they name by relative paths."""
    folder = tmp_path_factory.mktemp("earlier")
    with tarfile.open(request.param) as packed:
        packed.extractall(folder, filter="data")
    return folder


@pytest.fixture
def here(earlier: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(earlier)
    return earlier


def kept_answers(run: Path) -> list[dict[str, Any]]:
    lines = run.with_name(f"{run.name}.answers.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


def probabilities(answer: Any) -> list[float]:
    return list((answer or {}).values())


@pytest.mark.parametrize("task", [*TASKS, "decoder", "prompted", "contrastive"])
def test_every_run_answers_as_it_did(here: Path, task: str) -> None:
    runs = sorted(path for path in (here / "runs").glob(f"{task}*") if path.is_dir())
    assert runs
    for run in runs:
        rows = task if task in TASKS else "classification"
        found = deepen.load(run).predict(f"{rows}-new.jsonl")
        before = kept_answers(run)
        assert [one.output for one in found] == [one["output"] for one in before], run.name
        assert [one.id for one in found] == [one["id"] for one in before], run.name
        for one, other in zip(found, before, strict=True):
            np.testing.assert_allclose(
                probabilities(one.probabilities), probabilities(other.get("probabilities")), atol=1e-5
            )


@pytest.mark.parametrize("task", TASKS)
def test_a_run_is_scored_and_reported(here: Path, task: str) -> None:
    run = here / "runs" / f"{task}-full"
    scores = deepen.load(run).evaluate(f"{task}-new.jsonl")
    assert scores
    assert all(score.value >= 0 or score.name == "mcc" for score in scores)
    page = deepen.report(run).read_text(encoding="utf-8")
    assert "top_layers" in page


def test_a_recipe_gives_the_same_run_again(here: Path, tmp_path: Path) -> None:
    again = deepen.train(recipe=here / "runs" / "classification-full" / "recipe.yaml", out=tmp_path / "again")
    before = json.loads((here / "runs" / "classification-full" / "ladder.json").read_text(encoding="utf-8"))
    found = [(row["rung"], row["status"], row["score"]["value"]) for row in again.ladder["rungs"] if row.get("score")]
    assert found == [(row["rung"], row["status"], row["score"]["value"]) for row in before["rungs"] if row.get("score")]


def test_a_stopped_run_goes_on(here: Path) -> None:
    run = deepen.train(out=here / "runs" / "stopped", resume=True)
    assert run.complete
    assert {row["rung"] for row in run.ladder["rungs"]} >= {"majority", "lexical", "frozen", "top_layers"}


def test_a_diagnosed_run_is_asked_again(here: Path) -> None:
    pytest.importorskip("cleanlab")
    before = json.loads((here / "runs" / "classification-full" / "diagnosis.json").read_text(encoding="utf-8"))
    found = deepen.diagnose(here / "runs" / "classification-full", questions=["depth"])
    kept = {one["question"]: one["verdict"] for one in before["findings"]}
    assert {one.question: one.verdict for one in found} == {name: kept[name] for name in kept if name == "depth"}


def test_its_cache_is_read_or_missed_and_never_misread(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEEPEN_CACHE", os.fspath(here / "cache"))
    found = deepen.load(here / "runs" / "tagging-full").predict("tagging-new.jsonl")
    assert [one.output for one in found] == [one["output"] for one in kept_answers(here / "runs" / "tagging-full")]
