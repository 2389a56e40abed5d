"""`data_map` on planted wrong labels: found where there are some, nobody accused where there are none."""

from __future__ import annotations

import csv
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.diagnosis.planted import MANY, Planted, case_of, constant

from deepen.diagnosis.case import Case
from deepen.diagnosis.questions.data_map.ask import QuestionSettings, ask
from deepen.diagnosis.questions.data_map.label_noise import noise_floor
from deepen.preparation.training_rows import by_lists
from deepen.problem.climbed import Dynamics

data_map = import_module("deepen.diagnosis.questions.data_map.ask")  # its `ask` hides the module

LABELS = ("bad", "good")
ROWS = [{"text": f"row {n} of many", "label": LABELS[n % 2]} for n in range(3000)]
CASE = case_of(ROWS[:4], {"majority": constant(LABELS)}, train=ROWS)


def epochs_of(seed: int, wrong: float, num_labels: int = 2, num_rows: int = 3000) -> tuple[Dynamics, np.ndarray]:
    """First epochs of a calibrated model, some rows easy and some hard, and which of the labels are wrong."""
    chance = np.random.default_rng(seed)
    odds_N = np.abs(chance.normal(0, 3.5, num_rows))
    sure_N = 1 / (1 + np.exp(-odds_N))
    if num_labels > 2:
        sure_N = np.maximum(sure_N, 1 / num_labels + 1e-3)
    right_N = chance.random(num_rows) < sure_N
    wrong_N = chance.random(num_rows) < wrong
    agrees_N = np.where(wrong_N, ~right_N & (chance.random(num_rows) < 1 / (num_labels - 1)), right_N)
    rest_N = (1 - sure_N) if num_labels == 2 else (1 - sure_N) / (num_labels - 1)
    given_N, other_N = np.where(agrees_N, [sure_N, rest_N], [rest_N, sure_N])
    return Dynamics((given_N - other_N)[None], -np.log(given_N)[None]), wrong_N


def verdict_of(seed: int, wrong: float, **settings: Any) -> tuple[str, float]:
    dynamics, wrong_N = epochs_of(seed, wrong)
    [finding] = ask(replace(CASE, dynamics={"full": dynamics}, seed=seed), QuestionSettings(**settings))
    ids = {name: at for at, name in enumerate(CASE.train.values("id"))}  # type: ignore[union-attr]
    named = [ids[name] for name in finding.examples]
    return finding.verdict, float(wrong_N[named].mean()) if named else 0.0


def test_wrong_labels_are_found_and_named() -> None:
    found = [verdict_of(seed, 0.12) for seed in range(20)]
    assert sum(verdict == "shallow" for verdict, _ in found) >= 19
    assert np.mean([precision for _, precision in found]) > 0.9, "the surest suspects are wrong"


@pytest.mark.parametrize("num", MANY)
def test_right_labels_are_not_accused(num: int) -> None:
    verdicts = [verdict_of(seed, 0.0)[0] for seed in range(num)]
    assert verdicts.count("shallow") <= 0.025 * num, (
        "a 95 % interval is above the margin by chance in at most 2.5 % of the cases"
    )
    assert verdicts.count("deep") >= 0.95 * num, "and unclear everywhere is no answer"


def test_shuffled_records_are_no_decisive_answer() -> None:
    """Broken on purpose: with the records of other rows, the surest suspects are wrong no more often than others."""
    dynamics, wrong_N = epochs_of(0, 0.12)
    mixed = np.random.default_rng(0).permutation(len(wrong_N))
    broken = Dynamics(dynamics.margins_EN[:, mixed], dynamics.losses_EN[:, mixed])
    [finding] = ask(replace(CASE, dynamics={"full": broken}), QuestionSettings())
    ids = {name: at for at, name in enumerate(CASE.train.values("id"))}  # type: ignore[union-attr]
    assert wrong_N[[ids[name] for name in finding.examples]].mean() < 0.5


