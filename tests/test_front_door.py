"""What a hostile but fair user found once stays found."""

from __future__ import annotations

import json
import os
import re
import shutil
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import deepen
from deepen import api
from deepen.cli import show
from deepen.core.errors import SettingError
from deepen.core.files import open_to_others
from deepen.core.settings import parse_duration
from deepen.preparation.recipe import make_recipe


def test_no_room_has_the_name_of_a_verb() -> None:
    rooms = {path.name for path in Path(deepen.__file__).parent.iterdir() if path.is_dir()}
    assert not rooms & set(deepen.__all__), "once imported, the room would hide the verb"
    assert deepen.load is api.load


@pytest.mark.parametrize(("given", "policy"), [({}, "PASSIVE"), ({"OMP_WAIT_POLICY": "active"}, "active")])
def test_threads_sleep_while_they_wait_unless_told(given: dict[str, str], policy: str) -> None:
    rest = {name: value for name, value in os.environ.items() if name != "OMP_WAIT_POLICY"}
    command = [sys.executable, "-c", "import os, deepen; print(os.environ['OMP_WAIT_POLICY'])"]
    assert (
        subprocess.run(command, env=rest | given, capture_output=True, text=True, check=True).stdout.strip() == policy
    )


def test_the_command_of_a_run_names_nobodys_home(
    tmp_path: Path, tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "home" / "work").mkdir(parents=True)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path / "home" / "work")
    rows = [{"text": f"{word} {number}", "label": word} for number in range(40) for word in ("good", "bad")]
    words = [
        f"{tmp_path}/home/work/t.csv",
        f"--out={tmp_path}/home/x",
        f"data.path={tmp_path}/home/a=b",
        "/elsewhere",
        "x=1",
    ]
    monkeypatch.setattr(sys, "argv", [f"{tmp_path}/bin/deepen", "train", *words])
    Path("t.csv").write_text("text,label\n" + "".join(f"{row['text']},{row['label']}\n" for row in rows))
    shutil.copytree(tiny_model, "model")
    run = api.train(Path("t.csv").absolute(), model=Path("model").absolute(), rungs=["majority"], out="run")
    told = json.loads((run.folder / "environment.json").read_text())["command"]
    assert str(tmp_path) not in (run.folder / "model" / "README.md").read_text()
    assert told == ["deepen", "train", "t.csv", "--out=~/x", "data.path=~/a=b", "/elsewhere", "x=1"]


