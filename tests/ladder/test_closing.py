"""What is said at the end of a climb."""

from __future__ import annotations

from typing import Any

import pytest
from tests.worlds import WORLDS

import deepen
from deepen.cli import show
from deepen.core.ladder import Ladder
from deepen.ladder.closing import doubts


def score(name: str, value: float, **more: Any) -> dict[str, Any]:
    return {"name": name, "value": value, "n": 100, "low": value - 0.05, "high": value + 0.05, **more}


def ladder(chosen: str = "lexical", cheapest: str = "lexical", labels: tuple[str, ...] = (), **row: Any) -> Ladder:
    rungs = [
        {"rung": "majority", "status": "done", "score": score("accuracy", 0.6)},
        {"rung": "lexical", "status": "done", "score": score("accuracy", 0.8)} | row,
        {"rung": "frozen", "status": "done", "score": score("accuracy", 0.81)},
    ]
    about = {"chosen": chosen, "cheapest_not_worse": cheapest, "labels": labels, "data": {"validation": 100}}
    return Ladder.model_validate({"task": "classification", "rungs": rungs} | about)


def test_a_sound_climb_has_none() -> None:
    recalls = [score("recall", 0.9, label=label) for label in ("a", "b")]
    assert doubts(ladder(labels=("a", "b"), validation=recalls), one_label=True) == []


def test_a_label_that_is_never_found() -> None:
    recalls = [score("recall", 0.9, label="a"), score("recall", 0.0, label="rare", n=7) | {"n": 7}]
    [said] = doubts(ladder(validation=recalls), one_label=True)
    assert "none of the 7 validation rows of rare" in said
    few = [recalls[0], recalls[1] | {"n": 2}]
    assert doubts(ladder(validation=few), one_label=True) == []


def test_nothing_beats_the_commonest_label() -> None:
    [said] = doubts(ladder("majority", "majority"), one_label=True)
    assert "nothing beats majority" in said


def test_too_few_rows_to_tell() -> None:
    [said] = doubts(ladder("frozen"), one_label=True)
    assert "100 validation rows are too few to tell frozen from lexical" in said
    assert "a difference of 1.0 points takes some 2,500" in said


def test_a_score_that_is_in_points_is_not_multiplied() -> None:
    def chrf(value: float) -> dict[str, Any]:
        return score("chrf", value) | {"unit": "points", "low": value - 2, "high": value + 2}

    found = ladder("frozen", score=chrf(16))
    found = found.model_copy(
        update={"rungs": (*found.rungs[:2], found.rungs[2].model_copy(update={"score": chrf(17)}))}
    )
    [said] = doubts(found, one_label=False, writes=True)
    assert "a difference of 1.0 points takes some 400" in said


def test_no_number_of_rows_that_are_there_already() -> None:
    [said] = doubts(ladder("frozen", score=score("accuracy", 0.7)), one_label=True)
    assert said == "100 validation rows are too few to tell frozen from lexical"


@pytest.mark.parametrize(
    ("labels", "warned"),
    [
        (("a", "b", "a|b", "b|c", "c|a"), True),
        (("comedy", "drama", "comedy;drama", "drama;war", "war;comedy"), True),
        (("Cause-Effect(e1,e2)", "Cause-Effect(e2,e1)", "Other"), False),
        (("n/a", "yes", "no"), False),
        (("C++", "C", "Java"), False),
    ],
)
def test_labels_made_of_labels(labels: tuple[str, ...], warned: bool) -> None:
    found = doubts(ladder(labels=labels), one_label=True)
    assert any("--task multilabel" in said for said in found) == warned
    assert doubts(ladder(labels=labels), one_label=False) == []


def test_a_real_climb_says_it_at_its_end(
    tmp_path: Any, tiny_model: Any, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [{"text": row["text"], "label": f"{at % 2}"} for at, row in enumerate(WORLDS["classification"](80))]
    rows = [row | {"label": ("a", "b", "a|b", "b|c", "c|a")[at % 5]} for at, row in enumerate(rows)]
    said: list[str] = []
    run = deepen.train(rows, model=tiny_model, rungs="majority,lexical", out=tmp_path / "run", say=said.append)
    assert any("--task multilabel" in line for line in said)
    assert run.ladder.data is not None
    assert any("--task multilabel" in line for line in run.ladder.data.warnings or ())
    show.print_ladder(run.ladder)
    assert "--task multilabel" in capsys.readouterr().out
    assert (
        len(deepen.train(rows, model=tiny_model, task="multilabel", rungs="lexical", out=tmp_path / "m").ladder.labels)
        == 3
    )
