"""Rows that look like none of the labels get no answer: chosen on rows, kept with the run, said wherever it answers."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.conftest import write_csv
from tests.contracts.conftest import call

import deepen
from deepen.core.errors import ModelError, SettingError
from deepen.evaluation.none_of_these import Kept, Seen, auroc, outside_scores, shelf
from deepen.evaluation.promises import read_bound

WORDS = {
    "card": "card pin chip plastic swipe",
    "loan": "loan debt interest repay mortgage",
    "rate": "rate exchange currency euro dollar",
    "oos": "weather rain football pizza guitar",
}


def said(num_rows: int, labels: str, *, seed: int = 0) -> list[dict[str, Any]]:
    """Rows of these labels in turn, whose words tell which."""
    chance, names = random.Random(seed), labels.split()
    common = "please help me with my what is the about today".split()
    return [
        {
            "text": " ".join([*chance.choices(common, k=4), *chance.choices(WORDS[name].split(), k=3)]),
            "label": name,
        }
        for name in (names[at % len(names)] for at in range(num_rows))
    ]


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """train.csv, validation.csv and test.csv of three labels; in mixed.csv and train-mixed.csv others too."""
    folder = tmp_path_factory.mktemp("files")
    write_csv(folder / "train.csv", said(150, "card loan rate"))
    write_csv(folder / "train-mixed.csv", said(200, "card loan rate oos"))
    write_csv(folder / "validation.csv", said(320, "card loan rate", seed=1))
    write_csv(folder / "mixed.csv", said(80, "card loan rate oos", seed=2))
    return folder


Make = Callable[..., Path]


@pytest.fixture(scope="module")
def made(files: Path, tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Make:
    """`made(train, rung)`: a run that refuses, scored on mixed.csv."""
    runs: dict[Any, Path] = {}

    def run(train: str = "train-mixed", rung: str = "lexical") -> Path:
        if (train, rung) not in runs:
            out = tmp_path_factory.mktemp("run") / "run"
            how: dict[str, Any] = {"validation": files / "validation.csv", "test": files / "mixed.csv"}
            how |= {"settings": ["none_of_these.label=oos"], "none_of_these": True, "model": tiny_model}
            runs[train, rung] = deepen.train(files / f"{train}.csv", rungs=[rung], out=out, **how).folder
        return runs[train, rung]

    return run


@pytest.mark.parametrize(("train", "rung"), [("train-mixed", "lexical"), ("train", "lexical"), ("train", "frozen")])
def test_rows_of_none_of_the_labels_get_no_answer(made: Make, files: Path, train: str, rung: str) -> None:
    run = made(train, rung)
    model = deepen.load(run)
    assert model.labels == ("card", "loan", "rate"), "the label of those rows is none of the run's"
    found = model.predict(files / "mixed.csv")
    assert all(one.none_of_these == (one.output is None) for one in found)
    outside = np.array([row["label"] == "oos" for row in said(80, "card loan rate oos")])
    refused = np.array([one.none_of_these for one in found])
    assert refused[~outside].mean() <= 0.05
    if rung == "lexical":
        assert refused[outside].mean() >= 0.9
    scores = {score.name: score for score in model.evaluate(files / "mixed.csv") if score.label is None}
    right, told = (refused & outside).sum(), refused.sum() + outside.sum()
    assert scores["oos_f1"].value == pytest.approx(2 * right / told)
    assert scores["coverage"].value == pytest.approx((~refused[~outside]).mean())
    assert (scores["accuracy"].n, scores["coverage"].n, scores["oos_f1"].n) == (60, 60, 80)
    test = {score["name"]: score["value"] for score in json.loads((run / "ladder.json").read_text())["test"]}
    assert test["oos_auroc"] == pytest.approx(scores["oos_auroc"].value, abs=1e-3)


def test_the_promise_is_kept_with_the_run(made: Make) -> None:
    bound = read_bound(made(), "none-of-these")
    assert (bound.promise, bound.at_most, bound.rows, bound.kept) == ("harm", 0.01, 320, True)
    assert bound.upper <= 0.01
    about = json.loads((made() / "bounds" / "none-of-these.json").read_text())["refuses"]
    assert set(about["weights"]) <= set(about["chosen"]) == set(shelf())
    assert min(about["weights"].values()) > 0
    assert about["by"] == "50 rows of 'oos'"
    other = json.loads((made("train") / "bounds" / "none-of-these.json").read_text())["refuses"]
    assert other["by"] == "labels held out in turn"


def test_without_the_wish_such_rows_are_answered(files: Path, tiny_model: Path, tmp_path: Path) -> None:
    how: dict[str, Any] = {"validation": files / "validation.csv", "rungs": ["lexical"], "out": tmp_path / "run"}
    model = deepen.load(deepen.train(files / "train.csv", model=tiny_model, **how))
    [one] = model.predict(["weather rain pizza"])
    assert one.output is not None
    assert one.none_of_these is None
    assert not {score.name for score in model.evaluate(files / "validation.csv")} & {"coverage", "oos_f1"}


def test_the_command_line_says_it(made: Make, files: Path, tmp_path: Path) -> None:
    done = call("predict", made(), "--text", "weather football rain guitar", "--text", "my card pin chip", "--json")
    outside, known = json.loads(done.out)["predictions"]
    assert (outside["output"], outside["none_of_these"]) == (None, True)
    assert (known["output"], known["none_of_these"]) == ("card", False)
    assert "none of these\tweather" in call("predict", made(), "--text", "weather football rain guitar").out
    call("predict", made(), files / "mixed.csv", "--out", tmp_path / "out.csv")
    assert (tmp_path / "out.csv").read_text().splitlines()[0].endswith(",none_of_these")


@pytest.mark.parametrize(
    ("how", "why"),
    [
        ({"refit": True}, "leave out --refit"),
        ({"validation": "mixed.csv"}, r"60 validation rows can't show .* it takes 299"),
    ],
)
def test_what_can_not_be_promised_is_said_first(
    files: Path, tiny_model: Path, tmp_path: Path, how: dict[str, Any], why: str
) -> None:
    out, settings = tmp_path / "run", ["none_of_these.label=oos"]
    given: dict[str, Any] = {"rungs": ["majority"], "none_of_these": True, "model": tiny_model, "out": out, **how}
    given["validation"] = files / given.get("validation", "validation.csv")
    with pytest.raises(SettingError, match=why):
        deepen.train(files / "train.csv", settings=settings, **given)
    assert not out.exists()
    given.pop("refit", None)
    settings += ["none_of_these.most_lost=0.05", "none_of_these.score=support"]
    said: list[str] = []
    deepen.train(files / "train.csv", settings=settings, say=said.append, **given)
    assert any("score=support compares states, and majority has none: probability stands in" in line for line in said)
    assert (out / "bounds" / "none-of-these.json").is_file()


def test_a_server_says_it_and_an_export_does_not(made: Make, tmp_path: Path) -> None:
    from deepen.serving.answering import open_served

    said: list[str] = []
    deepen.export(made("train", "frozen"), tmp_path / "out", say=said.append)
    assert "  note: an export answers every row: telling rows of none of the labels stays with the run folder" in said
    assert deepen.load(tmp_path / "out").predict(["weather football rain guitar"])[0].output is not None

    [found] = open_served(made()).answers([{"text": "weather football rain guitar"}])
    assert json.loads(found) | {"output": None, "none_of_these": True} == json.loads(found)


def test_other_promises_do_not_go_with_it(made: Make) -> None:
    with pytest.raises(SettingError, match=r"no answer; leave it out"):
        deepen.load_cascade(made(), max_error=0.05)


def test_the_share_is_watched(made: Make, files: Path) -> None:
    from deepen.watching.reading import open_watched
    from deepen.watching.signals import shelf as signals

    watched = open_watched(made(), print)
    seen = signals()["refused"].fit(watched.reference)
    assert seen is not None
    shown = seen.view(watched.file(files / "mixed.csv", None))
    assert shown is not None
    assert seen.reference_NK.mean() < 0.05 < 0.2 < shown.mean()


def test_a_damaged_file_is_said(made: Make, tmp_path: Path) -> None:
    import shutil

    run = Path(shutil.copytree(made(), tmp_path / "run"))
    path = run / "bounds" / "none-of-these.json"
    path.write_text(path.read_text().replace('"refuses"', '"refuse"'))
    with pytest.raises(ModelError, match="is damaged"):
        deepen.load(run)


def test_a_missing_file_is_said_and_not_answered_over(made: Make, tmp_path: Path) -> None:
    import shutil

    run = Path(shutil.copytree(made(), tmp_path / "run"))
    (run / "bounds" / "none-of-these.json").unlink()
    with pytest.raises(ModelError, match="every row would be answered"):
        deepen.load(run)
    assert deepen.load(run / "model").predict(["any"])[0].output is not None, "as the message says"


def test_scores_tell_what_is_far_from_what_is_near() -> None:
    chance = np.random.default_rng(0)
    centres = np.eye(8)[:3] * 3
    labels_K = np.arange(90) % 3
    states = centres[labels_K] + chance.normal(0, 0.3, (90, 8))
    outside = np.eye(8)[3:4] * 3 + chance.normal(0, 0.3, (40, 8))
    rows = np.concatenate([states[:40], outside])
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    seen = Seen(rows[:, :3] * 10, rows)
    train = states[40:] / np.linalg.norm(states[40:], axis=1, keepdims=True)
    kept = Kept(train, train[:, :3] * 10, labels_K[40:])
    outside_N = np.arange(80) >= 40
    for score in shelf().values():
        assert auroc(score.of(seen, kept), outside_N) > 0.85


def test_the_interval_of_the_auroc_holds_the_truth() -> None:
    chance, held, truth = np.random.default_rng(0), 0, 0.7602
    for _ in range(60):
        strange_N = np.concatenate([chance.normal(0, 1, 150), chance.normal(1, 1, 60)])
        found = outside_scores(strange_N, strange_N > 1, np.arange(210) >= 150, seed=0)[-1]
        held += found.low <= truth <= found.high
    assert held >= 52
