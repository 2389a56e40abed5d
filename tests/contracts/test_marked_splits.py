"""A file whose column says which rows are for testing: they are scored and never learned."""

from __future__ import annotations

import csv
import json
from pathlib import Path

from tests.contracts.conftest import Deepen
from tests.worlds import WORLDS


def test_rows_that_are_marked_are_the_test_rows(deepen: Deepen, tmp_path: Path, tiny_model: Path) -> None:
    made = WORLDS["classification"](90)
    marks = ["train", "train", "test"]
    with (tmp_path / "all.csv").open("w", encoding="utf-8", newline="") as out:
        writer = csv.DictWriter(out, ["text", "label", "split"])
        writer.writeheader()
        writer.writerows({**row, "split": marks[at // 2 % 3]} for at, row in enumerate(made))
    words = [
        "--rungs",
        "majority,lexical",
        "--model",
        tiny_model,
        "--out",
        "run",
        "--set",
        "data.validation_at_least=10",
    ]
    answer = deepen("train", "all.csv", *words, "--json")
    assert answer.code == 0, answer.err
    [accuracy] = [score for score in answer.json["test"] if score["name"] == "accuracy"]
    assert accuracy["n"] == 30
    assert "those for train are read" in answer.err
    record = deepen("evaluate", "run", "all.csv", "--json").json
    assert record["num_examples"] == 30
    given = deepen("predict", "run", "all.csv", "--out", "out.jsonl")
    assert given.code == 0, given.err
    assert len((tmp_path / "out.jsonl").read_text(encoding="utf-8").splitlines()) == 90
    found = deepen("check", "all.csv", "--json")
    codes = {finding["code"] for finding in json.loads(found.out)["findings"]}
    assert json.loads(found.out)["rows"] == 60
    assert "label_missing" not in codes
