"""A run without layers: it answers without torch, and sentence-transformers says the same of its folder."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file
from tests.contracts.conftest import call

import deepen
from deepen.compression.compress import wish
from deepen.compression.way import Given
from deepen.compression.ways import static as way
from deepen.core.errors import ModelError
from deepen.inference.exported import load_exported
from deepen.models.runtimes.form import Runtime
from deepen.models.runtimes.static import StaticNetwork, around
from deepen.preparation.catalog import load_task
from deepen.serving.server import FORMS

TEXTS = ["a lovely film", "a poor room", "the phone is great and works", "bad " * 400]


@pytest.fixture(scope="module")
def static_run(small_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small run as a table."""
    out = tmp_path_factory.mktemp("static") / "static"
    answer = call("compress", small_run, "--ways", "static", "--max-drop", "60", "--out", out, "--json")
    assert answer.code == 0, answer.err
    assert "subword tokens learn what the network says of 160 rows" in answer.err
    [row] = json.loads(answer.out)["ways"]
    assert row["smaller"] > 1
    return out


def test_it_learned_what_the_network_says(static_run: Path, small_run: Path) -> None:
    rows = [{"text": text, "label": "bad"} for text in TEXTS]
    static: Any = deepen.load(static_run)
    part = deepen.load(small_run).read(small_run.parent / "rows.csv", need_target=True)
    said, whole = (model.predictor.predict(part).values_MC.argmax(1) for model in (static, deepen.load(small_run)))
    assert (said == whole).mean() > max(np.mean(whole == 0), np.mean(whole == 1))
    assert {score.name for score in static.evaluate(rows)} >= {"accuracy"}
    assert deepen.report(static_run).is_file()