@pytest.mark.parametrize("num_labels", [2, 5, 50])
def test_the_share_is_not_biased(num_labels: int) -> None:
    for wrong in (0.0, 0.05, 0.2):
        found = []
        for seed in range(8):
            dynamics, _ = epochs_of(seed, wrong, num_labels)
            given_N = np.exp(-dynamics.losses_EN[0])
            sure_N = np.maximum(given_N, given_N - dynamics.margins_EN[0])
            found.append(noise_floor(sure_N, dynamics.margins_EN[0] > 0, num_labels, seed=seed))
        assert np.mean([floor.share.value for floor in found]) == pytest.approx(wrong, abs=0.015)
        assert sum(floor.share.low <= wrong + 1e-9 and wrong <= floor.share.high + 1e-9 for floor in found) >= 6


def test_a_model_that_knows_nothing_says_nothing() -> None:
    chance = np.random.default_rng(0)
    floor = noise_floor(chance.uniform(0.5, 0.55, 500), chance.random(500) < 0.5, 2, seed=0)
    assert floor.share.high - floor.share.low > 0.3


def featured(seed: int, wrong: float, num_rows: int = 1200) -> tuple[Case, np.ndarray]:
    """Rows whose features tell the true label, and which of the given labels are wrong."""
    chance = np.random.default_rng(seed)
    true_N = chance.integers(0, 2, num_rows)
    features_NF = chance.normal(0, 1, (num_rows, 6)).astype(np.float32)
    features_NF[:, 0] += 5 * true_N - 2.5
    wrong_N = chance.random(num_rows) < wrong
    given_N = np.where(wrong_N, 1 - true_N, true_N)
    rows = [{"text": f"=row {n}", "label": LABELS[label]} for n, label in enumerate(given_N)]
    case = case_of(rows[:4], {"majority": constant(LABELS)}, train=rows, features=lambda part: features_NF)
    return case, wrong_N


def test_out_of_fold_on_features_and_the_list(tmp_path: Path) -> None:
    pytest.importorskip("cleanlab")
    case, wrong_N = featured(0, 0.1)
    case = replace(case, folder=tmp_path, retrain="deepen train --recipe RUN/recipe.yaml --out RUN-2")
    [finding] = ask(case, QuestionSettings(max_suspects=int(wrong_N.sum())))
    assert finding.verdict == "shallow"
    path = tmp_path / "suspects.csv"
    assert finding.remedy == f"{case.retrain} --drop {path}"
    assert case.train is not None
    ids = list(case.train.values("id"))
    rows = list(csv.DictReader(path.open(encoding="utf-8-sig", newline="")))
    named = [ids.index(row["id"]) for row in rows]
    assert [row["id"] for row in rows][:20] == finding.examples
    assert wrong_N[named].mean() > 0.85
    assert all(row["text"].startswith("'=row") for row in rows), "no formula"
    assert all(row["label"] != row["label_given"] for row in rows)
    sure = [float(row["confidence"]) for row in rows]
    assert sure == sorted(sure, reverse=True)
    fixed = by_lists(case.train, case.train.take(np.arange(0)), case.labels, fix=str(path)).train
    now = [case.labels.index(label) for label in fixed.values("target")]
    true_N = np.where(wrong_N, 1 - case.train_targets.labels_M, case.train_targets.labels_M)
    assert (np.array(now) == true_N).mean() > 0.97

    path.write_text(path.read_text(encoding="utf-8").replace('"good"', '"bad"'), encoding="utf-8")
    edited = path.read_bytes()
    [again] = ask(case, QuestionSettings(max_suspects=int(wrong_N.sum())))
    assert path.read_bytes() == edited, "a person's work is not written over"
    assert again.remedy.endswith("suspects-2.csv")


def test_the_trained_rungs_rank_better_than_poor_features() -> None:
    pytest.importorskip("cleanlab")
    case, wrong_N = featured(0, 0.1, 600)
    poor_NF = np.random.default_rng(1).normal(0, 1, (600, 4)).astype(np.float32)
    true_N = np.where(wrong_N, 1 - case.train_targets.labels_M, case.train_targets.labels_M)
    said = {f"=row {n}": LABELS[label] for n, label in enumerate(true_N)}
    model = Planted(LABELS, said.__getitem__)
    epochs, _ = epochs_of(0, 0.0, num_rows=600)
    epochs = Dynamics(np.where(wrong_N, -1, 1) * epochs.margins_EN, epochs.losses_EN)
    case = replace(case, features=lambda part: poor_NF, rung="full", predictors={"full": lambda: model})

    def precision(how: Any, dynamics: Dynamics) -> float:
        few = QuestionSettings(out_of_fold=how, max_suspects=int(wrong_N.sum()), max_examples=600)
        [finding] = ask(replace(case, dynamics={"full": dynamics}), few)
        ids = list(case.train.values("id"))  # type: ignore[union-attr]
        return float(wrong_N[[ids.index(name) for name in finding.examples]].mean())

    assert precision("frozen", epochs) < 0.3
    assert not model.seen, "frozen asks nobody else"
    twice = Dynamics(*(np.concatenate([values, values]) for values in (epochs.margins_EN, epochs.losses_EN)))
    precision("full", twice)
    assert not model.seen, "a model that met the rows twice may know them by heart"
    assert precision("full", epochs) > 0.8
    assert len(model.seen) == 600


