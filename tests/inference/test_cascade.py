"""The cheapest rung that may answers; what can't be promised is said with the rows that it would take."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from tests.conftest import PlantedRows, write_csv
from tests.contracts.conftest import call
from tests.inference.conftest import Run

import deepen
from deepen.core.errors import DataError, SettingError
from deepen.evaluation.promises import read_bound
from deepen.inference.backing import Backing
from deepen.inference.cascade import agreeing

ENOUGH = 700
Make = Callable[..., Path]


@pytest.fixture
def run(planted: Run, tmp_path: Path) -> Make:
    """`run(validation)`: a copy of a run, in which lexical is said to cost a hundredth of frozen."""

    def copied(validation: int = ENOUGH) -> Path:
        folder = Path(shutil.copytree(planted(2, validation), tmp_path / f"run-{validation}"))
        ladder = json.loads((folder / "ladder.json").read_text())
        for row in ladder["rungs"]:
            row["seconds_per_1000_predictions"] = {"lexical": 0.01, "frozen": 1.0}[row["rung"]]
        (folder / "ladder.json").write_text(json.dumps(ladder))
        return folder

    return copied


@pytest.fixture(scope="module")
def new_csv(planted_rows: PlantedRows, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Rows like those of training."""
    return write_csv(tmp_path_factory.mktemp("new") / "new.csv", planted_rows(400, seed=5))


def test_each_row_is_answered_by_the_first_that_may(run: Make, new_csv: Path) -> None:
    folder = run()
    said: list[str] = []
    made = deepen.load_cascade(folder, agreement=0.9, rung="frozen", say=said.append)
    found = made.predict(new_csv)
    alone = {name: deepen.load(folder, rung=name).predict(new_csv) for name in ("lexical", "frozen")}
    least = made.bound.threshold
    assert least is not None
    by = []
    for one, lexical, frozen in zip(found, alone["lexical"], alone["frozen"], strict=True):
        assert lexical.probabilities is not None
        by.append("lexical" if lexical.probabilities[lexical.output] >= least else "frozen")
        assert one.answered_by == one.rung == by[-1]
        assert one.output == (lexical if by[-1] == "lexical" else frozen).output
        assert one.row == frozen.row
    assert 0 < by.count("lexical") < 400
    differ = np.mean([one.output != other.output for one, other in zip(found, alone["frozen"], strict=True)])
    assert differ <= 0.1 + 0.03, "and what 400 other rows add by chance"
    assert f"answered by lexical {by.count('lexical') / 400:.1%}" in " ".join(said)
    kept = read_bound(folder, "cascade-0_9-frozen")
    assert kept == made.bound
    assert (kept.promise, kept.counted, kept.at_most, kept.rows, kept.expired) == (
        "disagreement",
        "all",
        0.1,
        700,
        False,
    )
    [only] = kept.slices
    assert (only.name, only.threshold, only.coverage, only.wrong) == ("lexical", least, kept.coverage, kept.wrong)


