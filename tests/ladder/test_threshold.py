"""A decision between two labels is cut where the validation rows fulfil a wish."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.ladder.test_decide_by import _rare
from tests.worlds import WORLDS

import deepen as front_door
from deepen.core.types import Outputs, Targets
from deepen.problem.threshold import Wish, cut_for
from deepen.tasks.classification import TASK

LABELS = ("common", "rare")


@given(st.integers(0, 200), st.sampled_from(["recall", "precision"]), st.floats(0.05, 1.0), st.sampled_from(LABELS))
def test_the_best_cut_is_found(seed: int, name: Any, value: float, label: str) -> None:
    """Beside all cuts, tried one by one."""
    rng = np.random.default_rng(seed)
    right = (rng.random(60) < 0.3).astype(int)
    logits = np.stack([np.zeros(60), np.round(rng.normal(size=60) + right, 1)], 1)
    at = LABELS.index(label)
    task = cut_for(TASK, LABELS, Wish(name, value, label))
    assert task.shift is not None
    shift = task.shift(Outputs(logits, np.arange(61)), Targets(right, np.arange(61)))

    def shares(shifted: np.ndarray) -> dict[str, float]:
        said = shifted[:, at] > shifted[:, 1 - at]
        hits = float((said & (right == at)).sum())
        return {"recall": hits / max(1, (right == at).sum()), "precision": hits / max(1, said.sum())}

    found, other = shares(logits + shift), "precision" if name == "recall" else "recall"
    leads = np.unique(logits[:, at] - logits[:, 1 - at])
    tried = [shares(logits + np.eye(2)[at] * -(lead - 0.01)) for lead in leads]
    goal = min(value, max(one[name] for one in tried))
    assert found[name] >= goal - 1e-9
    assert found[other] == pytest.approx(max(one[other] for one in tried if one[name] >= goal - 1e-9))


def test_a_wanted_recall_is_kept_in_the_model(tmp_path: Path, tiny_model: Path) -> None:
    lines: list[str] = []
    run = front_door.train(
        _rare(400),
        out=tmp_path / "run",
        model=tiny_model,
        rungs="majority,lexical",
        settings=["ladder.recall=0.9", "ladder.positive=rare"],
        say=lines.append,
    )
    recall = next(s for s in run.ladder.chosen_row.validation if s.get("label") == "rare" and s["name"] == "recall")
    assert recall["value"] >= 0.9
    assert any("the decision for 'rare' is cut at recall" in line for line in lines)
    rows = _rare(400)
    said = [one.output for one in front_door.load(run).predict([row["text"] for row in rows])]
    found = [word == "rare" for word, row in zip(said, rows, strict=True) if row["label"] == "rare"]
    assert np.mean(found) > 0.8


@pytest.mark.parametrize(
    ("task", "settings", "says"),
    [
        ("classification", ["ladder.recall=0.9"], "of which label? Say ladder.positive=bad or good"),
        ("classification", ["ladder.recall=0.9", "ladder.positive=god"], "did you mean 'good'?"),
        (
            "classification",
            ["ladder.recall=0.9", "ladder.precision=0.9", "ladder.positive=good"],
            "the other one follows",
        ),
        ("classification", ["ladder.positive=good"], "goes with one of"),
        ("multilabel", ["ladder.recall=0.9", "ladder.positive=good"], "a decision between two labels is cut so"),
    ],
)
def test_wishes_that_make_no_sense(task: str, settings: list[str], says: str, tmp_path: Path, tiny_model: Path) -> None:
    with pytest.raises(front_door.SettingError) as error:
        front_door.train(WORLDS[task](60), task=task, out=tmp_path / "run", model=tiny_model, settings=settings)
    assert says in str(error.value)