def test_a_home_folder_is_known_wherever_a_path_is_given(
    tmp_path: Path, tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(tiny_model, tmp_path / "model")
    monkeypatch.setenv("HOME", str(tmp_path))
    rows = "".join(f"good film {i},a\nbad film {i},b\n" for i in range(40))
    (tmp_path / "t.csv").write_text(f"text,label\n{rows}")
    (tmp_path / "ids.csv").write_text("id\n")
    (tmp_path / "names.yaml").write_text("a: good\nb: bad\n")
    (tmp_path / "r.yaml").write_text("ladder: {rungs: [majority]}\n")
    named = {
        "drop": "~/ids.csv",
        "labels": "~/names.yaml",
        "recipe": "~/r.yaml",
        "validation": "~/t.csv",
        "out": "~/run",
        "model": "~/model",
    }
    api.train("~/t.csv", **named)  # type: ignore[arg-type]
    assert (tmp_path / "run" / "ladder.json").is_file()
    assert api.load("~/run").predict(["a film"])[0].output in ("good", "bad")
    assert api.report("~/run") == tmp_path / "run" / "report.html"


@pytest.mark.parametrize(
    "values",
    [
        {"seed": -1},
        {"ladder": {"worth": float("nan")}},
        {"data": {"validation_share": 2}},
        {"model": {"max_tokens": 0}},
        {"rungs": {"lexical": {"folds": 1}}},
        {"rungs": {"lexical": {"strengths": []}}},
        {"rungs": {"full": {"learning_rate": -1}}},
    ],
)
def test_settings_that_would_fail_later_fail_at_once(values: dict[str, dict[str, object]]) -> None:
    with pytest.raises(SettingError):
        make_recipe(values)


def test_no_rung_at_all_is_not_every_rung() -> None:
    with pytest.raises(SettingError, match="at least one rung"):
        api.train([{"text": "a", "label": "b"}], rungs=[])


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"data": 5}, "data is 5: it must be a path, a hub name, a DataFrame or a list"),
    ({"data": b"x.csv"}, "data is "),
    ({"test": {"a": 1}}, "test is "),
    ({"columns": 3}, "'data.columns' is 3: it must be a section"),
    ({"columns": "text=a"}, "'data.columns' is 'text=a': it must be a section"),
    ({"columns": {"text": "a", "label": "a"}}, "column 'a' is named twice"),
    ({"settings": "x=1"}, "settings is 'x=1': it must be a list of words"),
    ({"settings": [1]}, "settings is [1]: it must be a list of words"),
    ({"settings": 1}, "settings is 1: it must be a list of words"),
    ({"seed": "a"}, "'seed' is 'a': it must be a whole number"),
    ({"rungs": 5}, "'ladder.rungs' is 5: it must be a list"),
    ({"rungs": "frozn"}, "unknown rung 'frozn'; did you mean 'frozen'?"),
    ({"rungs": [1]}, "'ladder.rungs.0' is 1: it must be text"),
    ({"budget": -1}, "duration '-1s'"),
    ({"budget": True}, "'ladder.budget' is true: it must be text"),
    ({"budget": [1]}, "'ladder.budget' is [1]: it must be text"),
    ({"worth": "much"}, "'ladder.worth' is 'much': it must be a number"),
    ({"model": 5}, "'model.name' is 5: it must be text"),
    ({"labels": 5}, "'data.labels' is 5: it must be text"),
    ({"task": 5}, "'task' is 5: it must be text"),
    ({"recipe": 5}, "recipe is 5: it must be a path"),
    ({"recipe": {"data": 5}}, "'data' is 5: it must be a section"),
    ({"out": 5}, "out is 5: it must be a path"),
]


@pytest.mark.parametrize(("given", "says"), WRONG)
def test_arguments_of_another_type(given: dict[str, Any], says: str) -> None:
    with pytest.raises(SettingError, match=re.escape(says)):
        api.train(**{"data": [{"text": "a", "label": "b"}], **given})


@pytest.mark.parametrize("call", [api.load, api.report])
def test_a_run_of_another_type(call: Callable[[Any], Any]) -> None:
    with pytest.raises(SettingError, match="run is 5: it must be a path"):
        call(5)


def test_words_as_the_command_line_takes_them() -> None:
    ladder = {"rungs": "lexical, majority", "budget": 90}
    made = make_recipe({"ladder": ladder, "data": None}).ladder
    assert (made.rungs, made.budget) == (("majority", "lexical"), "90s")
    assert parse_duration(make_recipe({"ladder": {"budget": 1.5}}).ladder.budget or "") == 1.5


def test_labels_in_brackets_are_printed(capsys: pytest.CaptureFixture[str]) -> None:
    score = {"name": "recall", "value": 1.0, "n": 3, "low": 0.5, "high": 1.0, "label": "[/pos]"}
    show.print_scores([score], title="on [b].csv")
    assert "[/pos]" in (printed := capsys.readouterr().out)
    assert "[b].csv" in printed


def test_a_model_can_be_read_by_others(tmp_path: Path) -> None:
    path = tmp_path / "weights"
    path.touch(mode=0o600)
    open_to_others(tmp_path)
    fresh = tmp_path / "fresh"
    fresh.touch()
    assert stat.S_IMODE(path.stat().st_mode) == stat.S_IMODE(fresh.stat().st_mode)
