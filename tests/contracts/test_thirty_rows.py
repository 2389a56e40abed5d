"""Thirty rows of every task, English and Chinese: trained, answered in every way, and laid beside the rows again."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from tests.contracts.conftest import Deepen
from tests.worlds import WORLDS, some

import deepen as front_door

CHINESE = str.maketrans("abcdefghijklmnopqrstuvwxyz", "的一是不了在人有我他这个们中来上大为和国地到以说时要"[:26])
TEXTS = {"text", "tokens", "sentence1", "sentence2", "context", "question", "query", "document", "answer", "answers"}


def in_chinese(value: Any) -> Any:
    """A text with a Chinese letter for each Latin one, so that places in it stay right; marks stay as they are."""
    if isinstance(value, str):
        return "".join(
            part if part.startswith("<") else part.translate(CHINESE) for part in re.split(r"(<[^>]*>)", value)
        )
    if isinstance(value, list):
        return [in_chinese(part) for part in value]
    return {name: in_chinese(part) for name, part in value.items()} if isinstance(value, dict) else value


@pytest.mark.parametrize(
    ("task", "chinese"),
    some(
        [
            *((task, True) for task in sorted(WORLDS)),
            *((task, False) for task in ("classification", "span_qa", "tagging")),
        ],
        *((task, True) for task in ("matching", "multilabel", "ranking", "span_qa", "tagging")),
        ("classification", False),
    ),
)
def test_answers_join_their_rows(task: str, chinese: bool, deepen: Deepen, tiny_model: Path, tmp_path: Path) -> None:
    rows = WORLDS[task](30)
    if chinese:
        rows = [{name: in_chinese(value) if name in TEXTS else value for name, value in row.items()} for row in rows]
    lines = [json.dumps(row | {"number": at}, ensure_ascii=False) for at, row in enumerate(rows, 100)]
    (tmp_path / "rows.jsonl").write_text("\n".join(lines), encoding="utf-8")
    words = ("--task", task, "--model", tiny_model, "--rungs", "majority,lexical", "--out", "run")
    trained = deepen("train", "rows.jsonl", *words)
    assert trained.code == 0, trained.err
    said = [row["output"] for row in deepen("predict", "run", "rows.jsonl", "--json").json["predictions"]]
    assert len(said) == 30
    printed = deepen("predict", "run", "rows.jsonl")
    assert len(printed.out.splitlines()) == 30
    for name in ("o.csv", "o.jsonl"):
        assert deepen("predict", "run", "rows.jsonl", "--out", name).code == 0
    kept = [json.loads(line) for line in (tmp_path / "o.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [(row["row"]["line"], row["output"]) for row in kept] == list(enumerate(said, 1))
    with (tmp_path / "o.csv").open(encoding="utf-8", newline="") as file:
        cells = list(csv.DictReader(file))
    assert [row["number"] for row in cells] == [str(at) for at in range(100, 130)]
    for name in rows[0].keys() & TEXTS:
        own = [row[name] if isinstance(row[name], str) else json.dumps(row[name], ensure_ascii=False) for row in rows]
        assert [row[name].removeprefix("'") for row in cells] == own
    model = front_door.load("run")
    assert [answer.output for answer in model.predict("rows.jsonl")] == said
    frame = pd.DataFrame([json.loads(line) for line in lines]).set_index("number", drop=False)
    joined = frame[["number"]].join(model.predict(frame, as_pandas=True))
    assert joined["output"].tolist() == said
    assert list(joined.index) == list(range(100, 130))
