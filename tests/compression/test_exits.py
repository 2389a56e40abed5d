"""Rows leave a network early where that is promised to change few answers, and what can't take such a run says so."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tests.contracts.conftest import call

import deepen
from deepen.compression.way import Given
from deepen.compression.ways import exits as way
from deepen.continual.update import update
from deepen.core.errors import ModelError, SettingError
from deepen.data.table import Part
from deepen.inference.backing import Backing
from deepen.models.exits import Exit, load_exits
from deepen.models.heads import cls, mean
from deepen.preparation.catalog import load_task
from deepen.problem.early import answered_by

TEXTS = ["a lovely film", "a poor room", "the phone is great and works", "bad"]


@pytest.fixture(scope="module")
def early_run(small_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small run with an exit after the first of its two layers."""
    out = tmp_path_factory.mktemp("exits") / "early"
    words = ("--ways", "exits", "--max-drop", "60", "--agreement", "0.8", "--out", out, "--json")
    answer = call("compress", small_run, *words)
    assert answer.code == 0, answer.err
    assert "promise: at most 0.2 of all answers are others than the whole network's" in answer.err
    return out


def test_a_run_with_exits_says_which_layer_answered(early_run: Path, small_run: Path) -> None:
    bound = json.loads((early_run / "bounds" / "exits.json").read_text(encoding="utf-8"))
    assert bound["promise"] == "disagreement"
    assert bound["kept"]
    assert bound["upper"] <= bound["at_most"] == 0.2
    rows = (early_run / "rungs" / "full" / "predictions-validation.jsonl").read_text(encoding="utf-8").splitlines()
    said = [json.loads(row)["answered_by"] for row in rows]
    assert said.count("layer 1") == round(bound["coverage"] * bound["rows"]) > 0
    early = deepen.load(early_run)
    assert {one.answered_by for one in early.predict(TEXTS)} <= {"layer 1", "full"}
    assert {score.name for score in early.evaluate([{"text": "a poor room", "label": "bad"}])} >= {"accuracy"}
    assert not (early_run / "model" / "bounds").exists()
    whole: Any = deepen.load(small_run).predictor
    kept: Any = early.predictor
    for a, b in zip(whole.network.parameters(), kept.network.parameters(), strict=True):
        assert torch.equal(a, b)


def _rows(run: Path) -> tuple[Any, Part]:
    model = deepen.load(run)
    return model.predictor, model.read(TEXTS * 5, use="answer")


