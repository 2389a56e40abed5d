"""One suite over every question on the shelf."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.diagnosis.planted import Planted, case_of, constant, memoriser, reader
from tests.worlds import WORLDS

import deepen
from deepen.core.files import sha256_file
from deepen.core.types import Finding, to_json
from deepen.diagnosis import diagnose, settings_type, shelf
from deepen.diagnosis.case import Case, open_case
from deepen.diagnosis.question import Question

VERDICTS = ("shallow", "deep", "unclear", "not_applicable")
LABELS = ("bad", "good")


@pytest.fixture(scope="module", params=sorted(WORLDS))
def opened(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, tiny_model: Path) -> Case:
    """A run of every task, climbed on the tiny model."""
    folder = tmp_path_factory.mktemp(request.param)
    rows = WORLDS[request.param](160)
    data, test = folder / "train.jsonl", folder / "test.jsonl"
    data.write_text("".join(json.dumps(row) + "\n" for row in rows[:120]), encoding="utf-8")
    test.write_text("".join(json.dumps(row) + "\n" for row in rows[120:]), encoding="utf-8")
    how: dict[str, Any] = {"thorough": True, "rungs": "majority,lexical,frozen,full"}
    deepen.train(
        str(data), test=str(test), model=tiny_model, settings=["rungs.full.num_epochs=2"], out=folder / "run", **how
    )
    return open_case(folder / "run")


def check_finding(finding: Finding, name: str) -> None:
    assert finding.question == name
    assert finding.verdict in VERDICTS
    assert finding.caveat, "every finding says how it may mislead, or why it is not applicable"
    assert not finding.remedy or finding.remedy.startswith("deepen ")
    json.dumps(to_json(finding), allow_nan=False)
    if finding.verdict in ("shallow", "deep"):
        assert finding.observed is not None
        assert finding.control is not None
        assert finding.effect is not None
        assert finding.effect.low <= finding.effect.value <= finding.effect.high


@pytest.mark.parametrize("name", sorted(shelf()))
def test_it_has_the_shape_of_a_question(name: str) -> None:
    question = shelf()[name]
    assert isinstance(question, Question)
    assert question.title.endswith("?")
    assert question.settings.__doc__
    assert getattr(settings_type()(), name) == question.settings()


@pytest.mark.parametrize("name", sorted(shelf()))
def test_it_answers_for_every_task_and_changes_nothing(name: str, opened: Case) -> None:
    assert opened.folder is not None
    models = sorted(opened.folder.rglob("*.safetensors"))
    before = [sha256_file(path) for path in models]
    said = opened.outputs.values_MC.copy()
    first, again = (diagnose(opened, [name], settings_type()()) for _ in range(2))
    assert first, "say `not_applicable` rather than nothing"
    for finding in first:
        check_finding(finding, name)
    assert [to_json(finding) for finding in first] == [to_json(finding) for finding in again]
    assert [sha256_file(path) for path in models] == before
    np.testing.assert_array_equal(opened.model.predict(opened.rows).values_MC, said)


@pytest.mark.parametrize("name", sorted(shelf()))
@pytest.mark.parametrize("kind", ["oracle", "constant", "reader", "memoriser"])
def test_it_answers_about_planted_models(name: str, kind: str) -> None:
    rows = WORLDS["classification"](80)
    right = {row["text"]: row["label"] for row in rows}
    models: dict[str, Planted] = {
        "oracle": Planted(LABELS, lambda text: right.get(text, "bad")),
        "constant": constant(LABELS),
        "reader": reader(LABELS, {"lovely": "good", "awful": "bad"}, lambda text: "bad"),
        "memoriser": memoriser(LABELS, {row["text"]: row["label"] for row in rows[:40]}),
    }
    case = case_of(rows[40:], {"majority": constant(LABELS), "full": models[kind]}, train=rows[:40])
    question = shelf()[name]
    for finding in question.ask(case, question.settings()):
        check_finding(finding, name)
