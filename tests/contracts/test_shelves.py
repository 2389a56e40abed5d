"""A file that is put on a shelf is a feature everywhere: in help, schema, recipe, a run, its report and its card."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import deepen

SOURCE = Path(deepen.__file__).parent
QUESTION = '''"""Is it a toy?"""

from __future__ import annotations

from deepen.core.settings import Settings
from deepen.core.types import Finding
from deepen.diagnosis.case import Case
from deepen.diagnosis.question import Question


class QuestionSettings(Settings):
    """How playful."""

    plays: int = 3
    """Games."""


def ask(case: Case, settings: QuestionSettings) -> list[Finding]:
    """Says so."""
    return [Finding("toy", "unclear", None, None, None, None, [], [], f"{settings.plays} games were played", "")]


QUESTION = Question(99, "Is it a toy?", QuestionSettings, ask)
'''
PROGRAM = """
import contextlib, io, json, sys
from deepen.cli.main import main

def call(*words):
    out, err, code = io.StringIO(), io.StringIO(), 0
    sys.argv = ["deepen", *words]
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            main()
        except SystemExit as stop:
            code = stop.code or 0
    return code, out.getvalue(), err.getvalue()

calls = {name: call(*words) for name, words in json.load(sys.stdin).items()}
print(json.dumps(calls))
"""


def told(name: str, *pairs: tuple[str, str]) -> str:
    """A file of a shelf with some words changed."""
    text = (SOURCE / name).read_text(encoding="utf-8")
    for old, new in pairs:
        assert old in text, (name, old)
        text = text.replace(old, new)
    return text


@pytest.fixture(scope="module")
def calls(tmp_path_factory: pytest.TempPathFactory, tiny_model: Path, two_class_csv: Path) -> tuple[Path, Any]:
    """A copy of the source with a toy on each shelf, and what its commands said."""
    here = tmp_path_factory.mktemp("shelves")
    package = here / "src" / "deepen"
    shutil.copytree(SOURCE, package)  # and what is compiled
    toys = {
        "rungs/toy.py": told("rungs/majority.py", ("order=0", "order=7")),
        "tuning/toy.py": told("tuning/bitfit.py"),
        "tasks/toy.py": told("tasks/classification.py", ('name="classification"', 'name="toy"')),
        "diagnosis/questions/toy.py": QUESTION,
    }
    for name, text in toys.items():
        (package / name).write_text(text, encoding="utf-8")
    climb = ["--model", str(tiny_model), "--rungs", "majority,toy", "--task", "toy", "--out", "first"]
    quick = ["--set", "rungs.top_layers.num_epochs=1", "--set", "tunings.toy.learning_rate=0.001"]
    tune = [
        "--model",
        str(tiny_model),
        "--rungs",
        "frozen,top_layers",
        "--tuning",
        "toy",
        "--thorough",
        "--out",
        "second",
    ]
    asked = {
        "train help": ["train", "--help"],
        "diagnose help": ["diagnose", "--help"],
        "schema": ["schema"],
        "train": ["train", str(two_class_csv), *climb],
        "tune": ["train", str(two_class_csv), *tune, *quick, "--out", "second"],
        "diagnose": ["diagnose", "first", str(two_class_csv.parent / "test.csv"), "--questions", "toy"],
        "wrong": ["train", str(two_class_csv), "--rungs", "toyy", "--model", str(tiny_model)],
        "predict": ["predict", "second", "--rung", "top_layers", "--text", "a film"],
    }
    environment = os.environ | {"PYTHONPATH": str(here / "src")}
    command = [sys.executable, "-c", PROGRAM]
    done = subprocess.run(
        command, input=json.dumps(asked), capture_output=True, text=True, cwd=here, env=environment, check=False
    )
    assert done.returncode == 0, done.stderr
    return here, json.loads(done.stdout)


def test_every_command_did_its_work(calls: tuple[Path, Any]) -> None:
    for name, (code, _, err) in calls[1].items():
        assert code == (2 if name == "wrong" else 0), (name, err)


def test_help_names_them(calls: tuple[Path, Any]) -> None:
    train, diagnose = (" ".join(calls[1][name][1].split()) for name in ("train help", "diagnose help"))
    assert "tagging, toy, translation; else the columns say" in train
    assert "top_layers, toy, zero_shot" in train
    assert "soft_prompt, toy." in train
    assert "surface_cues, toy; else all" in diagnose
    assert "unknown rung 'toyy'; did you mean 'toy'" in calls[1]["wrong"][2]


def test_schema_and_recipe_have_their_settings(calls: tuple[Path, Any]) -> None:
    here, said = calls
    schema = json.dumps(json.loads(said["schema"][1]))
    assert schema.count('"toy"') >= 3
    sections = json.loads(said["schema"][1])["$defs"]
    assert sections["RungsSection"]["properties"]["toy"]["description"].startswith("The floor: ")
    assert sections["TuningsSection"]["properties"]["toy"]["description"].startswith("BitFit: ")
    recipe = (here / "first" / "recipe.yaml").read_text(encoding="utf-8")
    assert "  toy: {" in recipe
    assert "task: toy" in recipe


def test_report_and_card_show_the_rung_and_the_task(calls: tuple[Path, Any]) -> None:
    run = calls[0] / "first"
    ladder = json.loads((run / "ladder.json").read_text(encoding="utf-8"))
    assert (ladder["task"], [row["rung"] for row in ladder["rungs"]]) == ("toy", ["majority", "toy"])
    for text in ((run / "report.html").read_text("utf-8"), (run / "model" / "README.md").read_text("utf-8")):
        assert "toy" in text


def test_report_and_card_show_the_question(calls: tuple[Path, Any]) -> None:
    run = calls[0] / "first"
    assert "Is it a toy?" in calls[1]["diagnose"][1]
    for text in ((run / "report.html").read_text("utf-8"), (run / "model" / "README.md").read_text("utf-8")):
        assert "Is it a toy?" in text


def test_the_method_trains_and_answers(calls: tuple[Path, Any]) -> None:
    here, said = calls
    recipe = (here / "second" / "recipe.yaml").read_text(encoding="utf-8")
    assert "tuning: toy" in recipe
    assert "a film" in said["predict"][1]
    assert "toy" in (here / "second" / "report.html").read_text(encoding="utf-8")