def test_rows_leave_by_themselves_and_the_others_are_answered_by_all_layers(early_run: Path) -> None:
    predictor, part = _rows(early_run)
    [one] = predictor.exits
    features_NKF, whole_NC = predictor.at_layers(part, [1])
    exit_NC = one.head(torch.from_numpy(features_NKF[:, 0]))
    sure_N = exit_NC.softmax(1).amax(1)
    different = np.unique(sure_N.numpy().round(4))
    middle = float(different[len(different) // 2]) - 1e-4
    outputs = replace(predictor, exits=(Exit(1, one.head, middle),)).predict(part)
    leaves_N = (sure_N >= middle).numpy()
    assert 0 < leaves_N.sum() < len(part)
    assert answered_by(outputs, "full") == ["layer 1" if leaves else "full" for leaves in leaves_N]
    expected_NC = np.where(leaves_N[:, None], exit_NC.numpy(), whole_NC)
    np.testing.assert_allclose(outputs.values_MC, expected_NC, atol=1e-5)
    none = replace(predictor, exits=(Exit(1, one.head, 1.1),)).predict(part)
    np.testing.assert_allclose(none.values_MC, replace(predictor, exits=()).predict(part).values_MC, atol=1e-5)
    assert answered_by(none, "full") == ["full"] * len(part)


@pytest.mark.parametrize("head", [mean.HEAD, cls.HEAD])
def test_rows_in_several_windows_leave_with_all_of_them(early_run: Path, head: Any) -> None:
    from deepen.models.exits import answer
    from deepen.models.head import Inputs

    network = _rows(early_run)[0].network
    network.kind = head
    lengths, windows = torch.tensor([3, 5, 4, 2, 6]), torch.tensor([2, 1, 2])
    ids = torch.randint(5, 50, (20,), generator=torch.Generator().manual_seed(0))
    inputs = Inputs(lengths, ids_T=ids, windows_R=windows)
    layer = torch.nn.Linear(network.encoder.hidden_size, 2)
    with torch.inference_mode():
        whole = network(inputs)
        sure = answer(network, [Exit(1, layer, 0.0)], inputs)[:, :2].softmax(1).amax(1)
        found = answer(network, [Exit(1, layer, float(sure.max()) - 1e-7)], inputs)
    stays = found[:, 2] == 0
    assert stays.sum() == 2
    torch.testing.assert_close(found[stays, :2], whole[stays], atol=1e-5, rtol=0)


def test_what_a_run_with_exits_is_refused_for(early_run: Path, tmp_path: Path) -> None:
    said = call("export", early_run, tmp_path / "out").failed("ModelError")
    assert said.endswith("rows leave its network early, which no graph does: export the run it is from")
    said = call("compress", early_run, "--ways", "layers", "--out", tmp_path / "out").failed("ModelError")
    assert said.endswith("rows leave its network early: make the run smaller that it is from")
    with pytest.raises(SettingError, match="update the run that it is from"):
        update(early_run, [{"text": "good", "label": "good"}], out=tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_promise_that_the_rows_do_not_back_is_one_line(small_run: Path, tmp_path: Path) -> None:
    how = ("--ways", "exits", "--max-drop", "60", "--out", tmp_path / "out")
    said = call("compress", small_run, *how, "--agreement", "0.999").failed("SettingError")
    assert said.startswith("--agreement 0.999 can't be promised: 80 rows")
    assert said.endswith("rows without a label back it too: --unlabelled FILE")
    (tmp_path / "more.txt").write_text(
        "".join(f"{text} number {n}\n" for n in range(60) for text in TEXTS[:3]), "utf-8"
    )
    more = call("compress", small_run, *how, "--agreement", "0.7", "--unlabelled", tmp_path / "more.txt", "--json")
    assert more.code == 0, more.err
    assert "of the second half, every other row backs the promise" in more.err
    assert json.loads((tmp_path / "out" / "bounds" / "exits.json").read_text(encoding="utf-8"))["rows"] != 80
    shutil.rmtree(tmp_path / "out")
    assert "as in 0.99" in call("compress", small_run, *how, "--agreement", "99").failed("SettingError")
    assert not (tmp_path / "out").exists()


def test_what_exits_are_not_for(small_run: Path, tmp_path: Path) -> None:
    model = deepen.load(small_run)
    part = model.read([{"text": "a poor room", "label": "bad"}], need_target=True)
    given = Given(model, (part,), part, 0, lambda line: None)
    with pytest.raises(SettingError, match="learned from all of its rows; --unlabelled F"):
        way.make(given, tmp_path / "out")
    with pytest.raises(ModelError, match="one label that a network reads as one text, and tagging is otherwise"):
        way.make(replace(given, model=replace(model, task=load_task("tagging", {}))), tmp_path / "out")


@pytest.mark.parametrize("spoil", ["weights", "layer"])
def test_damaged_exits_are_one_line(early_run: Path, tmp_path: Path, spoil: str) -> None:
    folder = tmp_path / "model"
    shutil.copytree(early_run / "model" / "exits", folder / "exits")
    if spoil == "weights":
        (folder / "exits" / "model.safetensors").write_bytes(b"x")
    else:
        (folder / "exits" / "config.json").write_text('[{"layer": 2, "least": 0.9}]', encoding="utf-8")
    with pytest.raises(ModelError, match="the exits can't be read"):
        load_exits(folder, _rows(early_run)[0].network)


def test_the_heads_that_spare_most_layers_are_taken() -> None:
    truth_N = np.arange(1000) % 2
    wrong_N = np.where(np.arange(1000) < 400, 1 - truth_N, truth_N)
    unsure_N, sure_N = np.where(np.arange(1000) < 400, 0.6, 0.99), np.full(1000, 0.99)
    held = Backing(np.array([wrong_N, truth_N, truth_N]), np.array([unsure_N, sure_N, sure_N]), [""] * 1000, None)
    assert way._best(held, [2, 3], 6, 0.01, most=1) == (1,)
    assert way._best(held, [2, 5], 6, 0.01, most=1) == (0,)
    assert way._best(held, [2, 3], 6, 0.01, most=2) == (0, 1)


def test_layers_that_are_tried() -> None:
    assert [way.tried(layers) for layers in (2, 3, 6, 12)] == [[1], [1, 2], [1, 2, 3, 4], [2, 4, 6, 8]]
