"""The page and the card of real runs, one of each task: all that they read is written by some run, and it is shown."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from tests.worlds import WORLDS

import deepen
from deepen.cli import show
from deepen.core.ladder import Record, ScoreRecord
from deepen.core.run import Run
from deepen.core.types import Score
from deepen.inference import model
from deepen.reporting.answers import read_answers
from deepen.reporting.card import card

TOLD_APART = {"classification", "matching", "relation", "tagging", "span_qa"}
SCORES = [{"text": "a film " + "good " * (number % 9), "label": f"{number % 9 / 3:.2f}"} for number in range(90)]
LETTERS = "abcdefghijklmnopqrstuvwxyz"
MANY = [
    {
        "text": f"the {LETTERS[at % 26]}{LETTERS[at % 26]} film {'one two'.split()[at // 26 % 2]}",
        "label": f"kind {at % 40}",
    }
    for at in range(400)
]


def make(name: str, out: Path, tiny_model: Path) -> Run:
    given: dict[str, Any] = {"model": str(tiny_model), "out": out, "rungs": "majority,lexical,frozen"}
    if name == "handful":  # too few rows to tell rungs apart, so one that is made for few is chosen
        nothing = ["rungs.contrastive.learning_rate=1e-9", "rungs.contrastive.strength=1e-6"]
        return deepen.train(
            WORLDS["classification"](16), **given | {"rungs": "lexical,contrastive", "settings": nothing}
        )
    if name == "stopped":  # by itself, where the next rung would gain nothing
        return deepen.train(WORLDS["classification"](300), **given | {"rungs": None, "refit": True, "worth": 1000})
    if name in ("many", "scores"):
        target = f"tasks.classification.target={'score' if name == 'scores' else 'label'}"
        return deepen.train(MANY if name == "many" else SCORES, settings=[target], **given)
    rows = WORLDS[name](150)
    return deepen.train(rows[:110], test=rows[110:], task=name, **given)


KINDS = [*WORLDS, "scores", "many", "handful", "stopped"]


@pytest.fixture(scope="module")
def runs(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Run]:
    """`runs(name)`: a run of a kind, made once."""
    folder, made = tmp_path_factory.mktemp("real"), dict[str, Run]()

    def get(name: str) -> Run:
        if name not in made:
            made[name] = make(name, folder / name, tiny_model)
        return made[name]

    return get


def shown(run: Run) -> str:
    """The page's text, without the elements."""
    from tests.reporting.test_page import Page

    return str(Page((run.folder / "report.html").read_text(encoding="utf-8")).said())


@pytest.mark.parametrize("task", WORLDS)
def test_what_is_taken_for_what(task: str, runs: Callable[[str], Run]) -> None:
    run = runs(task)
    found = read_answers(run.folder, run.ladder)
    assert found is not None
    said = shown(run)
    assert ("What is taken for what, on test" in said) == (task in TOLD_APART)
    if task not in TOLD_APART:
        return
    matrix_CC = found.matrix_CC
    assert matrix_CC is not None
    lines = predictions(run)
    if task == "tagging":
        assert found.labels == ("ORG", "PER", "O")
        assert matrix_CC.sum() == sum(len(line["target"]) for line in lines)
        people = sum(tag[2:] == "PER" for line in lines for tag in line["target"])
        assert matrix_CC[1].sum() == people
    elif task == "span_qa":
        assert matrix_CC.sum() == len(lines)
        assert matrix_CC[1].sum() == sum(not any(line["target"]) for line in lines) > 0
    else:
        right = sum(line["target"] == line["output"] for line in lines)
        assert (matrix_CC.sum(), matrix_CC.trace()) == (len(lines), right)
        accuracy = next((score["value"] for score in run.ladder["test"] if score["name"] == "accuracy"), None)
        assert accuracy is None or accuracy == pytest.approx(right / len(lines))
        for line in lines:
            assert matrix_CC[found.labels.index(line["target"]), found.labels.index(line["output"])] > 0
    described = (
        f"Confusion matrix of {len(matrix_CC)} labels: {matrix_CC.trace()} of {matrix_CC.sum()} on the diagonal."
    )
    assert described in (run.folder / "report.html").read_text(encoding="utf-8")


