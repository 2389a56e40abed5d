"""The encoder learns to put rows of one label together."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.worlds import WORLDS

import deepen
from deepen.core.errors import SettingError
from deepen.models.load import load_encoder
from deepen.preparation.prepare import prepare
from deepen.preparation.read import Sources
from deepen.preparation.recipe import make_recipe
from deepen.problem.work import Work
from deepen.rungs import contrastive
from deepen.rungs.contrastive import contrast_losses, label_groups


def work_of(num: int, model: Path, folder: Path, task: str = "classification", **more: Any) -> Work:
    values = {"task": task, "data": {"validation_at_least": 30}, "model": {"name": str(model)}, **more}
    return prepare(make_recipe(values), Sources(WORLDS[task](num)), folder, say=lambda line: None).work


def test_losses_are_distances_of_cosines() -> None:
    features = torch.nn.functional.normalize(torch.randn(5, 3, generator=torch.Generator().manual_seed(0)), dim=1)
    labels = torch.tensor([0, 1, 0, 0, 2])
    found = contrast_losses(features * 7, labels)
    for row in range(5):
        near = [1 - features[row] @ features[o] for o in range(5) if o != row and labels[o] == labels[row]]
        far = [features[row] @ features[o] for o in range(5) if labels[o] != labels[row]]
        means = [float((torch.stack(side) ** 2).mean()) if side else 0.0 for side in (near, far)]
        assert float(found[row]) == pytest.approx(sum(means) / 2, abs=1e-5)


@settings(max_examples=40, deadline=None)
@given(labels=st.lists(st.integers(0, 5), min_size=1, max_size=80), size=st.integers(2, 6), seed=st.integers(0, 9))
def test_groups_hold_one_label(labels: list[int], size: int, seed: int) -> None:
    labels_N = np.array(labels)
    groups = label_groups(labels_N, size=size, seed=seed)
    assert sorted(np.concatenate(groups)) == list(range(len(labels)))
    assert all(len(set(labels_N[group])) == 1 and len(group) <= size for group in groups)


@pytest.mark.parametrize("method", ["full", "lora"])
def test_labels_come_apart(tiny_model: Path, tmp_path: Path, method: str) -> None:
    work = work_of(120, tiny_model, tmp_path, tuning=method, tunings={method: {"learning_rate": 3e-3}})
    how = contrastive.RungSettings(examples_seen=3000, dropout=0.0)
    found = contrastive.climb(work, how, None)
    assert work.problem.task.score(found.validation, work.problem.validation_targets) > 0.8
    assert found.num_trained_parameters > work.problem.num_outputs * (work.base.model.hidden_size + 1)
    found.predictor.save(tmp_path / "model")
    assert (tmp_path / "model" / "adapter").is_dir() == (method == "lora")


@pytest.mark.parametrize("method", ["full", "lora", "adapter"])
def test_one_seed_one_result(tiny_model: Path, tmp_path: Path, method: str) -> None:
    said = []
    for name in ("one", "two"):
        torch.manual_seed(len(said))  # what else was drawn before does not matter
        work = work_of(120, tiny_model, tmp_path / name, tuning=method)
        said.append(contrastive.climb(work, contrastive.RungSettings(examples_seen=300), None).validation.values_MC)
    np.testing.assert_array_equal(*said)


def test_a_climb_takes_it_where_rows_are_few(tiny_model: Path, tmp_path: Path) -> None:
    given_: dict[str, Any] = {"model": tiny_model, "thorough": True}
    given_["settings"] = ["data.validation_at_least=20", "rungs.contrastive.examples_seen=300"]
    given_["settings"] += ["rungs.top_layers.num_epochs=1", "rungs.full.num_epochs=1"]
    few = deepen.train(WORLDS["classification"](70), out=tmp_path / "few", **given_)
    assert [row["rung"] for row in few.ladder["rungs"]][2] == "contrastive"
    both = deepen.train(
        WORLDS["classification"](70), out=tmp_path / "both", rungs=["contrastive", "top_layers"], **given_
    )
    top = deepen.load(both, rung="top_layers").predictor.network.encoder.layers[0].state_dict()
    assert all(torch.equal(value, load_encoder(tiny_model).layers[0].state_dict()[name]) for name, value in top.items())
    many = deepen.train(WORLDS["classification"](400), out=tmp_path / "many", **given_)
    assert "contrastive" not in [row["rung"] for row in many.ladder["rungs"]]


def test_a_handful_of_rows_chooses_it(tiny_model: Path, tmp_path: Path) -> None:
    """Eight rows are held out: the best on them is not significantly ahead of an encoder that learned nothing."""
    rows = WORLDS["classification"](16)
    nothing = ["rungs.contrastive.learning_rate=1e-9", "rungs.contrastive.strength=1e-6"]
    given_: dict[str, Any] = {"model": tiny_model, "rungs": ["lexical", "contrastive"], "settings": nothing}
    run = deepen.train(rows, out=tmp_path / "run", **given_)
    low, few = (row["score"]["value"] for row in run.ladder["rungs"])
    assert few < low
    assert run.ladder["chosen"] == "contrastive"
    assert "8 rows can't tell the two apart" in run.ladder["chosen_reason"]
    assert deepen.load(run).predict(["a fine film"])[0].rung == "contrastive"
    held = WORLDS["classification"](300)[50:]
    sure = deepen.train(rows, validation=held, out=tmp_path / "sure", **given_)
    assert sure.ladder["chosen"] == "lexical"
    assert not sure.ladder["chosen_reason"]


def test_long_rows_are_fewer_in_a_step(tiny_model: Path, tmp_path: Path) -> None:
    work = work_of(120, tiny_model, tmp_path)
    lengths_N = work.tokens(work.problem.train.table).lengths_N[work.problem.train.rows_N]
    network: Any = None  # which takes the steps
    free = contrastive._plan(work, contrastive.RungSettings(), network).batches(0)
    few = contrastive._plan(work, contrastive.RungSettings(batch_tokens=80), network).batches(0)
    assert max(len(places) for step in free for places in step) == 64
    assert max(lengths_N[places].sum() for step in few for places in step) <= 80
    assert sorted(np.concatenate([places for step in few for places in step])) == list(range(len(work.problem.train)))


def test_what_it_is_not_for(tiny_model: Path, tmp_path: Path) -> None:
    with pytest.raises(SettingError, match="rows with one label each"):
        contrastive.climb(work_of(120, tiny_model, tmp_path, "tagging"), contrastive.RungSettings(), None)
