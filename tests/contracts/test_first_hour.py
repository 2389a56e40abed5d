"""What a person meets in the first hour: lists of runs, the cache, standard input, short answers in Python."""

from __future__ import annotations

import csv
import io
import json
import logging
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from tests.contracts.conftest import Deepen, Finished

import deepen as front_door
from deepen.cli import show
from deepen.core import cache

TEXTS = ["a lovely film", "not good zebra"]


@pytest.fixture(autouse=True)
def as_it_was() -> Any:
    yield
    show.Manner.quiet = show.Manner.verbose = show.Manner.wide = False


def test_runs(finished: Finished, deepen: Deepen, tmp_path: Path) -> None:
    assert "no runs in runs" in deepen("runs").out
    assert "`deepen runs FOLDER` looks elsewhere" in deepen("runs").out
    deepen("runs", "nowhere").failed("DataError")
    (tmp_path / "odd").mkdir()
    (tmp_path / "odd" / "ladder.json").write_text("{")
    found = {Path(run["run"]).name: run for run in deepen("runs", finished.folder.parent, "--json").json["runs"]}
    run, ladder = found[finished.folder.name], front_door.Run(finished.folder).ladder
    assert (run["state"], run["chosen"], run["task"]) == ("finished", ladder.chosen, "classification")
    assert run["score"]["value"] == ladder.chosen_row.score["value"]  # type: ignore[index]
    names = {(about.st_ino, about.st_size) for about in map(os.stat, filter(Path.is_file, finished.folder.rglob("*")))}
    assert run["bytes"] == sum(size for _, size in names)
    assert [run["state"] for run in deepen("runs", tmp_path, "--json").json["runs"]] == ["damaged"]
    table = deepen("runs", finished.folder.parent).out
    assert len([line for line in table.splitlines() if finished.folder.name in line]) == 1


