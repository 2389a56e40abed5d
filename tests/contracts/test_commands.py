"""What each verb prints, writes and answers with."""

from __future__ import annotations

import csv
import gzip
import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest
from tests.contracts import golden
from tests.contracts.conftest import Deepen, Finished
from tests.worlds import WORLDS

import deepen as front_door

TEXTS = ["a lovely film", "not good zebra"]


def test_evaluate(finished: Finished, deepen: Deepen) -> None:
    test = finished.data.parent / "test.csv"
    record = deepen("evaluate", finished.folder, test, "--json").json
    assert set(record) == golden.EVALUATE
    assert record["num_examples"] == 100
    assert all(set(score) == golden.SCORE for score in record["scores"])
    ladder = finished.answer.json
    values = {(s["name"], s["label"]): s["value"] for s in record["scores"]}
    assert values == pytest.approx({(s["name"], s["label"]): s["value"] for s in ladder["test"]}, abs=1e-5)
    other = deepen("evaluate", finished.folder, test, "--rung", "majority", "--json").json
    assert (other["rung"], record["rung"]) == ("majority", ladder["chosen"])
    table = deepen("evaluate", finished.folder, test)
    assert "accuracy" in table.out
    assert "by label" in table.out


def test_evaluate_on_rows_that_were_learned_from(finished: Finished, deepen: Deepen) -> None:
    test = finished.data.parent / "test.csv"
    assert "the run learned from rows of this file" not in deepen("evaluate", finished.folder, test, "--json").err
    assert "the run learned from rows of this file" in deepen("evaluate", finished.folder, finished.data).err


def test_predict_typed_texts(finished: Finished, deepen: Deepen) -> None:
    record = deepen("predict", finished.folder, "--rung", "full", "--text", TEXTS[0], "--text", TEXTS[1], "--json").json
    assert [line["inputs"]["text"] for line in record["predictions"]] == TEXTS
    for line in record["predictions"]:
        assert golden.PREDICTION - golden.PREDICTION_OPTIONAL <= set(line) <= golden.PREDICTION
        assert line["num_tokens"] > 2
    said = deepen("predict", finished.folder, "--rung", "full", "--text", TEXTS[0]).out
    assert said.startswith(record["predictions"][0]["output"])
    assert TEXTS[0] in said


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.csv", "text,label\na lovely film,positive\nnot good zebra,negative\n", []),
        ("a.csv", "text\na lovely film\nnot good zebra\n", []),
        ("a.csv", "id,when,text\n1,x,a lovely film\n2,y,not good zebra\n", []),
        ("a.csv", "id,label,body\n1,?,a lovely film\n2,?,not good zebra\n", ["--columns", "text=body"]),
        ("a.jsonl", '{"text": "a lovely film"}\n{"text": "not good zebra"}\n', []),
        ("a.txt", "a lovely film\nnot good zebra\n", []),
        ("a.csv.gz", "text\na lovely film\nnot good zebra\n", []),
        ("a.csv", "text,label\na lovely film,\nnot good zebra,unheard of\n", []),
    ],
    ids=["labelled", "text only", "more columns", "another name", "jsonl", "lines", "gz", "labels empty and unknown"],
)
def test_predict_rows(finished: Finished, deepen: Deepen, name: str, content: str, words: list[str]) -> None:
    data = content.encode()
    Path(name).write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
    record = deepen("predict", finished.folder, name, *words, "--json").json
    assert [line["inputs"]["text"] for line in record["predictions"]] == TEXTS
    typed = deepen("predict", finished.folder, "--text", TEXTS[0], "--text", TEXTS[1], "--json").json
    assert [line["probabilities"] for line in record["predictions"]] == [
        line["probabilities"] for line in typed["predictions"]
    ]