def predictions(run: Run) -> list[dict[str, Any]]:
    path = run.folder / "rungs" / run.chosen / "predictions-test.jsonl"
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_many_labels_give_pairs(runs: Callable[[str], Run]) -> None:
    run = runs("many")
    found = read_answers(run.folder, run.ladder)
    assert found is not None
    assert found.matrix_CC is None
    said = shown(run)
    assert "The most confused pairs on validation" in said
    first = found.pairs[0]
    wrong = [pair["times"] for pair in found.pairs]
    assert wrong == sorted(wrong, reverse=True)
    assert f"{first['label']} {first['output']} {first['times']} {100 * first['share']:.0f} %" in said


def test_a_score_has_no_labels_to_confuse(runs: Callable[[str], Run]) -> None:
    for name in ("scores", "multilabel", "ranking"):
        said = shown(runs(name))
        assert "taken for what" not in said
        assert "confused pairs" not in said


def test_why_it_ended_and_why_it_was_chosen(runs: Callable[[str], Run]) -> None:
    run = runs("stopped")
    assert run.ladder["stop_reason"]
    reads = (shown(run), (run.folder / "model" / "README.md").read_text(encoding="utf-8").replace("\\", ""))
    for text in reads:
        assert f"went no further: {run.ladder['stop_reason']}." in text
    few = runs("handful")
    assert few.ladder["chosen_reason"]
    for text in (shown(few), (few.folder / "model" / "README.md").read_text(encoding="utf-8").replace("\\", "")):
        assert few.ladder["chosen_reason"] in text


def test_the_lowest_rung_is_not_said_to_beat_cheaper_ones(tmp_path: Path, tiny_model: Path) -> None:
    run = deepen.train(WORLDS["classification"](90), rungs="majority", model=str(tiny_model), out=tmp_path / "run")
    assert "every cheaper rung" not in shown(run)


def told(value: Any) -> Iterator[str]:
    """The fields of a ladder that say something."""
    if isinstance(value, Record):
        for name, item in value:
            if name in value.model_fields_set and item not in (None, "", (), {}):
                yield f"{type(value).__name__}.{name}"
            yield from told(item)
    elif isinstance(value, tuple):
        for item in value:
            yield from told(item)


def noting(asked: set[str]) -> Callable[[Record, str], Any]:
    """How a record hands out an attribute, if it is noted which one is asked for."""

    def look(self: Record, name: str) -> Any:
        if name in type(self).model_fields:
            asked.add(f"{type(self).__name__}.{name}")
        return object.__getattribute__(self, name)

    return look


OLDER = {"LadderRow.test"}
"""What only earlier releases wrote."""
FOLDED = {"Data.folds", "Ladder.self_training"}
"""What a cross-validated run writes, and one with rows without a label: see tests/ladder."""


def test_all_that_is_read_is_written_by_a_run(runs: Callable[[str], Run], monkeypatch: pytest.MonkeyPatch) -> None:
    """By the report, the card, the command line, and a model that is loaded."""
    asked: set[str] = set()
    written: set[str] = set()
    for name in KINDS:
        run = runs(name)
        ladder = run.ladder
        written |= set(told(ladder))
        with monkeypatch.context() as patch:
            patch.setattr(Record, "__getattribute__", noting(asked), raising=False)
            deepen.report(run)
            card(ladder, {}, {})
            show.train_record(ladder)
            show.print_ladder(ladder)
            for row in ladder.rungs:
                show.row_line(row)
            assert model._rungs(run.folder)
            assert run.complete
    assert len(asked) > 30
    assert "LadderRow.reason" in asked, "attributes are noted"
    unwritten = sorted(asked - written - OLDER - FOLDED)
    assert not unwritten, "it is read, but no run writes it"


def test_a_score_in_the_file_is_a_score() -> None:
    assert {field.name for field in fields(Score)} == ScoreRecord.__annotations__.keys()
