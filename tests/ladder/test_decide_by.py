"""Another score decides: between rungs, when a training ends, and where decisions are cut."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score, f1_score, matthews_corrcoef, precision_score, recall_score
from tests.worlds import WORLDS

import deepen as front_door
from deepen.data.load import DataSettings, load_table
from deepen.evaluation import classification as scores
from deepen.shallow.tfidf import LexicalSettings
from deepen.tasks.classification import TASK

MACRO = {"average": "macro", "zero_division": 0.0}
REFERENCES: dict[str, Any] = {
    "balanced_accuracy": balanced_accuracy_score,
    "macro_f1": lambda a, b: f1_score(a, b, **MACRO),
    "macro_precision": lambda a, b: precision_score(a, b, **MACRO),
    "macro_recall": lambda a, b: recall_score(a, b, **MACRO),
    "mcc": matthews_corrcoef,
}


@pytest.mark.filterwarnings("ignore:y_pred contains")
@pytest.mark.parametrize("name", scores.DECISION_SCORES)
def test_sums_give_what_scikit_learn_says(name: str) -> None:
    rng = np.random.default_rng(0)
    logits, labels = rng.normal(size=(60, 3)), rng.integers(0, 3, 60)
    sums = scores.decision_statistics(logits, labels).sum(0, keepdims=True)
    assert scores.decision_value(name, sums)[0] == pytest.approx(REFERENCES[name](labels, logits.argmax(1)))


@given(st.integers(0, 50))
def test_a_shift_is_never_worse_where_it_was_found(seed: int) -> None:
    rng = np.random.default_rng(seed)
    labels = (rng.random(200) < 0.1).astype(int)
    logits = np.stack([np.zeros(200), rng.normal(size=200) + labels - 2], 1)
    shift = scores.best_prior_shift("macro_f1", logits, labels)

    def value(given: np.ndarray) -> float:
        return float(scores.decision_value("macro_f1", scores.decision_statistics(given, labels).sum(0)[None])[0])

    assert value(logits + shift) >= value(logits)
    assert shift[1] >= shift[0] == 0, "it speaks for the rare label"


def _rare(num: int) -> list[dict[str, Any]]:
    """One row in ten is of the label that matters, and its word stands in rows of the other label too."""
    rng = np.random.default_rng(0)
    words = ["desk", "film", "phone", "room", "today", "sea"]
    return [
        {
            "text": " ".join(
                [*rng.choice(words, 4), "alarm" if (rare := at % 10 == 0) or rng.random() < 0.15 else "sky"]
            ),
            "label": "rare" if rare else "common",
        }
        for at in range(num)
    ]


def test_a_rare_label_is_found(tmp_path: Path, tiny_model: Path) -> None:
    rows, test = _rare(600), _rare(300)
    usual = front_door.train(rows, test=test, model=tiny_model, rungs="majority,lexical", out=tmp_path / "usual")
    [lost] = [one["value"] for one in usual.ladder.test if (one["name"], one["label"]) == ("recall", "rare")]
    assert lost == 0
    assert usual.ladder.data is not None
    assert any("--decide-by macro_f1, may help" in said for said in usual.ladder.data.warnings or ())
    run = front_door.train(
        rows, test=test, model=tiny_model, rungs="majority,lexical", out=tmp_path / "run", decide_by="macro_f1"
    )
    [found] = [one["value"] for one in run.ladder.test if (one["name"], one["label"]) == ("recall", "rare")]
    assert found > 0.5
    assert run.ladder.chosen_row.score is not None
    assert run.ladder.chosen_row.score["name"] == "macro_f1"
    assert "decide_by: macro_f1" in (run.folder / "recipe.yaml").read_text()
    again = front_door.train(recipe=run.folder / "recipe.yaml", data=rows, test=test, out=tmp_path / "again")
    assert again.ladder.test == run.ladder.test
    answers = [answer.output for answer in front_door.load(run).predict([row["text"] for row in test])]
    assert answers.count("rare") > 30, "the cut is saved with the model"


def test_balanced_weights(tmp_path: Path, tiny_model: Path) -> None:
    rows, test = _rare(600), _rare(300)
    made = {}
    for way in (None, "balanced"):
        run = front_door.train(
            rows,
            test=test,
            model=tiny_model,
            rungs="lexical,frozen,full",
            thorough=True,
            settings=["rungs.full.num_epochs=2"],
            out=tmp_path / str(way),
            class_weights=way,
        )
        for row in run.ladder.rungs:
            scores = front_door.evaluate(run, test, rung=row.rung)
            made[way, row.rung] = next(one.value for one in scores if (one.name, one.label) == ("recall", "rare"))
    for rung in ("lexical", "frozen", "full"):
        assert made["balanced", rung] > made[None, rung], made
    with pytest.raises(front_door.SettingError, match="do not have one label each"):
        front_door.train(WORLDS["tagging"](60), model=tiny_model, out=tmp_path / "t", class_weights="balanced")
    with pytest.raises(front_door.SettingError, match="class_weights"):
        front_door.train(rows, model=tiny_model, out=tmp_path / "o", class_weights="heavy")


def test_weights_are_those_of_scikit_learn() -> None:
    """Class weights "balanced" of its logistic regression, on the same features."""
    rows = [row | {"label": row["label"]} for row in _rare(300)]
    part = load_table(rows, TASK.needs, DataSettings())[0].all_rows()
    targets = TASK.targets(part, ("common", "rare"))
    weights = len(rows) / (2 * np.bincount(targets.labels_M))
    ours = TASK.lexical.fit(
        part, replace(targets, weights_M=weights[targets.labels_M]), 2, LexicalSettings(strengths=(1.0,)), 0
    )
    theirs = LogisticRegression(C=1.0, max_iter=60, tol=1e-3, class_weight="balanced")
    theirs.fit(ours.features(part), targets.labels_M)
    logits = ours.predict(part).values_MC
    np.testing.assert_allclose(logits[:, 1] - logits[:, 0], theirs.decision_function(ours.features(part)), atol=1e-4)


def test_weights_with_another_score_and_for_relations(tmp_path: Path, tiny_model: Path) -> None:
    about: dict[str, Any] = {"model": tiny_model, "rungs": "majority,lexical", "class_weights": "balanced"}
    both = front_door.train(_rare(300), out=tmp_path / "both", decide_by="macro_f1", **about)
    assert both.ladder.chosen == "lexical"
    related = front_door.train(WORLDS["relation"](90), task="relation", out=tmp_path / "relation", **about)
    assert related.ladder.chosen == "lexical"
    scores = [{"sentence1": f"a {at}", "sentence2": f"b {at % 7}", "label": at % 7 / 2} for at in range(90)]
    about["settings"] = ["tasks.matching.target=score"]
    with pytest.raises(front_door.SettingError, match="do not have one label each"):
        front_door.train(scores, out=tmp_path / "scores", task="matching", **about)


def test_scores_that_cannot_decide(tmp_path: Path, tiny_model: Path) -> None:
    for task, name in (("classification", "elo"), ("tagging", "macro_f1")):
        with pytest.raises(front_door.SettingError, match=f"ladder.decide_by={name}: {task} is decided by"):
            front_door.train(
                WORLDS[task](60), task=task, model=tiny_model, rungs="majority", out=tmp_path / task, decide_by=name
            )
