"""`deepen check` as a person and a program call it, and what `deepen train` makes of it."""

from __future__ import annotations

import csv
import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from deepen import api
from deepen.cli import main as command_line
from deepen.core.errors import DataError, SettingError

Run = Callable[..., tuple[int, str, str]]
KEYS = ["severity", "code", "file", "line", "count", "message", "remedy"]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs the command line in this process: exit code, stdout, stderr."""

    def call(*words: str) -> tuple[int, str, str]:
        monkeypatch.setattr("sys.argv", ["deepen", *words])
        with pytest.raises(SystemExit) as stopped:
            command_line.main()
        told = capsys.readouterr()
        return int(stopped.value.code or 0), told.out, told.err

    return call


def write(path: Path, rows: list[dict[str, Any]]) -> str:
    with path.open("w", encoding="utf-8", newline="") as out:
        writer = csv.DictWriter(out, ["text", "label"])
        writer.writeheader()
        writer.writerows(rows)
    return str(path)


def test_clean_data_exits_0_with_one_json_object(run: Run, two_class_csv: Path) -> None:
    code, out, err = run("check", str(two_class_csv), "--test", str(two_class_csv.with_name("test.csv")), "--json")
    record = json.loads(out)
    assert code == 0, record["findings"]
    assert "checking 400 rows" in err
    assert list(record) == ["rows", "columns", "task", "findings"]
    assert record["rows"] == 300
    assert record["task"] == "classification"
    assert "by its name" in record["columns"]["label"]["reason"]
    assert all(list(finding) == KEYS for finding in record["findings"])


def test_errors_exit_2_and_come_first(run: Run, tmp_path: Path, planted_rows: Callable[..., Any]) -> None:
    rows = planted_rows(200)
    for row in rows[20:24]:
        row["text"] = ""
    data = write(tmp_path / "bad.csv", rows)
    code, out, _ = run("check", data, "--json")
    findings = json.loads(out)["findings"]
    assert code == 2
    assert (findings[0]["code"], findings[0]["line"]) == ("empty_text", 22)
    code, out, _ = run("check", data)
    assert code == 2
    assert "empty_text" in out
    assert "training would stop" in out
    code, out, _ = run("check", data, "--set", "data.bad_rows=drop")
    assert code == 0


def test_what_cant_be_read_is_a_finding_and_what_is_not_there_an_error(run: Run, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(b"text,label\ngood,1\ncaf\xe9,0\nbad,0\n")
    code, out, _ = run("check", str(tmp_path / "a.csv"), "--json")
    record = json.loads(out)
    assert (code, record["rows"]) == (2, 0)
    assert [(finding["code"], finding["line"]) for finding in record["findings"]] == [("not_utf8", 3)]
    code, out, err = run("check", str(tmp_path / "none.csv"))
    assert code == 2
    assert "DataError" in err
    assert not out


def test_rows_from_python(planted_rows: Callable[..., Any]) -> None:
    rows = planted_rows(200)
    record = api.check(rows, test=[*planted_rows(120, seed=5), rows[3]])
    assert "leakage" in {finding["code"] for finding in record["findings"]}
    with pytest.raises(SettingError, match="unknown task"):
        api.check(rows, task="claßification")


def test_training_stops_at_errors_unless_told(tmp_path: Path, tiny_model: Path) -> None:
    rows = [{"text": str(7 * at + 1000), "label": ("a", "b")[at % 2]} for at in range(300)]
    asked: dict[str, Any] = {"model": str(tiny_model), "rungs": ["majority"], "out": tmp_path / "run"}
    with pytest.raises(DataError, match=r"is it the right column\?.*data.check=false"):
        api.train(rows, **asked)
    assert not (tmp_path / "run" / "ladder.json").exists()
    api.train(rows, **asked, settings=["data.check=false"])


def test_training_tells_leaks_and_keeps_near_duplicates_together(
    tmp_path: Path, tiny_model: Path, planted_rows: Callable[..., Any]
) -> None:
    chance = random.Random(0)
    rows = planted_rows(200)
    near = [{**row, "text": row["text"].replace("a", "e", 1) + chance.choice("!?.")} for row in rows]
    run = api.train(
        [*rows, *near], test=rows[:5], model=str(tiny_model), rungs=["majority"], out=tmp_path / "run", seed=1
    )
    notes = " ".join(run.ladder["data"]["warnings"])
    assert "5 rows of test (100.0%) are in train too" in notes
    held = [json.loads(line) for line in (tmp_path / "run/rungs/majority/predictions-validation.jsonl").open()]
    texts = {prediction["inputs"]["text"] for prediction in held}
    apart = [
        row["text"] for row, twin in zip(rows, near, strict=True) if (row["text"] in texts) != (twin["text"] in texts)
    ]
    assert not [text for text in apart if len(text) > 40]