def test_a_promise_is_as_old_as_it_was(run: Make, new_csv: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = run()
    first = deepen.load_cascade(folder, agreement=0.9, rung="frozen").bound
    file = folder / "bounds" / "cascade-0_9-frozen.json"
    kept = json.loads(file.read_text()) | {"since": "2026-01-01T00:00:00+00:00"}
    file.write_text(json.dumps(kept))
    again = deepen.load_cascade(folder, agreement=0.9, rung="frozen").bound
    assert again.since == kept["since"] != first.since
    file.write_text("{")
    assert deepen.load_cascade(folder, agreement=0.9, rung="frozen").bound.since >= first.since


def test_at_most_so_many_are_wrong_and_the_rest_is_not_known(run: Make, new_csv: Path, tmp_path: Path) -> None:
    folder, out = run(), tmp_path / "answers.csv"
    answer = call("predict", folder, new_csv, "--max-error", "0.05", "--rung", "lexical", "--json")
    assert answer.code == 0, answer.err
    rows, bound = answer.json["predictions"], answer.json["bound"]
    known = [row for row in rows if row["output"] is not None]
    assert 0 < len(known) < len(rows) == 400
    right = [line.rpartition(",")[2] for line in new_csv.read_text().splitlines()[1:]]
    wrong = [row["output"] != gold for row, gold in zip(rows, right, strict=True) if row["output"] is not None]
    assert np.mean(wrong) <= 0.05 + 0.03, "and what 400 other rows add by chance"
    for row in rows:
        sure = max(row["probabilities"].values()) >= bound["threshold"]
        assert (row["output"] is not None) == sure
        assert row.get("answered_by") == ("lexical" if sure else None)
    assert (bound["promise"], bound["counted"], bound["at_most"]) == ("error", "answered", 0.05)
    assert f"{1 - len(known) / 400:.1%} are not known" in answer.err
    printed = call("predict", folder, new_csv, "--max-error", "0.05", "--rung", "lexical").out.splitlines()
    assert sum(line.startswith("don't know\t") for line in printed) == 400 - len(known)
    written = call("predict", folder, new_csv, "--max-error", "0.05", "--rung", "lexical", "--out", out)
    assert written.code == 0, written.err
    cells = list(csv.DictReader(out.open()))
    assert sum(row["output"] == "" == row["answered_by"] for row in cells) == 400 - len(known)


def test_rows_of_another_kind_end_the_promise(run: Make, planted_rows: PlantedRows, new_csv: Path) -> None:
    folder = run()
    made = deepen.load_cascade(folder, agreement=0.9, rung="frozen", say=lambda line: None)
    made.predict(new_csv)
    assert not made.bound.expired
    longer = [{"text": f"{row['text']} {row['text']} zebra"} for row in planted_rows(200, seed=9)]
    path = write_csv(folder.parent / "longer.csv", longer)
    answer = call("predict", folder, path, "--cascade", "0.9", "--rung", "frozen", "--json")
    assert "warning: the promise does not hold for these rows, which differ from its own by" in answer.err
    assert answer.json["bound"]["expired"]
    assert "the length of texts" in answer.json["bound"]["why"]
    kept = read_bound(folder, "cascade-0_9-frozen")
    assert kept.expired
    assert not deepen.load_cascade(folder, agreement=0.9, rung="frozen").bound.expired


def test_what_the_rows_can_not_back(run: Make, new_csv: Path) -> None:
    folder = run(60)
    line = call("predict", folder, new_csv, "--cascade", "0.99", "--rung", "frozen").failed("SettingError")
    assert line.startswith("--cascade 0.99 can't be promised: 60 rows, 0 of them wrong, are not enough")
    assert "it takes 299 of which none is wrong" in line
    assert line.endswith("--unlabelled FILE")
    line = call("predict", folder, new_csv, "--max-error", "0.05").failed("SettingError")
    assert "60 rows" in line
    assert "it takes 86 that are answered, of which none is wrong" in line
    line = call("predict", run(), new_csv, "--max-error", "0.001", "--rung", "lexical").failed("SettingError")
    assert "700 rows" in line
    assert not (folder / "bounds").exists()


def test_rows_without_a_label_back_it_too(
    run: Make, planted: Run, planted_rows: PlantedRows, new_csv: Path, tmp_path: Path
) -> None:
    folder = run(60)
    more = [{"text": row["text"]} for row in planted_rows(800, seed=11)]
    known = (planted(2, 60).parent / "train.csv").read_text().splitlines()[1:51]
    path = write_csv(tmp_path / "more.csv", more + [{"text": line.rpartition(",")[0]} for line in known])
    words = ("predict", folder, new_csv, "--cascade", "0.9", "--rung", "frozen")
    answer = call(*words, "--unlabelled", path, "--json")
    assert answer.code == 0, answer.err
    rows = answer.json["bound"]["rows"]
    assert "left out, which are labelled already" in answer.err
    assert 60 + 700 < rows <= 60 + 800
    assert call(*words, "--json").json["bound"] == answer.json["bound"], "they are kept with the run"
    [kept] = (folder / "bounds").glob("unlabelled-*.jsonl")
    kept.write_text('{"text": 1}\n')
    assert "--unlabelled FILE writes it again" in call(*words).failed("DataError")
    assert call(*words, "--unlabelled", path).code == 0


def test_rows_without_a_label_of_another_kind_stand_alone(run: Make, planted_rows: PlantedRows, tmp_path: Path) -> None:
    folder, said = run(), []
    longer = [{"text": f"{row['text']} {row['text']}"} for row in planted_rows(500, seed=12)]
    path = write_csv(tmp_path / "longer.csv", longer)
    made = deepen.load_cascade(folder, agreement=0.8, rung="frozen", unlabelled=str(path), say=said.append)
    assert made.bound.rows <= 500
    assert any("they alone back the promise" in line for line in said)


def test_a_model_that_learned_from_the_validation_rows(run: Make, new_csv: Path, planted_rows: PlantedRows) -> None:
    folder = run()
    ladder = json.loads((folder / "ladder.json").read_text())
    (folder / "ladder.json").write_text(json.dumps(ladder | {"refitted": True}))
    line = call("predict", folder, new_csv, "--max-error", "0.2").failed("SettingError")
    assert line.endswith("has learned from the validation rows too, and none is left")
    (folder / "ladder.json").write_text(json.dumps(ladder | {"data": ladder["data"] | {"folds": 2}}))
    for wish in (("--max-error", "0.2"), ("--cascade", "0.9", "--rung", "frozen")):
        assert "has learned from" in call("predict", folder, new_csv, *wish).failed("SettingError")


def test_several_cheaper_rungs_share_what_is_allowed() -> None:
    rng = np.random.default_rng(0)
    sure_RN = rng.uniform(0.5, 1, (3, 4000))
    last_N = rng.integers(0, 2, 4000)
    wrong_RN = rng.random((3, 4000)) > sure_RN
    outputs_RN = np.where(wrong_RN, 1 - last_N, last_N).astype(object)
    outputs_RN[2] = last_N
    rows = Backing(outputs_RN, sure_RN, [""] * 4000, None)
    bound = agreeing(rows, ["one", "two"], 0.02)
    assert bound.kept
    assert bound.threshold is None
    assert all(one.upper <= 0.01 for one in bound.slices)
    assert bound.wrong <= sum(one.wrong for one in bound.slices)
    assert bound.upper == pytest.approx(sum(one.upper for one in bound.slices))
    assert max(one.coverage for one in bound.slices) < bound.coverage < sum(one.coverage for one in bound.slices)


def test_wishes_that_are_none(run: Make, run_of: Run, new_csv: Path, tmp_path: Path) -> None:
    folder = run()

    def failed(*words: object, kind: str = "SettingError") -> str:
        return call("predict", folder, new_csv, *words).failed(kind)

    assert "as in 0.99" in failed("--cascade", "99")
    assert "as in 0.05" in failed("--max-error", "0")
    assert failed("--cascade", "0.9", "--max-error", "0.1").startswith("give either --cascade")
    assert "--unlabelled goes with --cascade" in failed("--max-error", "0.1", "--unlabelled", "x.csv")
    assert "--unlabelled goes with --cascade" in failed("--unlabelled", "x.csv")
    assert failed("--cascade", "0.9", "--rung", "lexical").endswith("leave it out")
    assert "leave --adapter, --compose and --explain out" in failed("--cascade", "0.9", "--explain")
    failed("--cascade", "0.9", "--unlabelled", "nowhere.csv", "--rung", "frozen", kind="DataError")
    alone = folder / "rungs" / "frozen" / "model"
    assert "so name the run" in call("predict", alone, new_csv, "--max-error", "0.1").failed("SettingError")
    rows = tmp_path / "rows.txt"
    rows.write_text("a film\n")
    line = call("predict", run_of("tagging"), rows, "--max-error", "0.1").failed("SettingError")
    assert "one label a row" in line
    lexical, frozen = ((folder / "rungs" / name / "predictions-validation.jsonl") for name in ("lexical", "frozen"))
    lexical.write_text("".join(reversed(lexical.read_text().splitlines(keepends=True))))
    with pytest.raises(DataError, match="have different rows"):
        deepen.load_cascade(folder, agreement=0.9, rung="frozen")
    frozen.unlink()
    with pytest.raises(DataError):
        deepen.load_cascade(folder, max_error=0.3, rung="frozen")


def test_nothing_to_answer(run: Make) -> None:
    made = deepen.load_cascade(run(), agreement=0.9, rung="frozen")
    assert made.predict([]) == []
    [gap] = made.predict([" "])
    assert gap.skipped is not None
    assert made.predict("a good film")[0].output in made.labels
    with pytest.raises(SettingError):
        deepen.load_cascade(made.model.run_folder or "")
