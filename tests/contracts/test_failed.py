"""A trained rung that can't be climbed is noted as failed; the rungs below it stand."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.contracts.conftest import Deepen

from deepen.core.types import Outputs
from deepen.preparation.catalog import shelf


@pytest.fixture
def words(two_class_csv: Path, tiny_model: Path) -> list[object]:
    test = two_class_csv.parent / "test.csv"
    return ["train", two_class_csv, "--test", test, "--model", tiny_model, "--out", "run"]


def no_memory(*_: Any) -> Any:
    raise RuntimeError("CUDA out of memory.\nTried to allocate 20 GiB")


def test_out_of_memory(deepen: Deepen, words: list[object], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(shelf(), "top_layers", replace(shelf()["top_layers"], climb=no_memory))
    answer = deepen(*words)
    assert answer.code == 0, answer.err
    assert "top_layers   failed: RuntimeError: CUDA out of memory. Tried to allocate 20 GiB" in answer.out
    ladder = json.loads(Path("run/ladder.json").read_text())
    rows = {row["rung"]: row for row in ladder["rungs"]}
    assert (rows["top_layers"]["status"], rows["top_layers"]["score"]) == ("failed", None)
    assert (rows["full"]["status"], rows["full"]["reason"]) == ("skipped", "top_layers failed")
    assert ladder["complete"]
    assert ladder["chosen"] in ("lexical", "frozen")
    assert ladder["test"]
    assert "under_way" not in ladder
    assert not Path("run/rungs/top_layers").exists()
    assert "top_layers" not in Path("run/recipe.yaml").read_text().partition("ladder:")[2].partition("worth")[0]
    assert "failed" in Path("run/report.html").read_text()
    assert "complete already" in deepen(*words, "--resume").out


def test_a_training_that_diverged(deepen: Deepen, words: list[object], monkeypatch: pytest.MonkeyPatch) -> None:
    module = shelf()["top_layers"]
    climb = module.climb

    def diverge(*given: Any) -> Any:
        climbed = climb(*given)
        nothing = np.full_like(climbed.validation.values_MC, np.nan)
        return replace(climbed, validation=Outputs(nothing, climbed.validation.offsets_N1))

    monkeypatch.setitem(shelf(), "top_layers", replace(module, climb=diverge))
    record = deepen(*words, "--rungs", "majority,frozen,top_layers", "--json").json
    row = record["rungs"][-1]
    assert row["status"] == "failed"
    assert row["reason"] == "FloatingPointError: the training diverged: its outputs are no numbers"
    assert record["chosen"] == "frozen"


def test_without_anything_to_fall_back_on(deepen: Deepen, words: list[object], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(shelf(), "frozen", replace(shelf()["frozen"], climb=no_memory))
    answer = deepen(*words, "--rungs", "majority,frozen")
    assert (answer.code, answer.err.splitlines()[-1][:19]) == (1, "bug: RuntimeError: ")


def test_a_bug_is_not_hidden(deepen: Deepen, words: list[object], monkeypatch: pytest.MonkeyPatch) -> None:
    def bug(*_: Any) -> Any:
        raise KeyError("x")

    monkeypatch.setitem(shelf(), "top_layers", replace(shelf()["top_layers"], climb=bug))
    answer = deepen(*words, "--rungs", "majority,top_layers")
    assert (answer.code, answer.err.splitlines()[-1][:19]) == (1, "bug: KeyError: 'x' ")
