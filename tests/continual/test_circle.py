"""The whole circle with real processes: served, drift, alarm, labels, update, gate, promoted, served again."""

from __future__ import annotations

import csv
import importlib.util
import json
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.conftest import FILLERS, SIGNS, write_csv

import deepen

pytestmark = [
    pytest.mark.services,
    pytest.mark.skipif(importlib.util.find_spec("uvicorn") is None, reason="without the extra serve"),
]
LATER = {"positive": "zippy jolly yummy".split(), "negative": "murky vile grim".split()}


def rows(num: int, signs: dict[str, list[str]], seed: int) -> list[dict[str, str]]:
    """Sentences with one word that says their label."""
    chance = random.Random(seed)
    found = []
    for at in range(num):
        label = ("positive", "negative")[at % 2]
        words = [*chance.choices(FILLERS, k=7), chance.choice(signs[label])]
        found.append({"text": " ".join(words), "label": label})
    return found


def run(*words: object) -> str:
    """What `deepen` prints on stdout, in a process of its own that must end well."""
    program = "from deepen.cli.main import main; main()"
    done = subprocess.run([sys.executable, "-c", program, *map(str, words)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def right(server: Any, some: list[dict[str, str]]) -> float:
    """The share of rows that a server answers right."""
    answers = server.answers("mood", [{"text": one["text"]} for one in some])
    return sum(said["output"] == one["label"] for said, one in zip(answers, some, strict=True)) / len(some)


def test_the_whole_circle(tiny_model: Path, tmp_path: Path) -> None:
    from tests.serving.conftest import Server, until
    from tests.serving.test_log import logged

    train, held = write_csv(tmp_path / "a.csv", rows(300, SIGNS, 0)), write_csv(tmp_path / "b.csv", rows(400, SIGNS, 1))
    made = deepen.train(train, validation=held, out=tmp_path / "mood", model=tiny_model, rungs=["lexical"]).folder
    where, log = tmp_path / "registry", f"sqlite:///{tmp_path / 'log.sqlite'}"
    run("registry", "push", made, "--name", "mood", "--registry", where)
    run("registry", "promote", "mood@1", "--registry", where)
    words = ["--registry", str(where), "--run", "mood@production", "--port", "0", "--workers", "1", "--log", log]
    with Server(
        [*words, "--set", "log_texts=true", "--set", "registry_seconds=0.2", "--set", "canary_seconds=0.3"]
    ) as server:
        until(lambda: server.status() == 200)
        old, drifted = rows(200, SIGNS, 2), rows(400, LATER, 3)
        old_before, drifted_before = right(server, old), right(server, drifted[:200])
        right(server, drifted[200:])
        until(lambda: len(logged(log)) == 600)
        rules = tmp_path / "rules.yaml"
        rules.write_text("window_rows: 200\n", encoding="utf-8")
        seen = json.loads(run("watch", made, "--log", log, "--rules", rules, "--json"))
        assert [one["alarm"] for one in seen["windows"]] == [False, True, True]
        truth = {one["text"]: one["label"] for one in (*old, *drifted)}
        with Path(seen["to_label"]).open(encoding="utf-8") as file:
            asked = [one | {"label": truth[one["text"]]} for one in csv.DictReader(file)]
        labelled = write_csv(tmp_path / "labelled.csv", asked)
        assert json.loads(run("feedback", made, labelled, "--json"))["verdict"]["harm"]
        new = write_csv(tmp_path / "new.csv", [{name: one[name] for name in ("text", "label")} for one in asked])
        update = ["update", made, new, "--out", tmp_path / "mood-2", "--promote", "--registry", where, "--json"]
        found = json.loads(run(*update))
        assert (found["gate"]["passed"], found["promoted"]) == (True, "mood@2")
        until(lambda: right(server, drifted[:200]) > drifted_before)
        assert right(server, drifted[:200]) > drifted_before + 0.2
        assert right(server, old) >= old_before > 0.9
        assert server.stop() == 0
        assert "Traceback" not in server.text
