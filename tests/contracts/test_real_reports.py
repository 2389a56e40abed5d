"""The page and the card of real runs, one of each task: all that they read is written by some run, and it is shown."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.worlds import WORLDS

import deepen
from deepen.core.run import Run
from deepen.reporting import page, words
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


class Seen(dict[str, Any]):
    """A record that notes which of its keys are asked for."""

    def __init__(self, record: dict[str, Any], asked: set[str], path: str = "") -> None:
        super().__init__({key: wrapped(value, asked, f"{path}.{key}") for key, value in record.items()})
        self.asked, self.path = asked, path

    def __getitem__(self, key: str) -> Any:
        self.asked.add(f"{self.path}.{key}")
        return super().__getitem__(key)

    def get(self, key: str, default: Any = None) -> Any:
        self.asked.add(f"{self.path}.{key}")
        return super().get(key, default)

    def __contains__(self, key: object) -> bool:
        self.asked.add(f"{self.path}.{key}")
        return super().__contains__(key)


def wrapped(value: Any, asked: set[str], path: str) -> Any:
    if isinstance(value, dict):
        return Seen(value, asked, path)
    return [wrapped(item, asked, f"{path}[]") for item in value] if isinstance(value, list) else value


def told(value: Any, path: str = "") -> Iterator[str]:
    """The places of a record that say something."""
    if isinstance(value, dict):
        for key, item in value.items():
            if item not in (None, "", [], {}):
                yield f"{path}.{key}"
            yield from told(item, f"{path}.{key}")
    elif isinstance(value, list):
        for item in value:
            yield from told(item, f"{path}[]")


OLDER = {".rungs[].test"}
"""What only earlier releases wrote."""


def test_all_that_is_read_is_written_by_a_run(runs: Callable[[str], Run], monkeypatch: pytest.MonkeyPatch) -> None:
    asked: set[str] = set()
    written: set[str] = set()
    readable = words.readable
    whole = lambda record: isinstance(record, dict) and "rungs" in record  # noqa: E731 - it calls itself for the parts
    seen = lambda record: Seen(readable(record), asked) if whole(record) else readable(record)  # noqa: E731
    monkeypatch.setattr(words, "readable", seen)
    for name in KINDS:
        run = runs(name)
        deepen.report(run)
        card(run.ladder, {}, {})
        written |= set(told(run.ladder))
    assert len(asked) > 40
    asked |= {f".{key}" for key in page._LADDER} | {f".data.{key}" for key in page._DATA}
    asked |= {f".rungs[].{key}" for key in page._ROW}
    assert not {path for path in asked - written if path not in OLDER}, "the report reads what no run writes"
