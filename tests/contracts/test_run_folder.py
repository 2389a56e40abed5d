"""The run folder and its records are what contracts.md promises."""

from __future__ import annotations

import json
import math
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from tests.contracts import golden
from tests.contracts.conftest import Deepen, Finished

from deepen.api import load
from deepen.core.files import sha256_file
from deepen.preparation import environment
from deepen.preparation.recipe import make_recipe


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def files(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def test_train_json(finished: Finished) -> None:
    record = finished.answer.json
    assert set(record) == golden.TRAIN
    assert [set(row) for row in record["rungs"]] == [golden.LADDER_ROW] * len(golden.RUNGS)
    assert [row["rung"] for row in record["rungs"]] == list(golden.RUNGS)
    for row in record["rungs"]:
        assert row["status"] == "done"
        assert set(row["score"]) == golden.SCORE
        assert row["gain"] is None or set(row["gain"]) == golden.GAIN
        assert row["forecast_seconds"] is None or row["forecast_seconds"] > 0
        assert row["peak_memory_bytes"] > 0
        assert row["seconds_per_1000_predictions"] > 0
    assert all(set(score) == golden.SCORE for score in record["test"])
    assert {score["name"] for score in record["test"]} == golden.CLASSIFICATION_SCORES
    assert record["run"] == str(finished.folder)
    assert finished.answer.err, "lines for the user go to stderr"


def test_the_folder(finished: Finished) -> None:
    assert names(finished.folder) == golden.RUN_FILES
    assert names(finished.folder / "rungs") == set(golden.RUNGS)
    chosen = finished.answer.json["chosen"]
    for rung in golden.RUNGS:
        extra = {"predictions-test.jsonl"} if rung == chosen else set()
        extra |= {"training.jsonl"} if rung in ("top_layers", "full") else set()
        assert names(finished.folder / "rungs" / rung) == golden.RUNG_FILES | extra
    for rung in ("frozen", "top_layers", "full"):
        assert files(finished.folder / "rungs" / rung / "model") == golden.ENCODER_FILES
    model = finished.folder / "model"
    assert files(model) == files(finished.folder / "rungs" / chosen / "model") | {"README.md"}
    assert not [path for path in finished.folder.rglob("*") if path.is_symlink() or path.name.startswith(".")]


def test_the_models_are_data(finished: Finished) -> None:
    for path in (path for path in finished.folder.rglob("model/**/*") if path.is_file()):
        assert path.suffix in (".json", ".safetensors", ".txt", ".md"), path


def test_predictions_on_disk(finished: Finished) -> None:
    ladder = json.loads((finished.folder / "ladder.json").read_text())
    for row in ladder["rungs"]:
        found = lines(finished.folder / "rungs" / row["rung"] / "predictions-validation.jsonl")
        assert len(found) == ladder["data"]["validation"]
        assert all(set(line) == golden.PREDICTION - {"row"} for line in found)
        right = np.mean([line["output"] == line["target"] for line in found])
        assert right == pytest.approx(row["score"]["value"]), "any metric can be recomputed without the model"
        for line in found:
            assert sum(line["probabilities"].values()) == pytest.approx(1, abs=1e-5)
            assert max(line["probabilities"], key=line["probabilities"].get) == line["output"]
    test = lines(finished.folder / "rungs" / ladder["chosen"] / "predictions-test.jsonl")
    accuracy = next(score["value"] for score in ladder["test"] if score["name"] == "accuracy")
    assert np.mean([line["output"] == line["target"] for line in test]) == pytest.approx(accuracy)


def test_training_records(finished: Finished) -> None:
    ladder = json.loads((finished.folder / "ladder.json").read_text())
    for rung in ("top_layers", "full"):
        found = lines(finished.folder / "rungs" / rung / "training.jsonl")
        assert all(set(line) == golden.TRAINING for line in found)
        assert len(found) == ladder["data"]["train"]
        assert all(math.isfinite(line["loss"]) and -1 <= line["margin"] <= 1 for line in found)
    metrics = lines(finished.folder / "metrics.jsonl")
    assert metrics
    assert all(set(line) == golden.METRIC | {"rung"} for line in metrics)


def test_environment(finished: Finished) -> None:
    found = json.loads((finished.folder / "environment.json").read_text())
    assert set(found) >= golden.ENVIRONMENT
    assert {"python", "deepen", "torch", "transformers"} <= set(found["versions"])
    assert found["seed"] == 0
    assert {name: part["rows"] for name, part in found["data"].items()} == {
        "train": 240,
        "validation": 60,
        "test": 100,
    } or (sum(part["rows"] for part in found["data"].values()) == 400)


def test_the_files_of_the_data(finished: Finished) -> None:
    found = json.loads((finished.folder / "environment.json").read_text())["data"]
    train, test = (sha256_file(path) for path in (finished.data, finished.data.parent / "test.csv"))
    assert found["train"]["files"] == found["validation"]["files"] == {"train.csv": train}
    assert found["test"]["files"] == {"test.csv": test}


def test_the_commit_is_that_of_deepen(finished: Finished, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    subprocess.run(["git", "init", "-q", tmp_path], check=True)
    monkeypatch.chdir(tmp_path)  # a repository of somebody else
    root = Path(__file__).parents[2]
    if (root / ".git").exists():
        head = subprocess.run(["git", "rev-parse", "HEAD"], cwd=root, capture_output=True, text=True, check=True)
        assert (environment._git_commit() or "").removesuffix("-dirty") == head.stdout.strip()
    monkeypatch.setattr(environment, "__file__", str(tmp_path / "lib/site-packages/deepen/preparation/environment.py"))
    assert environment._git_commit() is None


def test_files_of_a_folder(tmp_path: Path) -> None:
    for name in ("good", "bad"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "1.txt").write_text(f"a {name} film")
    assert environment.data_files(str(tmp_path)) == {
        f"{name}/1.txt": sha256_file(tmp_path / name / "1.txt") for name in ("bad", "good")
    }
    for number in range(2, 102):
        (tmp_path / "good" / f"{number}.txt").write_text(f"film {number}")
    [(name, digest)] = environment.data_files(str(tmp_path)).items()
    assert name == "sha256sum of 102 files"
    script = "find . -type f -printf '%P\\n' | LC_ALL=C sort | xargs sha256sum | LC_ALL=C sort -k2 | sha256sum"
    said = subprocess.run(["sh", "-c", script], cwd=tmp_path, capture_output=True, text=True, check=True)
    listing = sorted((path.relative_to(tmp_path).as_posix(), sha256_file(path)) for path in tmp_path.rglob("*.txt"))
    assert said.stdout.split()[0] == digest, listing[:3]
    assert environment.data_files("somebody/some-data") == {}
    assert environment.data_files(None) == {}


def test_tokens_are_those_that_the_rung_reads(finished: Finished) -> None:
    for rung in golden.RUNGS:
        found = lines(finished.folder / "rungs" / rung / "predictions-validation.jsonl")
        said = load(finished.folder, rung=rung).predict([line["inputs"]["text"] for line in found])
        assert [line["num_tokens"] for line in found] == [prediction.num_tokens for prediction in said]
        assert (found[0]["num_tokens"] > 0) == (rung not in ("majority", "lexical"))


def test_the_recipe_is_resolved(finished: Finished) -> None:
    values = yaml.safe_load((finished.folder / "recipe.yaml").read_text())
    recipe = make_recipe(values)
    assert recipe.model_dump(mode="json") == values, "every setting is written out"
    assert values["task"] == "classification"
    assert values["ladder"]["rungs"] == list(golden.RUNGS)


def test_the_recipe_repeats_the_run(finished: Finished, deepen: Deepen) -> None:
    answer = deepen("train", "--recipe", finished.folder / "recipe.yaml", "--out", "again", "--json")
    assert answer.code == 0, answer.err
    for rung in golden.RUNGS:
        once, again = (
            lines(folder / "rungs" / rung / "predictions-validation.jsonl")
            for folder in (finished.folder, Path("again"))
        )
        drop = lambda found: [{k: v for k, v in line.items() if k != "seconds"} for line in found]  # noqa: E731
        assert drop(once) == drop(again)
        for file in (finished.folder / "rungs" / rung / "model").rglob("*.safetensors"):
            other = Path("again") / file.relative_to(finished.folder)
            assert file.read_bytes() == other.read_bytes(), file


def test_other_tools_read_the_model(finished: Finished, deepen: Deepen) -> None:
    from sentence_transformers import SentenceTransformer

    found = lines(finished.folder / "rungs" / "full" / "predictions-validation.jsonl")
    texts = [line["inputs"]["text"] for line in found]
    logits = SentenceTransformer(str(finished.folder / "rungs" / "full" / "model"), device="cpu").encode(texts)
    exp = np.exp(logits - logits.max(1, keepdims=True))
    labels = json.loads((finished.folder / "rungs" / "full" / "model" / "labels.json").read_text())
    right = [[line["probabilities"][label] for label in labels] for line in found]
    np.testing.assert_allclose(exp / exp.sum(1, keepdims=True), right, atol=1e-5)
