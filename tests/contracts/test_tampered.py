"""A run folder whose files are not of one model, with or without the sums that would tell it: one line of an error."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file
from tests.contracts.conftest import Deepen, Finished

RUNGS = ("majority", "lexical", "full")


@pytest.fixture
def run(finished: Finished, tmp_path: Path) -> Path:
    """A copy whose deepen.json has no sums, so that nothing but the files themselves can tell."""
    folder = tmp_path / "run"
    shutil.copytree(finished.folder, folder)
    for path in folder.rglob("deepen.json"):
        change(path, lambda found: found.pop("files"))
    return folder


def change(path: Path, how: Callable[[Any], Any]) -> None:
    found = json.loads(path.read_text())
    how(found)
    path.unlink()  # rungs share their files by hard links
    path.write_text(json.dumps(found))


def arrays(path: Path, how: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
    found = how(dict(load_file(path)))
    path.unlink()
    save_file({name: np.ascontiguousarray(values) for name, values in found.items()}, path)


def without(name: str) -> Callable[[dict[str, Any]], dict[str, Any]]:
    return lambda found: {key: values for key, values in found.items() if key != name}


LABELS: dict[str, Any] = {
    "more": ["a", "b", "c"],
    "fewer": ["a"],
    "none": [],
    "no list": "x",
    "numbers": [1, 2],
    "nested": [["a"], ["b"]],
}


@pytest.mark.parametrize("rung", RUNGS)
@pytest.mark.parametrize("labels", LABELS)
def test_labels_that_are_not_those_of_the_head(run: Path, deepen: Deepen, rung: str, labels: str) -> None:
    change(run / "rungs" / rung / "model" / "deepen.json", lambda found: found.update(labels=LABELS[labels]))
    answer = deepen("predict", run, "--rung", rung, "--text", "a film", "--json")
    assert answer.code == 2, (answer.out, answer.err)
    assert answer.json["error"]["kind"] == "ModelError"
    assert "Traceback" not in answer.err


FILES: dict[str, tuple[str, str, Callable[[Path], None]]] = {
    "no words": ("lexical", "vocabulary.json", lambda path: change(path, lambda found: found.clear())),
    "a word more": ("lexical", "vocabulary.json", lambda path: change(path, lambda f: f["word"]["terms"].append("x"))),
    "words as numbers": ("lexical", "vocabulary.json", lambda path: change(path, lambda f: f["word"].update(terms=5))),
    "strange n-grams": (
        "lexical",
        "vocabulary.json",
        lambda path: change(path, lambda f: f["word"].update(ngrams=[9])),
    ),
    "endless n-grams": (
        "lexical",
        "vocabulary.json",
        lambda path: change(path, lambda f: f["char"].update(ngrams=[1, 10**9])),
    ),
    "no idf": ("lexical", "model.safetensors", lambda path: arrays(path, without("idf.word"))),
    "no bias": ("lexical", "model.safetensors", lambda path: arrays(path, without("bias"))),
    "no frequencies": ("majority", "model.safetensors", lambda path: arrays(path, lambda found: {"x": found["bias"]})),
    "no numbers": (
        "lexical",
        "model.safetensors",
        lambda path: arrays(path, lambda found: {key: np.full_like(value, np.nan) for key, value in found.items()}),
    ),
    "a head of another width": (
        "full",
        "2_Dense/model.safetensors",
        lambda path: arrays(path, lambda found: {key: value[..., :5] for key, value in found.items()}),
    ),
    "a dense layer of no size": (
        "full",
        "2_Dense/config.json",
        lambda path: change(path, lambda found: found.update(in_features="x")),
    ),
    "a task that is none": ("full", "deepen.json", lambda path: change(path, lambda found: found.update(task="x"))),
    "a rung that is none": ("full", "deepen.json", lambda path: change(path, lambda found: found.update(rung="x"))),
    "columns that are none": ("full", "deepen.json", lambda path: change(path, lambda f: f.update(columns={"a": 1}))),
    "many layers": ("full", "config.json", lambda path: change(path, lambda f: f.update(num_hidden_layers=10**7))),
    "a name as a number": ("full", "config.json", lambda path: change(path, lambda f: f.update(architectures=5))),
    "a longest text of -1": (
        "full",
        "sentence_bert_config.json",
        lambda path: change(path, lambda found: found.update(max_seq_length=-1)),
    ),
}


@pytest.mark.parametrize("name", FILES)
def test_files_that_are_not_of_one_model(run: Path, deepen: Deepen, name: str) -> None:
    rung, file, spoil = FILES[name]
    spoil(run / "rungs" / rung / "model" / file)
    answer = deepen("predict", run, "--rung", rung, "--text", "a film", "--json")
    assert answer.code == 2, (answer.out, answer.err)
    assert answer.json["error"]["kind"] == "ModelError"
    assert str(run) in answer.json["error"]["message"]


PLACES: dict[str, Callable[[Any, Any], None]] = {
    "seconds": lambda found, value: found.update(seconds=value),
    "seconds of a rung": lambda found, value: found["rungs"][1].update(seconds=value),
    "a score": lambda found, value: found["rungs"][1]["score"].update(value=value),
    "a test score": lambda found, value: found["test"][0].update(value=value),
    "a gain": lambda found, value: found["rungs"][1].update(gain={"value": value, "low": 0, "high": 1}),
}


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("value", [float("nan"), float("inf"), "x"])
def test_a_report_of_a_run_whose_figures_are_no_numbers(run: Path, deepen: Deepen, place: str, value: Any) -> None:
    change(run / "ladder.json", lambda found: PLACES[place](found, value))
    answer = deepen("report", run)
    assert answer.code == 0 or answer.err.startswith(f"DataError: {run / 'ladder.json'} is damaged"), answer.err