def test_sound_features_accuse_nobody() -> None:
    pytest.importorskip("cleanlab")
    assert [ask(featured(seed, 0.0)[0], QuestionSettings())[0].verdict for seed in range(3)] == ["deep"] * 3


def test_a_row_is_judged_by_heads_that_never_saw_it_or_its_like(monkeypatch: pytest.MonkeyPatch) -> None:
    """With a copy of each row in another fold, wrong labels are agreed with; grouped, they are not."""
    pytest.importorskip("cleanlab")
    chance = np.random.default_rng(0)
    texts = [f"the long text of number {n // 2} {chance.random()}" for n in range(0, 400, 2)]
    rows = [{"text": text + " ." * copy, "label": LABELS[n % 2]} for n, text in enumerate(texts) for copy in (0, 1)]
    noise_NF = np.repeat(chance.normal(0, 1, (200, 150)).astype(np.float32), 2, axis=0)  # tells rows apart, not labels
    case = case_of(rows[:4], {"majority": constant(LABELS)}, train=rows, features=lambda part: noise_NF)

    def agreement() -> float:
        judged = data_map._judged(case, QuestionSettings())
        assert not isinstance(judged, str)
        return float((judged.leads_M > 0).mean())

    assert agreement() < 0.65
    monkeypatch.setattr(data_map, "_folds", lambda case, num: np.arange(len(case.train)) % num)
    assert agreement() > 0.75, "the test above can fail"


def test_the_map() -> None:
    rows = [{"text": f"row {n}", "label": LABELS[n % 2]} for n in range(20)]
    chances_EN = np.full((3, 20), 0.95)
    chances_EN[:, 0] = 0.05, 0.1, 0.1  # never right
    chances_EN[:, 1] = 0.9, 0.2, 0.8  # right, forgotten, right again
    chances_EN[2, 2] = np.nan
    epochs = Dynamics(2 * chances_EN - 1, -np.log(chances_EN))
    first, rest = (Dynamics(epochs.margins_EN[some], epochs.losses_EN[some]) for some in (slice(0, 1), slice(1, 3)))
    case = case_of(rows[:4], {"majority": constant(LABELS)}, train=rows, dynamics={"top_layers": first, "full": rest})
    [finding] = ask(case, QuestionSettings())
    regions = {row["region"]: row for row in finding.evidence if row["kind"] == "region"}
    assert {name: row["n"] for name, row in regions.items()} == {"easy": 18, "ambiguous": 1, "hard": 1}
    assert regions["ambiguous"]["variability"] == pytest.approx(np.std([0.9, 0.2, 0.8]), abs=1e-4)
    [told] = [row for row in finding.evidence if row["kind"] == "forgetting"]
    assert (told["visits"], told["forgotten"], told["never_learned"]) == (3, 1, 1)
    cells = {(row["confidence"], row["variability"]): row["n"] for row in finding.evidence if row["kind"] == "map"}
    assert cells == {(0.9, 0.0): 18, (0.6, 0.3): 1, (0.0, 0.0): 1}
    [single] = ask(replace(case, dynamics={"full": first}), QuestionSettings())
    assert all("variability" not in row for row in single.evidence), "a map needs two epochs"
    assert "One epoch has no variability" in single.caveat


def test_not_applicable_says_why() -> None:
    [finding] = ask(replace(CASE, train=None, missing="gone"), QuestionSettings())
    assert finding.verdict == "not_applicable"
    assert "gone" in finding.caveat
    assert "nobody can judge" in ask(CASE, QuestionSettings())[0].caveat
