"""Easy rows are told by the record of the rung below, and a visit that leaves some out expects the same sum."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.worlds import WORLDS

import deepen
from deepen.core.files import read_jsonl
from deepen.finetuning.easy import draw


def test_the_expected_sum_is_that_of_all_rows() -> None:
    chance = np.random.default_rng(0)
    easy_N, values_N = chance.random(400) < 0.6, chance.random(400)
    sums = []
    for seed in range(300):
        places, weights_N = draw(easy_N, 0.4, seed=seed)
        assert set(np.flatnonzero(~easy_N)) <= set(places.tolist())
        sums.append(float((values_N * weights_N)[places].sum()))
    assert np.mean(sums) == pytest.approx(values_N.sum(), rel=0.01)
    places, weights_N = draw(easy_N, 1.0, seed=0)
    assert places.tolist() == list(range(400))
    assert (weights_N == 1).all()


@pytest.mark.parametrize("task", ["classification", "tagging"])
def test_a_climb_that_leaves_easy_rows_out(task: str, tiny_model: Path, tmp_path: Path) -> None:
    settings = ["rungs.full.easy_share=0.2", "rungs.full.num_epochs=1", "rungs.top_layers.learning_rate=5e-3"]
    settings += ["rungs.top_layers.num_epochs=9"]
    given: dict[str, Any] = {"model": tiny_model, "thorough": True, "settings": settings}
    run = deepen.train(WORLDS[task](400), out=tmp_path / "run", **given)
    records = {name: list(read_jsonl(run.rung(name) / "training.jsonl")) for name in ("top_layers", "full")}
    last = {row["id"]: row["loss"] for row in records["top_layers"]}
    seen = {row["id"] for row in records["full"]}
    easy = [name for name, loss in last.items() if loss < 0.005]
    hard = [name for name, loss in last.items() if loss > 1]
    assert len(easy) > 25, "the planted words are easy"
    assert len(seen & set(easy)) < 0.5 * len(easy)
    assert set(hard) <= seen
