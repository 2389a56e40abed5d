"""A task of a new kind, with a head and a target of its own, is one file: it is trained, asked, scored and shown."""

from __future__ import annotations

import csv
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.contracts.test_shelves import PROGRAM
from tests.worlds import WORLDS

import deepen

TOY = '''"""Mood: how the loudest words of a text sound.

Shape legend: T tokens, M units, D hidden size, C moods.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from torch.nn import functional

from deepen.core.ladder import Shown
from deepen.data.columns import Need
from deepen.models.layouts import load_apart, save_apart
from deepen.models.head import Head
from deepen.problem import one_label
from deepen.problem.losses import margins
from deepen.problem.target import CLASS
from deepen.problem.task import Claim, Form, Shallow, Task
from deepen.evaluation.classification import accuracy_value
from deepen.shallow.tfidf import fit_lexical, load_lexical


def _loudest(hidden_TD, where, inputs):
    """The largest and the smallest number of each sequence, side by side."""
    rows = hidden_TD.split(inputs.lengths_B.tolist())
    return torch.stack([torch.cat([row_TD.amax(0), row_TD.amin(0)]) for row_TD in rows])


LOUDEST = Head("loudest", _loudest, save_apart, load_apart, states=2, logits=lambda layer, x_MF: 0.5 * layer(x_MF))


def _losses(logits_MC, labels_M):
    return functional.cross_entropy(0.5 * logits_MC, labels_M, reduction="none")


def _fit(part, targets, num_outputs, settings, seed):
    return fit_lexical(one_label.texts, part, targets, num_outputs, settings, seed)


def _decode(outputs, part, labels):
    return [{"output": labels[best], "probabilities": None} for best in outputs.values_MC.argmax(1)]


TASK = Task(
    name="mood",
    needs=(one_label.TEXT, Need("label", "category", ("mood",))),
    recognise=lambda source: Claim(0.9, "a column mood") if "mood" in (source.names or ()) else None,
    form=Form(one_label.text_encoder, LOUDEST),
    labels=one_label.label_table,
    check=one_label.check,
    targets=one_label.targets_of,
    losses=_losses,
    margins=margins,
    score_name="accuracy",
    statistics=one_label.statistics,
    value_of=accuracy_value,
    scores=one_label.scores,
    decode=_decode,
    baseline=one_label.BASELINE,
    lexical=Shallow(_fit, lambda folder: load_lexical(folder, one_label.texts)),
    target=replace(CLASS, untrained=None, temperature=lambda values, labels: 2.0),
    shown=Shown(example="what a day", noun="moods"),
)
'''


@pytest.fixture(scope="module")
def said(tmp_path_factory: pytest.TempPathFactory, tiny_model: Path) -> tuple[Path, Any]:
    """A copy of the source with the task, and what its commands said."""
    here = tmp_path_factory.mktemp("kind")
    shutil.copytree(Path(deepen.__file__).parent, here / "src" / "deepen")  # and what is compiled
    (here / "src" / "deepen" / "tasks" / "mood.py").write_text(TOY, encoding="utf-8")
    rows = WORLDS["classification"](160)
    for name, some in (("train.csv", rows[:120]), ("test.csv", rows[120:])):
        with (here / name).open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows([["text", "mood"], *([row["text"], row["label"]] for row in some)])
    quick = ["--set", "rungs.top_layers.num_epochs=1", "--set", "rungs.full.num_epochs=1"]
    climb = ["--rungs", "majority,lexical,frozen,top_layers,full", "--thorough", "--model", str(tiny_model), *quick]
    asked = {
        "help": ["train", "--help"],
        "train": ["train", "train.csv", "--test", "test.csv", "--out", "run", *climb],
        "predict frozen": ["predict", "run", "--rung", "frozen", "--text", "a lovely film"],
        "predict full": ["predict", "run", "--rung", "full", "--text", "a lovely film"],
        "evaluate": ["evaluate", "run", "test.csv", "--rung", "full"],
        "diagnose": ["diagnose", "run", "test.csv"],
        "report": ["report", "run"],
        "reopened": ["predict", "run/rungs/top_layers/model", "--text", "a lovely film", "--json"],
    }
    environment = os.environ | {"PYTHONPATH": str(here / "src")}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        input=json.dumps(asked),
        capture_output=True,
        text=True,
        cwd=here,
        env=environment,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return here, json.loads(done.stdout)


def test_every_command_did_its_work(said: tuple[Path, Any]) -> None:
    for name, (code, out, err) in said[1].items():
        assert code == 0, (name, out, err)


def test_it_is_found_and_every_rung_learns_it(said: tuple[Path, Any]) -> None:
    here, calls = said
    assert "mood" in calls["help"][1]
    assert "a column mood" in calls["train"][1] + calls["train"][2]
    ladder = json.loads((here / "run" / "ladder.json").read_text(encoding="utf-8"))
    assert ladder["task"] == "mood"
    assert [row["status"] for row in ladder["rungs"]] == ["done"] * 5, ladder["rungs"]
    scores = {row["rung"]: row["score"]["value"] for row in ladder["rungs"]}
    assert scores["full"] > scores["majority"]


def test_its_head_is_saved_and_read_again(said: tuple[Path, Any]) -> None:
    here, calls = said
    for rung in ("frozen", "top_layers", "full"):
        head = json.loads((here / "run" / "rungs" / rung / "model" / "head" / "config.json").read_text("utf-8"))
        assert head == {"pooling": "loudest", "width": 64}
    answers = [calls["predict frozen"][1], calls["predict full"][1]]
    assert all("a lovely film" in answer for answer in answers)
    assert json.loads(calls["reopened"][1])["predictions"][0]["output"] in ("good", "bad")
    assert "accuracy" in calls["evaluate"][1]


def test_it_is_diagnosed_and_shown(said: tuple[Path, Any]) -> None:
    here, calls = said
    assert "surface_cues" in (here / "run" / "diagnosis.json").read_text(encoding="utf-8")
    assert calls["diagnose"][1]
    card = (here / "run" / "model" / "README.md").read_text(encoding="utf-8")
    assert "A model for mood with 2 moods: `bad`, `good`." in card
    assert "what a day" in card
    assert "mood" in (here / "run" / "report.html").read_text(encoding="utf-8")