def test_the_cache(deepen: Deepen, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEEPEN_CACHE", str(tmp_path / "cache"))
    old = time.time() - 10_000
    for at, name in enumerate(("a", "b", "c")):
        (tmp_path / "cache" / "tables" / name).mkdir(parents=True)
        file = tmp_path / "cache" / "tables" / name / "rows.arrow"
        file.write_bytes(b"x" * 1000)
        for path in (file, file.parent):
            os.utime(path, (old + at, old + at))
    (tmp_path / "cache" / "mine.txt").write_text("kept")
    assert deepen("cache", "--json").json["kinds"]["tables"]["entries"] == 3
    assert "deepen cache --clear" in deepen("cache").out
    num_bytes = cache.entries()[0].num_bytes
    monkeypatch.setenv(cache.CAP, str(2.5 * num_bytes / 1e9))
    said: list[str] = []
    cache.trim(said.append)
    assert [entry.path.name for entry in cache.entries()] == ["b", "c"]
    assert "1 old entry removed" in said[0]
    os.utime(tmp_path / "cache" / "tables" / "b" / "rows.arrow")
    monkeypatch.setenv(cache.CAP, "0")
    cache.trim()
    assert [entry.path.name for entry in cache.entries()] == ["b"], "what was used within the hour stays"
    monkeypatch.setenv(cache.CAP, "many")
    assert "must be a number of gigabytes" in deepen("cache").failed("SettingError")
    monkeypatch.delenv(cache.CAP)
    assert deepen("cache", "--clear").code == 0
    assert cache.entries() == []
    assert (tmp_path / "cache" / "mine.txt").read_text() == "kept"


def test_standard_input(finished: Finished, deepen: Deepen, monkeypatch: pytest.MonkeyPatch) -> None:
    sent = io.TextIOWrapper(io.BytesIO("\n".join(TEXTS).encode()))
    monkeypatch.setattr(sys, "stdin", sent)
    piped = deepen("predict", finished.folder, "-", "--json").json["predictions"]
    typed = deepen("predict", finished.folder, *[word for text in TEXTS for word in ("--text", text)], "--json")
    assert [(row["row"]["file"], row["row"]["line"]) for row in piped] == [("-", 1), ("-", 2)]
    assert [row["output"] for row in piped] == [row["output"] for row in typed.json["predictions"]]
    for words in (("--top",), ("--bom",), ("--top", "--out", "a.jsonl")):
        said = deepen("predict", finished.folder, "--text", "a", *words).failed("SettingError")
        assert "goes with --out FILE.csv" in said
    assert "write it as name=text" in deepen("predict", finished.folder, "--input", "a film").failed("SettingError")
    twice = ("--input", "text=a", "--input", "text=b")
    assert "is given twice" in deepen("predict", finished.folder, *twice).failed("SettingError")


def test_quiet_and_verbose(finished: Finished, deepen: Deepen) -> None:
    assert "device" in deepen("predict", finished.folder, "--text", TEXTS[0]).err
    quiet = deepen("predict", finished.folder, "--text", TEXTS[0], "-q")
    assert (quiet.err, len(quiet.out.splitlines())) == ("", 1)
    assert " s] " in deepen("predict", finished.folder, "--text", TEXTS[0], "-v").err


def test_help_and_completion() -> None:
    short = subprocess.run([sys.executable, "-m", "deepen", "predict", "-h"], capture_output=True, text=True)
    assert short.returncode == 0
    assert "--quiet" in short.stdout
    asked = {"_DEEPEN_COMPLETE": "complete_bash", "COMP_WORDS": "deepen pre", "COMP_CWORD": "1"}
    offered = subprocess.run(
        [sys.executable, "-m", "deepen"], capture_output=True, text=True, env=dict(os.environ) | asked
    )
    assert offered.stdout.split() == ["predict"]


def test_what_python_takes(finished: Finished) -> None:
    model = front_door.load(finished.folder)
    one = [answer.output for answer in model.predict(TEXTS)]
    frame = pd.DataFrame({"text": TEXTS}, index=[f"row {at}" for at in range(len(TEXTS))])
    for given in (tuple(TEXTS), pd.Series(TEXTS), np.array(TEXTS), np.array(TEXTS, object), iter(TEXTS), frame):
        assert [answer.output for answer in model.predict(given)] == one, type(given)
    assert [answer.output for answer in model.predict(TEXTS[0])] == one[:1]
    assert [answer.output for answer in model.predict({"text": TEXTS[0]})] == one[:1]
    assert model.predict([]) == []
    assert model.predict(pd.Series([TEXTS[0], None]))[1].skipped
    with pytest.raises(front_door.DataError, match=r"nowhere\.csv"):
        model.predict("nowhere.csv")
    for wrong in (None, 5, np.array([TEXTS])):
        with pytest.raises(front_door.DataError, match="give a text, a list of texts"):
            model.predict(wrong)
    found = model.predict(frame, as_pandas=True)
    assert list(found.index) == list(frame.index)
    assert list(found["output"]) == one
    probabilities = model.predict_proba(TEXTS)
    assert probabilities.shape == (len(TEXTS), len(model.labels))
    assert [model.labels[at] for at in probabilities.argmax(1)] == one
    np.testing.assert_array_equal(found[[f"p_{label}" for label in model.labels]], probabilities)
    assert np.isnan(model.predict_proba([TEXTS[0], ""])[1]).all()
    assert model.predict([TEXTS[0], ""], as_pandas=True)["skipped"].notna().tolist() == [False, True]


def test_evaluate_in_one(finished: Finished, planted_rows: Any) -> None:
    rows = planted_rows(40)
    assert front_door.evaluate(finished.folder, rows) == front_door.load(finished.folder).evaluate(rows)


def test_short_words_for_a_notebook(finished: Finished) -> None:
    run, model = front_door.Run(finished.folder), front_door.load(finished.folder)
    answer = model.predict(["<b>a film</b>"])[0]
    for thing in (run, model, answer):
        assert len(repr(thing)) < 300
        assert "\n" not in repr(thing)
    assert run.chosen in repr(run)
    assert all(f"{row.rung}" in run._repr_html_() for row in run.ladder.rungs)
    assert "<b>a film" not in answer._repr_html_()
    assert "&lt;b&gt;" in answer._repr_html_()
    pytest.importorskip("captum")
    explained = model.explain([TEXTS[0]])[0]._repr_html_()
    assert all(word in explained for word in TEXTS[0].split())


def test_lines_go_to_the_logger(finished: Finished, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "deepen"):
        front_door.load(finished.folder).predict([{"text": "a", "more": "b"}])
    assert any("device" in record.message for record in caplog.records)


def test_a_table_of_any_label(deepen: Deepen, tiny: tuple[str, str], tmp_path: Path) -> None:
    """A label that a spreadsheet would compute is guarded in the name of its column too."""
    rows = [
        {"text": f"{word} film {at}", "label": label}
        for at in range(40)
        for word, label in (("a", "=1+1"), ("b", "中"))
    ]
    (tmp_path / "odd.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    assert deepen("train", "odd.jsonl", *tiny, "--rungs", "lexical", "--out", "odd").code == 0
    assert deepen("predict", "odd", "odd.jsonl", "--out", "odd.csv").code == 0
    with (tmp_path / "odd.csv").open(encoding="utf-8", newline="") as file:
        assert next(csv.reader(file))[-2:] == ["p_=1+1", "p_中"]
