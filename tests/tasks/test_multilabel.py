"""Any number of labels a row: how they are read, learned, cut and scored."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics
from tests.worlds import WORLDS

import deepen
from deepen.core.errors import DataError
from deepen.core.types import Outputs, Targets
from deepen.data.load import load_table, look
from deepen.data.settings import DataSettings
from deepen.evaluation.multilabel import micro_f1, multilabel_scores, statistics, thresholds
from deepen.preparation.catalog import load_task

TASK = load_task("multilabel")
ROWS = [("a b", "x|y"), ("c d", "y"), ("e f", "x|z|x")]


def targets_of(source: Any, **settings: Any) -> list[list[str]]:
    table, _ = load_table(source, TASK.needs, DataSettings(**settings))
    return list(table.all_rows().values("target"))


@pytest.mark.parametrize(
    ("cells", "given_"),
    [
        (["x|y", "y", "x|z|x"], {}),
        (["y; x", "y", "z;x"], {}),
        (["x、y", "y", "x、z"], {}),
        (["x_y", "y", "x_z"], {"label_separator": "_"}),
        (['["x", "y"]', '["y"]', "['x', 'z']"], {}),
    ],
)
def test_labels_in_one_cell(cells: list[str], given_: dict[str, Any], tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([["text", "labels"], *[[f"row {at}", cell] for at, cell in enumerate(cells)]])
    assert targets_of(path, **given_) == [["x", "y"], ["y"], ["x", "z"]]


def test_lists_and_columns(tmp_path: Path) -> None:
    rows = [{"text": "one", "labels": ["x", "y"]}, {"text": "two", "labels": []}, {"text": "three", "labels": "x"}]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert targets_of(tmp_path / "rows.jsonl") == [["x", "y"], [], ["x"]]
    (tmp_path / "flags.csv").write_text("text,toxic,threat\none,1,0\ntwo,1,1\nthree,0,\n")
    table, _ = load_table(
        tmp_path / "flags.csv", TASK.needs, DataSettings(), columns={"text": "text", "label": "toxic+threat"}
    )
    assert list(table.all_rows().values("target")) == [["toxic"], ["threat", "toxic"], []]
    (tmp_path / "flags.csv").write_text("text,toxic,threat\none,1,0\ntwo,maybe,1\n")
    with pytest.raises(DataError, match="line 3: column 'toxic' is 'maybe'"):
        load_table(
            tmp_path / "flags.csv",
            TASK.needs,
            DataSettings(bad_rows="error"),
            columns={"text": "text", "label": "toxic+threat"},
        )


def test_what_is_no_set_of_labels(tmp_path: Path) -> None:
    def labels(cells: list[str]) -> tuple[str, ...]:
        rows = [{"text": f"row {at}", "labels": cell} for at, cell in enumerate(cells)]
        return TASK.labels(load_table(rows, TASK.needs, DataSettings())[0].all_rows(), None)

    with pytest.raises(DataError, match="looks like free text"):
        labels([f"a{n}|b{n}" for n in range(20)])
    with pytest.raises(DataError, match="two are needed"):
        labels(["x", "x"])
    strict = DataSettings(bad_rows="error")
    with pytest.raises(DataError, match=r"line 2: label is empty.*\[\] says none"):
        load_table([{"text": "a", "labels": "x|y"}, {"text": "b", "labels": None}], TASK.needs, strict)
    part = load_table([{"text": "a", "labels": "x|why"}], TASK.needs, DataSettings())[0].all_rows()
    with pytest.raises(DataError, match="'why' is not in the training data"):
        TASK.check(part, ("x", "y"))


def _read(rows: list[dict[str, Any]]) -> tuple[Any, Any]:
    table, columns = load_table(rows, TASK.needs, DataSettings())
    return [list(found) for found in table.all_rows().values("target")], columns


@pytest.mark.parametrize("cell", [str, list, tuple, np.array, lambda bits: " ".join(map(str, bits)), json.dumps])
def test_lists_of_zeros_and_ones_are_places(cell: Any) -> None:
    hot = [[0, 0, 1, 0], [1, 0, 0, 1], [0, 0, 0, 0]]
    found, columns = _read([{"text": "a", "labels": cell(bits)} for bits in hot])
    assert found == [["2"], ["0", "3"], []]
    assert "4 labels, called by their place" in columns.reasons["label"]
    many = [{"text": "a", "labels": cell(bits)} for bits in [*[[0, 1, 0, 1]] * 5000, [0, 1]]]
    with pytest.raises(DataError, match="where the other rows list 4 zeros and ones"):
        load_table(many, TASK.needs, DataSettings(bad_rows="error"))


def test_columns_of_zeros_and_ones_are_labels() -> None:
    rows = [
        {"id": at, "said": f"row {at}", "toxic": at % 2, "rude": at % 3 // 2, "mean": 1 - at % 2} for at in range(9)
    ]
    found, columns = _read(rows)
    assert columns.target == ("toxic", "rude", "mean")
    assert "0 or 1 for each label" in columns.reasons["label"]
    assert found[:3] == [["mean"], ["toxic"], ["mean", "rude"]]
    claim = TASK.recognise(look(rows, DataSettings()))
    assert claim is not None
    assert "toxic, rude, mean" in claim.reason
    assert TASK.recognise(look([{**row, "label": "x"} for row in rows], DataSettings())) is None
    with pytest.raises(DataError, match="holds only 0 and 1, which is one label or none"):
        load_table(rows, TASK.needs, DataSettings(), columns={"label": "toxic"})


def test_brackets_part_labels() -> None:
    assert _read([{"text": "a", "labels": "<comedy><drama>"}, {"text": "b", "labels": "<drama>"}])[0] == [
        ["comedy", "drama"],
        ["drama"],
    ]


def test_an_empty_cell_is_no_label_and_said() -> None:
    rows = [{"text": "a", "labels": "x|y"}, {"text": "b", "labels": ""}, {"text": "c", "labels": "x"}]
    table, _ = load_table(rows, TASK.needs, DataSettings(bad_rows="error"))
    assert [list(found) for found in table.all_rows().values("target")] == [["x", "y"], [], ["x"]]
    assert any("1 empty label cells are read as rows that have no label" in note for note in table.notes)


def test_losses_and_margins() -> None:
    logits_MC, many_MC = torch.tensor([[9.0, -9.0], [0.0, 9.0]]), torch.tensor([[1, 0], [1, 0]], dtype=torch.int8)
    losses, margins = TASK.losses(logits_MC, many_MC), TASK.margins(logits_MC, many_MC)
    assert losses[0] < 0.01
    assert losses[1] == pytest.approx(np.log(2) + 9, abs=1e-3)
    assert margins[0] > 0.9
    assert margins[1] < -0.9


@settings(max_examples=30)
@given(st.integers(0, 2**32 - 1), st.integers(1, 60), st.integers(2, 5))
def test_scores_are_those_of_scikit_learn(seed: int, num: int, num_labels: int) -> None:
    chance = np.random.default_rng(seed)
    logits = np.round(chance.normal(size=(num, num_labels)), 1).astype(np.float32)
    many = (chance.random((num, num_labels)) < 0.4).astype(np.int8)
    said = (logits > 0).astype(int)
    found = {
        (score.name, score.label): score.value
        for score in multilabel_scores(logits, many, [str(n) for n in range(num_labels)], seed=0)
    }
    assert found["micro_f1", None] == pytest.approx(metrics.f1_score(many, said, average="micro", zero_division=0))
    assert found["macro_f1", None] == pytest.approx(metrics.f1_score(many, said, average="macro", zero_division=0))
    assert found["exact_match", None] == pytest.approx(metrics.accuracy_score(many, said))
    occurs = many.any(0)
    if occurs.any():
        wanted = metrics.average_precision_score(many[:, occurs], logits[:, occurs], average="macro")
        assert found["average_precision", None] == pytest.approx(wanted)
    for at in range(num_labels):
        wanted = metrics.f1_score(many[:, at], said[:, at], zero_division=0)
        assert found["f1", str(at)] == pytest.approx(wanted)
    sums = statistics(logits, many).sum(0, keepdims=True)
    assert micro_f1(sums)[0] == pytest.approx(found["micro_f1", None])


@settings(max_examples=30)
@given(st.integers(0, 2**32 - 1), st.integers(2, 40))
def test_no_shared_threshold_is_better(seed: int, num: int) -> None:
    chance = np.random.default_rng(seed)
    many = (chance.random((num, 3)) < 0.3).astype(np.int8)
    logits = np.round(chance.normal(size=(num, 3)) + many, 1)
    many[chance.integers(num)] = 1
    cut = thresholds(logits, many)[0] if (many.sum(0) < 20).all() else None
    if cut is not None:
        best = max(
            metrics.f1_score(many, logits > other, average="micro", zero_division=0)
            for other in np.unique(logits) - 0.01
        )
        assert metrics.f1_score(many, logits > cut, average="micro") == pytest.approx(best)


def test_a_climb(tiny_model: Path, tmp_path: Path) -> None:
    """Every rung learns the planted words; what was cut on validation is saved with the model."""
    given_: dict[str, Any] = {"model": tiny_model, "thorough": True, "settings": ["data.validation_at_least=60"]}
    rows = WORLDS["multilabel"](420)
    run = deepen.train(rows[:360], test=rows[360:], out=tmp_path / "run", **given_)
    assert run.ladder["task"] == "multilabel", "the columns say so"
    scores = {row["rung"]: row["score"]["value"] for row in run.ladder["rungs"]}
    assert set(scores) == {"majority", "lexical", "frozen", "top_layers", "full"}
    assert scores["lexical"] > 0.95
    assert scores["full"] > scores["majority"] + 0.1
    names = {score["name"] for score in run.ladder["test"] if score["label"] is None}
    assert names == {"micro_f1", "macro_f1", "average_precision", "exact_match"}
    model = deepen.load(tmp_path / "run")
    said = model.predict(["the room was dusty and the food salty", "very today"])
    assert said[0].output == ["food", "room"]
    assert set(said[0].probabilities or ()) == {"food", "room", "staff"}
    for answer in said:
        assert answer.output == [label for label, p in (answer.probabilities or {}).items() if p > 0.5]
    outputs, targets = Outputs(np.array([[1.0, -1]]), np.array([0, 1])), Targets(np.array([[1, 0]]), np.array([0, 1]))
    assert TASK.shift is not None
    assert TASK.shift(outputs, targets).tolist() == [0.0, 0.0]


def test_rows_that_nobody_marked_are_bad_rows() -> None:
    """Jigsaw's test set has -1 in each of its columns where a row was not scored."""
    rows = [{"text": f"row {at}", "toxic": at % 2, "rude": at % 3 // 2, "mean": at % 5 // 4} for at in range(400)]
    unmarked = {"text": "row x", "toxic": -1, "rude": -1, "mean": -1}
    claim = TASK.recognise(look([*rows, unmarked], DataSettings()))
    assert claim is not None
    assert (
        TASK.recognise(
            look(
                [
                    {"text": "a", "mood": at % 3 - 1, "stance": at // 2 % 3 - 1, "tone": at // 4 % 3 - 1}
                    for at in range(99)
                ],
                DataSettings(),
            )
        )
        is None
    )
    table, columns = load_table([*rows, unmarked], TASK.needs, DataSettings())
    assert columns.target == ("toxic", "rude", "mean")
    assert len(table.all_rows()) == 400
    with pytest.raises(DataError, match="column 'toxic' is '-1', and a column that stands for a label holds 0 or 1"):
        load_table([*rows, *[unmarked] * 100], TASK.needs, DataSettings())


def test_a_label_column_of_training_that_is_missing_is_said() -> None:
    rows = [{"text": f"row {at}", "toxic": at % 2, "rude": at % 3 // 2} for at in range(9)]
    trained = _read(rows)[1]
    fewer = [{"text": row["text"], "toxic": row["toxic"]} for row in rows]
    with pytest.raises(DataError, match="no column 'rude', which was a part of label in training"):
        load_table(fewer, TASK.needs, DataSettings(), columns=trained)
    assert len(load_table(fewer, TASK.needs, DataSettings(), columns=trained, need_target=False)[0].all_rows()) == 9
