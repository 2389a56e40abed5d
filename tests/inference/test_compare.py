"""Two models on the same rows: what differs is found where it was planted, and what can't be compared is said."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest
from scipy.stats import binomtest
from tests.conftest import PlantedRows, write_csv
from tests.contracts.conftest import call
from tests.inference.conftest import Run

import deepen
from deepen.core.errors import DataError, SettingError


def lexical(run: Path) -> Path:
    return run / "rungs" / "lexical" / "model"


def frozen(run: Path) -> Path:
    return run / "rungs" / "frozen" / "model"


@pytest.fixture(scope="module")
def test_csv(planted_rows: PlantedRows, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """500 rows on which the cue misleads; where it does is in a column that no model learned from."""
    rows = planted_rows(500, shortcut=0.5, seed=7)
    told = [{**row, "cue": "yes" if "zebra" in row["text"] else "no"} for row in rows]
    return write_csv(tmp_path_factory.mktemp("compared") / "test.csv", told)


def test_a_model_is_no_better_than_itself(planted: Run, test_csv: Path) -> None:
    found = deepen.compare(planted(), planted(), test_csv)
    assert {one.name for one in found.scores} >= {"accuracy", "macro_f1", "mcc", "log_loss"}
    assert all((one.difference.value, one.p_value) == (0, 1) and one.a == one.b for one in found.scores)
    assert found.changes == []


def test_scores_are_those_of_evaluate_and_changes_are_rows(planted: Run, test_csv: Path) -> None:
    run = planted()
    found = deepen.compare(frozen(run), lexical(run), test_csv)
    for model, side in ((frozen(run), "a"), (lexical(run), "b")):
        scores = {one.name: one.value for one in deepen.evaluate(model, test_csv) if one.label is None}
        for one in found.scores:
            assert getattr(one, side) == pytest.approx(scores[one.name])
    said = [[one.output for one in deepen.load(model).predict(test_csv)] for model in (frozen(run), lexical(run))]
    right = [row["label"] for row in csv.DictReader(test_csv.open())]
    changed = [at for at, gold in enumerate(right) if (said[0][at] == gold) != (said[1][at] == gold)]
    assert found.changes
    assert [one.line - 2 for one in found.changes] == changed
    lost = sum(one.change == "right->wrong" for one in found.changes)
    assert found.scores[0].difference.value == pytest.approx((len(changed) - 2 * lost) / 500)
    exact = binomtest(lost, len(changed)).pvalue
    assert found.scores[0].p_value == pytest.approx(exact, abs=0.02)


def test_slices(planted: Run, test_csv: Path) -> None:
    run = planted()
    found = deepen.compare(frozen(run), lexical(run), test_csv)
    by: dict[str, list[Any]] = {}
    for one in found.slices:
        by.setdefault(one.by, []).append(one)
    assert set(by) == {"label", "length", "cue"}
    for slices in by.values():
        assert sum(one.n for one in slices) == 500
    assert [one.name for one in by["label"]] == ["recall", "recall"]
    for one in found.slices:
        assert (one.p_value is None) == (one.n < 200)
    assert any(one.p_value is not None and one.p_value > 0 for one in found.slices)
    mean = sum(one.n * one.b for one in by["cue"]) / 500
    assert mean == pytest.approx(found.scores[0].b)


def test_the_command(planted: Run, test_csv: Path, tmp_path: Path) -> None:
    run, out = planted(), tmp_path / "changed.csv"
    for _ in range(2):  # its own file may be written again
        answer = call("compare", frozen(run), lexical(run), test_csv, "--out", out, "--json")
        assert answer.code == 0, answer.err
    record = answer.json
    assert list(record)[:3] == ["runs", "rungs", "data"]
    assert record["rungs"] == ["frozen", "lexical"]
    assert set(record["scores"][0]) == {"name", "a", "b", "difference", "p_value", "n", "higher_is_better"}
    rows = list(csv.DictReader(out.open()))
    assert [row["id"] for row in rows] == record["changed"]
    assert len(rows) == record["right_to_wrong"] + record["wrong_to_right"] > 0
    for row in rows:
        right = row["output_1"] if row["change"] == "right->wrong" else row["output_2"]
        assert right == row["target"]
    printed = call("compare", frozen(run), lexical(run), test_csv).out
    assert "accuracy" in printed
    assert f"{record['right_to_wrong']} right->wrong" in printed
    assert "p (Holm)" in printed


@pytest.mark.parametrize(
    "kind", sorted({"tagging", "multilabel", "score", "span_qa", "ranking", "matching", "relation"})
)
def test_every_task(run_of: Run, kind: str) -> None:
    from tests.exporting.conftest import KINDS

    run = run_of(kind)
    rows = KINDS[kind][1](60)
    found = deepen.compare(frozen(run), lexical(run), rows)
    own = {one.name: one.value for one in deepen.evaluate(lexical(run), rows) if one.label is None}
    for one in found.scores:
        assert one.b == pytest.approx(own[one.name])
    assert (found.changes is None) == (kind == "score")


def test_runs_that_can_not_be_compared(planted: Run, run_of: Run, test_csv: Path, tmp_path: Path) -> None:
    line = call("compare", planted(), run_of("tagging"), test_csv).failed("SettingError")
    assert line.endswith("name two runs of one task")
    line = call("compare", planted(), run_of("classification"), test_csv).failed("SettingError")
    assert line.startswith("the two have no label in common: ")
    assert "positive" in line
    assert "good" in line
    out = tmp_path / "changed.csv"
    rows = tmp_path / "rows.json"
    from tests.exporting.conftest import KINDS

    rows.write_text(json.dumps(KINDS["score"][1](40)))
    run = run_of("score")
    line = call("compare", run, lexical(run), rows, "--out", out).failed("SettingError")
    assert line.endswith("leave --out out")
    assert not out.exists()
    assert call("compare", run, lexical(run), rows).code == 0
    call("compare", planted(), "nowhere", test_csv).failed("DataError")
    assert "must end in .csv" in call("compare", planted(), planted(), test_csv, "--out", "x.json").failed(
        "SettingError"
    )


def test_shared_labels(planted: Run, planted_rows: PlantedRows) -> None:
    said: list[str] = []
    rows = planted_rows(90, num_classes=3, seed=4)
    found = deepen.compare(planted(2), planted(3), rows, say=said.append)
    assert found.labels == ("negative", "positive")
    assert found.n == 60
    [note] = [line for line in said if "different labels" in line]
    assert note.endswith("compared on 60 rows of 2 shared ones, and 30 rows of other labels left out")
    own = [row for row in rows if row["label"] != "neutral"]
    for run, side in ((planted(2), "a"), (planted(3), "b")):
        assert getattr(found.scores[0], side) == pytest.approx(deepen.evaluate(run, own)[0].value)
    with pytest.raises(DataError, match="no row has one of the labels that both know"):
        deepen.compare(planted(2), planted(3), [row for row in rows if row["label"] == "neutral"])


def test_rows_that_one_of_the_two_does_not_read_as_the_other(planted: Run, tmp_path: Path, tiny_model: Path) -> None:
    rows = [{"text": f"a fine film {at}", "label": "ab"[at % 2], "other": "ab"[at % 3 > 0]} for at in range(60)]
    how: dict[str, Any] = {"model": tiny_model, "rungs": ["lexical"], "settings": ["data.validation_at_least=20"]}
    runs = [
        deepen.train(rows, columns={"text": "text", "label": name}, out=tmp_path / name, **how).folder
        for name in ("label", "other")
    ]
    with pytest.raises(DataError, match=r"one run reads '.' as the right answer, and the other '.'; name the columns"):
        deepen.compare(*runs, rows)
    assert deepen.compare(*runs, rows, columns={"text": "text", "label": "label"}).n == 60
    with pytest.raises(SettingError):
        deepen.compare(*runs, rows, settings=["nonsense=1"])