def test_it_answers_without_torch(static_run: Path) -> None:
    program = (
        "import sys, deepen; print(deepen.load(sys.argv[1]).predict('a lovely film')[0].output, 'torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program, str(static_run)], capture_output=True, text=True, check=False)
    assert done.stdout.split() in (["good", "False"], ["bad", "False"]), done.stderr


def test_sentence_transformers_gives_the_logits(static_run: Path) -> None:
    from sentence_transformers import SentenceTransformer

    model: Any = deepen.load(static_run)
    ours = model.predictor.predict(model.read(TEXTS, use="answer")).values_MC
    theirs = SentenceTransformer(str(static_run / "model"), device="cpu").encode(TEXTS)
    np.testing.assert_allclose(theirs, ours, atol=2e-3, rtol=2e-3)
    assert len(np.unique(ours.round(3), axis=0)) == len(TEXTS)
    card = (static_run / "model" / "README.md").read_text(encoding="utf-8")
    assert "library_name: sentence-transformers" in card
    assert "It is a table of numbers for each subword token" in card
    assert ".part" not in card


def test_tokens_that_no_row_has_say_something_and_those_around_a_text_nothing(static_run: Path) -> None:
    predictor: Any = deepen.load(static_run).predictor
    table_VC = predictor.graph.table_VC
    special = around(predictor.tokenizer)
    assert predictor.runtime.form in FORMS
    assert len(table_VC) == predictor.tokenizer.backend.get_vocab_size()
    assert (table_VC[special] == 0).all()
    assert np.delete(table_VC, special, 0).any(1).all()


def test_states_follow_from_word_vectors_where_they_do() -> None:
    chance = np.random.default_rng(0)
    words_UE, slope_ED = chance.normal(size=(300, 6)), chance.normal(size=(6, 4))
    counts_U = chance.integers(0, 30, 300).astype(float)
    sums_UD = (words_UE @ slope_ED + 2.0) * counts_U[:, None]
    found_ED, start_D = way._told(words_UE, sums_UD, counts_U)
    told = words_UE @ found_ED + start_D - 2.0
    assert np.corrcoef(told.ravel(), (words_UE @ slope_ED).ravel())[0, 1] > 0.99


def test_means_leave_out_padding_and_tokens_around_a_text(tmp_path: Path) -> None:
    table_VC = np.array([[0, 0], [1, 2], [3, -2]], np.float16)
    save_file({"embedding.weight": table_VC}, tmp_path / "model.safetensors")
    network = StaticNetwork(tmp_path, Runtime(form="static", width=2))
    arrays = {
        "input_ids": np.array([[0, 1, 2, 0], [2, 1, 1, 1]]),
        "attention_mask": np.array([[1, 1, 1, 1], [1, 0, 0, 0]]),
    }
    np.testing.assert_allclose(network.run(arrays)[0], [[2, 0], [3, -2]])
    rows = arrays | {"windows": np.array([[1, 1]], np.float32)}
    np.testing.assert_allclose(network.run(rows)[0], [[7 / 3, -2 / 3]], rtol=1e-6)
    with pytest.raises(ModelError, match="the tokenizer beside it knows other tokens"):
        network.run(arrays | {"input_ids": arrays["input_ids"] + 1})
    with pytest.raises(ModelError, match="has the shape"):
        StaticNetwork(tmp_path, Runtime(form="static", width=3))


def test_long_rows_in_windows_are_answered_by_all_of_them(small_run: Path, tmp_path: Path) -> None:
    model: Any = deepen.load(small_run)
    task = load_task("classification", {"long": "windows"})
    model = replace(model, task=task, predictor=replace(model.predictor, task=task, form=task.form))
    part = model.read([{"text": text, "label": "bad"} for text in TEXTS[:3]], need_target=True)
    way.make(Given(model, (part,), part, 0, lambda line: None), tmp_path / "out")
    about = json.loads((tmp_path / "out" / "deepen.json").read_text(encoding="utf-8"))
    made = load_exported(tmp_path / "out", Runtime(**about["runtime"]), task, model.labels, task.form)
    short, long, both = made.predict(model.read(["bad film", "bad " * 400 + "film", "bad film " * 200])).values_MC
    assert made.predict(model.read(["bad film " * 200])).values_MC.shape == (1, 2)
    np.testing.assert_allclose(both, short, rtol=1e-3)
    assert abs(long - short).max() > 1e-3


def test_only_where_it_is_named_and_by_itself(static_run: Path, small_run: Path, tmp_path: Path) -> None:
    assert "static" not in wish(None, None, 0.5).ways + wish(None, "4x", 0.5).ways
    said = call("compress", static_run, "--ways", "layers", "--out", tmp_path / "out").failed("ModelError")
    assert said.endswith("the rung 'full' has no network that can be made smaller")
    said = call("export", static_run, tmp_path / "out").failed("ModelError")
    assert said.endswith("is an export already: name the run that it was made of")
    how = ("--ways", "static,int8", "--max-drop", "60", "--out", tmp_path / "out")
    assert "name the run that it was made of" in call("compress", small_run, *how).failed("ModelError")
    assert not (tmp_path / "out").exists()


def test_it_may_come_after_vocabulary(small_run: Path, tmp_path: Path) -> None:
    how = ("--ways", "static,vocabulary", "--max-drop", "60", "--out", tmp_path / "out", "--json")
    answer = call("compress", small_run, *how)
    assert answer.code == 0, answer.err
    assert json.loads(answer.out)["kept"] == ["vocabulary", "static"]
    assert deepen.load(tmp_path / "out").predict("a lovely film")[0].output in ("good", "bad")


def test_what_it_is_not_for(small_run: Path, tmp_path: Path) -> None:
    model = deepen.load(small_run)
    part = model.read([{"text": "a poor room", "label": "bad"}], need_target=True)
    given = Given(replace(model, task=load_task("tagging", {})), (part,), part, 0, lambda line: None)
    with pytest.raises(ModelError, match="--ways static is for rows with one label"):
        way.make(given, tmp_path / "out")


def test_a_damaged_table_is_one_line(static_run: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(static_run / "model", tmp_path / "model"))
    table = load_file(folder / "model.safetensors")["embedding.weight"]
    save_file({"embedding.weight": np.full_like(table, np.nan)}, folder / "model.safetensors")
    about = json.loads((folder / "deepen.json").read_text(encoding="utf-8"))
    (folder / "deepen.json").write_text(json.dumps(about | {"files": {}}), encoding="utf-8")
    call("predict", folder, "--text", "a lovely film").failed("ModelError")
