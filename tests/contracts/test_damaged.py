"""A run folder that was damaged: one line that names the damaged file, or an answer that needs no such file."""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file
from tests.contracts.conftest import Answer, Deepen, Finished

MODEL = (
    *("deepen.json", "config.json", "modules.json", "tokenizer.json", "tokenizer_config.json", "model.safetensors"),
    *("1_Pooling/config.json", "2_Dense/config.json", "2_Dense/model.safetensors", "sentence_bert_config.json"),
)
LEXICAL = ("deepen.json", "vocabulary.json", "model.safetensors")


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def nan(path: Path) -> None:
    """Whole, but its numbers are none."""
    if path.suffix != ".safetensors":
        path.write_text("NaN")
        return
    arrays = load_file(path)
    path.unlink()  # rungs share their files by hard links
    save_file({name: np.full_like(array, np.nan) for name, array in arrays.items()}, path)


DAMAGES: dict[str, Callable[[Path], object]] = {
    "empty": lambda path: path.write_bytes(b""),
    "truncated": truncate,
    "a list": lambda path: path.write_text("[]"),
    "null": lambda path: path.write_text("null"),
    "an empty object": lambda path: path.write_text("{}"),
    "random bytes": lambda path: path.write_bytes(random.Random(0).randbytes(1000)),
    "not numbers": nan,
}


@pytest.fixture
def copy(finished: Finished, tmp_path: Path) -> Path:
    shutil.copytree(finished.folder, tmp_path / "run")
    return tmp_path / "run"


def blames(answer: Answer, path: Path) -> None:
    """One line of an error that names the file."""
    assert answer.code == 2, (answer.out, answer.err)
    line = answer.err.strip().splitlines()[-1]
    assert line.startswith(("ModelError: ", "DataError: ")), answer.err
    assert str(path) in line, line
    assert "Traceback" not in answer.err
    assert len(line) < 500, line


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_model_of_an_encoder(copy: Path, deepen: Deepen, damage: str) -> None:
    for name in MODEL:
        path = copy / "rungs" / "full" / "model" / name
        whole = path.read_bytes()
        DAMAGES[damage](path)
        blames(deepen("predict", copy, "--rung", "full", "--text", "a film"), path)
        path.unlink()
        blames_or_is_no_run(deepen("predict", copy, "--rung", "full", "--text", "a film"), path)
        path.write_bytes(whole)
    assert deepen("predict", copy, "--rung", "full", "--text", "a film").code == 0


def blames_or_is_no_run(answer: Answer, path: Path) -> None:
    if path.name == "deepen.json":
        assert "has no rung 'full'" in answer.failed("ModelError")
    else:
        blames(answer, path)


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("verb", ["predict", "evaluate"])
def test_a_model_of_words(copy: Path, finished: Finished, deepen: Deepen, damage: str, verb: str) -> None:
    for name in LEXICAL:
        path = copy / "rungs" / "lexical" / "model" / name
        whole = path.read_bytes()
        DAMAGES[damage](path)
        blames(deepen(verb, copy, finished.data, "--rung", "lexical"), path)
        path.write_bytes(whole)


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("name", ["ladder.json", "environment.json"])
def test_the_report(copy: Path, deepen: Deepen, damage: str, name: str) -> None:
    DAMAGES[damage](copy / name)
    answer = deepen("report", copy)
    if (damage, name) == ("an empty object", "environment.json"):
        assert answer.code == 0, "nothing in it is needed"
    else:
        blames(answer, copy / name)
    assert deepen("predict", copy, "--rung", "majority", "--text", "a film").code == 0, "it needs neither"


@pytest.mark.parametrize("line", ["null", "[]", "{}", '{"target": "x", "probabilities": 3, "output": "y"}', "\x00"])
def test_the_report_with_damaged_predictions(copy: Path, deepen: Deepen, line: str) -> None:
    chosen = json.loads((copy / "ladder.json").read_text())["chosen"]
    path = copy / "rungs" / chosen / "predictions-test.jsonl"
    path.write_text(line)
    answer = deepen("report", copy)
    assert answer.code == 0 if line == "{}" else blames(answer, path) is None


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("name", ["ladder.json", "recipe.yaml", "environment.json"])
def test_resume_when_complete(copy: Path, deepen: Deepen, damage: str, name: str) -> None:
    DAMAGES[damage](copy / name)
    blames(deepen("train", "--out", copy, "--resume"), copy / name)


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("name", ["ladder.json", "recipe.yaml"])
def test_resume_under_way(copy: Path, deepen: Deepen, damage: str, name: str) -> None:
    go_back(copy)
    DAMAGES[damage](copy / name)
    blames(deepen("train", "--out", copy, "--resume"), copy / name)


@pytest.mark.parametrize(
    ("name", "damage"),
    [
        *(("outputs.npz", damage) for damage in ("empty", "truncated", "random bytes", "null")),
        *((f"model/{name}", "truncated") for name in ("model.safetensors", "config.json", "deepen.json")),
    ],
)
def test_resume_from_a_damaged_rung(copy: Path, deepen: Deepen, damage: str, name: str) -> None:
    go_back(copy)
    rung = copy / "rungs" / "frozen"
    np.savez(rung / "outputs.npz", values=np.zeros((60, 2), np.float32), offsets=np.arange(61))
    DAMAGES[damage](rung / name)
    blames(deepen("train", "--out", copy, "--resume"), rung / name)


def go_back(run: Path) -> None:
    """As if the run had been interrupted before its last rung."""
    ladder = json.loads((run / "ladder.json").read_text())
    (run / "ladder.json").write_text(json.dumps(ladder | {"rungs": ladder["rungs"][:-1], "complete": False}))