def test_predict_to_a_file(finished: Finished, deepen: Deepen) -> None:
    test = finished.data.parent / "test.csv"
    answer = deepen("predict", finished.folder, test, "--out", "answers.jsonl")
    assert (answer.code, answer.out.strip()) == (0, "100 predictions in answers.jsonl")
    found = [json.loads(line) for line in Path("answers.jsonl").read_text().splitlines()]
    assert all(set(line) == golden.PREDICTION for line in found)
    record = deepen("predict", finished.folder, test, "--out", "answers.csv", "--json").json
    assert record["out"] == "answers.csv"
    with Path("answers.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["output"] for row in rows] == [line["output"] for line in found]
    assert [row["text"] for row in rows] == [line["inputs"]["text"] for line in found]
    assert set(os.listdir()) == {"answers.jsonl", "answers.csv"}


def test_predict_with_nothing_to_predict(finished: Finished, deepen: Deepen) -> None:
    assert "one of the three" in deepen("predict", finished.folder).failed("SettingError")
    assert "one of the three" in deepen("predict", finished.folder, "x.csv", "--text", "x").failed("SettingError")
    Path("header.csv").write_text("text,label\n")
    deepen("predict", finished.folder, "header.csv").failed("DataError")
    deepen("predict", finished.folder, "--text", "").failed("DataError")
    assert "must end in" in deepen("predict", finished.folder, "--text", "x", "--out", "x.xml").failed("SettingError")
    line = deepen("predict", finished.folder, "--text", "x", "--rung", "fulll").failed("ModelError")
    assert "did you mean 'full'?" in line
    assert "is not a run" in deepen("predict", "nowhere", "--text", "x").failed("DataError")


@pytest.mark.parametrize("rung", ["../..", "..", ".", "", "/", "full/../lexical", "fulll"])
def test_a_rung_that_is_not_there(finished: Finished, deepen: Deepen, rung: str) -> None:
    (finished.folder.parent / "model").mkdir(exist_ok=True)
    (finished.folder.parent / "model" / "deepen.json").write_text("{}")
    line = deepen("predict", finished.folder, "--text", "x", "--rung", rung).failed("ModelError")
    assert line.startswith(f"{finished.folder} has no rung '{rung}'; ")


def test_arguments_of_another_type(finished: Finished) -> None:
    with pytest.raises(front_door.SettingError, match="rung is 5: it must be text"):
        front_door.load(finished.folder, rung=5)  # type: ignore[arg-type]
    model = front_door.load(finished.folder, rung="majority")
    for columns in (3, "text=a", {"text": "text", "label": "text"}):
        with pytest.raises(front_door.SettingError, match="column"):
            model.predict(TEXTS, columns=columns)  # type: ignore[arg-type]
    with pytest.raises(front_door.DataError, match="data is 5: give a text"):
        model.predict(5)


def test_a_model_folder_has_no_rungs(finished: Finished, deepen: Deepen) -> None:
    assert deepen("predict", finished.folder / "model", "--text", "x").code == 0
    line = deepen("predict", finished.folder / "model", "--text", "x", "--rung", "full").failed("ModelError")
    assert "leave --rung out" in line


def test_a_rung_of_a_run_without_its_rungs(finished: Finished, deepen: Deepen, tmp_path: Path) -> None:
    shutil.copytree(finished.folder / "model", tmp_path / "moved" / "model")
    line = deepen("predict", tmp_path / "moved", "--text", "x", "--rung", "full").failed("ModelError")
    assert "rungs/ is gone" in line


def test_answers_never_replace_the_rows(finished: Finished, deepen: Deepen, tmp_path: Path) -> None:
    rows = tmp_path / "rows.csv"
    rows.write_text("text,label\na,b\n")
    line = deepen("predict", finished.folder, rows, "--out", rows).failed("SettingError")
    assert "another name" in line
    assert rows.read_text() == "text,label\na,b\n"


@pytest.mark.parametrize("verb", ["predict", "evaluate"])
def test_rows_are_read_as_they_are_set(finished: Finished, deepen: Deepen, verb: str) -> None:
    Path("a.csv").write_text("text,label\na lovely film,positive\n,negative\nnot good zebra,negative\n")
    words = [verb, finished.folder, "a.csv", "--json"]
    strict = deepen(*words, "--set", "data.bad_rows=error").failed("DataError")
    assert "a.csv line 3: text is empty" in strict
    answer = deepen(*words, "--set", "data.bad_rows=drop")
    assert ("a.csv: 1 bad row of 3 left out" if verb == "evaluate" else "1 of 3 rows gets no answer") in answer.err
    assert answer.json.get("num_examples", sum("output" in row for row in answer.json.get("predictions", []))) == 2
    wrong = deepen(*words, "--set", "data.bad_row=drop").failed("SettingError")
    assert wrong == "settings: unknown key 'data.bad_row'; did you mean 'bad_rows'?"
    assert "did you mean 'data'?" in deepen(*words, "--set", "dta.bad_rows=drop").failed("SettingError")
    assert "'data.bad_rows' is 'keep'" in deepen(*words, "--set", "data.bad_rows=keep").failed("SettingError")
    model = front_door.load(finished.folder, settings=["data.bad_rows=drop"])
    assert [answer.skipped for answer in model.predict("a.csv")] == [None, "text is empty", None]


def test_report(finished: Finished, deepen: Deepen) -> None:
    answer = deepen("report", finished.folder)
    assert (answer.code, answer.out.strip()) == (0, str(finished.folder / "report.html"))
    assert "<html" in (finished.folder / "report.html").read_text()
    assert "is not a run folder" in deepen("report", "nowhere").failed("DataError")


def test_models_and_schema(deepen: Deepen) -> None:
    [model] = [model for model in deepen("models", "--json").json["models"] if model["default"]]
    assert model["name"] == "sentence-transformers/all-MiniLM-L6-v2"
    schema = json.loads(deepen("schema").out)
    assert {"data", "model", "ladder", "rungs", "seed"} <= set(schema["properties"])


def test_version(deepen: Deepen) -> None:
    assert deepen("--version").out.strip() == f"deepen {front_door.__version__}"


def test_budget(finished: Finished, deepen: Deepen) -> None:
    words = ["--model", finished.model, "--out", "run", "--json", "--budget"]
    record = deepen("train", finished.data, *words, "1s", "--set", "rungs.full.num_epochs=100000").json
    rows = {row["rung"]: row for row in record["rungs"]}
    assert {name: row["status"] for name, row in rows.items()} == {
        **dict.fromkeys(("majority", "lexical", "frozen"), "done"),
        **dict.fromkeys(("top_layers", "full"), "skipped"),
    }
    assert "of the budget are left" in rows["full"]["reason"]
    assert rows["full"]["forecast_seconds"] > 1
    assert all(set(row) == golden.LADDER_ROW for row in record["rungs"])
    assert "5parsecs" in deepen("train", finished.data, "--budget", "5parsecs").failed("SettingError")


def test_an_existing_run_is_refused_resumed_or_replaced(finished: Finished, deepen: Deepen) -> None:
    words = ["--model", finished.model, "--out", "run", "--json", "--rungs"]
    assert deepen("train", finished.data, *words, "majority").json["chosen"] == "majority"
    line = deepen("train", finished.data, *words, "majority").failed("SettingError")
    assert line == "run exists already: pass --resume to go on with it or --overwrite to replace it"
    both = deepen("train", finished.data, *words, "majority", "--resume", "--overwrite")
    assert "exclude each other" in both.failed("SettingError")
    again = deepen("train", "--out", "run", "--resume", "--json")
    assert "complete already" in again.err
    assert again.json["chosen"] == "majority"
    assert deepen("train", finished.data, *words, "lexical", "--overwrite").json["chosen"] == "lexical"

    Path("mine").mkdir()
    Path("mine/thesis.txt").write_text("ten years of work")
    for word in ("--overwrite", "--resume"):
        line = deepen("train", finished.data, "--model", finished.model, "--out", "mine", word).failed("SettingError")
        assert line == f"mine is not empty and not a run folder, so {word} leaves it alone: give another --out"
    assert os.listdir("mine") == ["thesis.txt"]


def test_the_default_folder(finished: Finished, deepen: Deepen) -> None:
    words = [finished.data, "--model", finished.model, "--rungs", "majority", "--json"]
    found = [deepen("train", *words).json["run"] for _ in range(2)]
    assert found == ["runs/train-classification-1", "runs/train-classification-2"]


def test_python_mirrors_the_command_line(
    finished: Finished, planted_rows: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pandas = pytest.importorskip("pandas")
    monkeypatch.chdir(tmp_path)
    rows = planted_rows(120)
    frame = pandas.DataFrame(rows).rename(columns={"text": "Body", "label": "Stars"})
    run = front_door.train(
        frame,
        test=frame.head(30),
        columns={"text": "Body", "label": "Stars"},
        model=str(finished.model),
        rungs=["majority", "frozen"],
        settings=["data.validation_at_least=30"],
    )
    assert run.folder == Path("runs/data-classification-1")
    model = front_door.load(run)
    texts = [row["text"] for row in rows[:5]]
    told = [prediction.output for prediction in model.predict(texts)]
    assert told == [prediction.output for prediction in model.predict(frame.head(5))]
    assert told == [prediction.output for prediction in model.predict(frame.head(5).drop(columns="Stars"))]
    assert told == [prediction.output for prediction in model.predict([{"Body": text} for text in texts])]
    assert {score.name for score in model.evaluate(frame.head(30))} == golden.CLASSIFICATION_SCORES
    assert model.predict([]) == []


def test_two_tunings_over_one_encoder(tiny_model: Path, deepen: Deepen, tmp_path: Path) -> None:
    rows = WORLDS["classification"](200)
    for seed, name in enumerate(("one", "two")):
        given: dict[str, Any] = {"rungs": ["frozen", "full"], "thorough": True, "seed": seed}
        given["settings"] = ["rungs.full.num_epochs=1"]
        front_door.train(rows, model=tiny_model, out=tmp_path / name, tuning="lora", **given)
    both = (tmp_path / "one", "--adapter", tmp_path / "two", "--rung", "full", "--text", TEXTS[0], "--text", TEXTS[1])
    said = deepen("predict", *both, "--json").json["predictions"]
    assert [Path(row["adapter"]).name for row in said] == ["one", "one", "two", "two"]
    alone = deepen("predict", tmp_path / "two", "--rung", "full", "--text", TEXTS[0], "--json").json["predictions"]
    assert said[2]["output"] == alone[0]["output"]
    assert said[2]["probabilities"] == pytest.approx(alone[0]["probabilities"], abs=1e-4)
    file = tmp_path / "new.csv"
    file.write_text(f'text\n{TEXTS[0]}\n""\n{TEXTS[1]}\n', encoding="utf-8")
    over = (tmp_path / "one", file, "--adapter", tmp_path / "two", "--rung", "full")
    deepen("predict", *over, "--set", "data.bad_rows=error").failed("DataError")
    kept = deepen("predict", *over, "--set", "data.bad_rows=drop", "--json").json["predictions"]
    assert len(kept) == 2 * (len(TEXTS) + 1), "what is said of reading holds for both"
    wrong = deepen("predict", tmp_path / "one", "--adapter", tmp_path / "two", "--rung", "frozen", "--text", "a")
    assert "has no adapter: train it with --tuning lora" in wrong.failed("ModelError")
