"""An update gives what training on all rows would, in any order, shows what it forgets, and promotes what may be."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.conftest import FILLERS, write_csv
from tests.contracts.conftest import call

import deepen
from deepen.continual.forgetting import Beside, gate
from deepen.core.errors import DataError, DeepenError, SettingError
from deepen.core.files import fingerprint
from deepen.core.types import Interval
from deepen.inference.compare import ScorePair, SlicePair

TEXTS = ["the film was lovely", "not a good phone", "zebra awful hotel", "it is quite all one"]


@pytest.fixture
def alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to work in."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def answers(run: Path | str) -> np.ndarray:
    """Probabilities of some texts, by label."""
    found = deepen.load(run).predict(TEXTS)
    return np.array([[p for _, p in sorted((one.probabilities or {}).items())] for one in found])


def test_any_order_gives_what_all_at_once_gives(world: dict[str, Any], alone: Path) -> None:
    new = world["new"]
    first, second = write_csv(alone / "a.csv", new[:50]), write_csv(alone / "b.csv", new[50:])
    whole = deepen.update(world["run"], world["file"], out="whole")
    assert whole.method == "exact"
    deepen.update(world["run"], second, out="b")
    deepen.update("b", first, out="ba")
    deepen.update(world["run"], first, out="a")
    deepen.update("a", second, out="ab")
    assert answers("whole").shape == (4, 3)  # the new label is there, and the old ones are
    assert np.abs(answers("ba") - answers("whole")).max() <= 1e-5
    assert np.abs(answers("ab") - answers("whole")).max() <= 1e-5
    assert np.abs(answers("a") - answers("whole")).max() > 1e-3  # or nothing was learned
    record = json.loads((alone / "ab" / "update.json").read_text(encoding="utf-8"))
    line = record["history"]
    assert [one["run"] for one in line] == [str(world["run"]), "a", "ab"]
    assert [set(one["scores"]) for one in line] == [{"start"}, {"start", "update 1"}, {"start", "update 1", "update 2"}]
    gained = [line[2]["scores"][one] - line[at]["scores"][one] for at, one in ((0, "start"), (1, "update 1"))]
    assert record["backward_transfer"] == pytest.approx(np.mean(gained))
    assert line[2]["scores"]["update 2"] == pytest.approx(record["new"][0]["after"])
    parent = json.loads((alone / "ab" / "environment.json").read_text(encoding="utf-8"))["parent"]
    assert (parent["name"], parent["run"]) == ("mood", "a")


def test_an_update_is_what_training_on_the_same_rows_is(world: dict[str, Any], tiny_model: Path, alone: Path) -> None:
    deepen.update(world["run"], world["file"], out="whole")
    rows = _rows("whole", "train")
    held = write_csv(alone / "held.csv", _rows("whole", "validation"))
    other = write_csv(alone / "other.csv", rows[::-1])
    quick = ["data.label_rows=false", "data.check=false"]
    deepen.train(other, validation=held, out="trained", model=tiny_model, settings=quick, rungs=["frozen"])
    assert np.abs(answers("trained") - answers("whole")).max() <= 1e-5


def test_what_is_forgotten_was_never_there(world: dict[str, Any], alone: Path) -> None:
    deepen.update(world["run"], world["new"][:60], out="few")
    deepen.update(world["run"], world["file"], out="all")
    ids = {row["id"] for row in _read("all") if row["id"] not in {one["id"] for one in _read("few")}}
    assert ids
    train = {json.dumps(row) for row in _rows("all", "train")} - {json.dumps(row) for row in _rows("few", "train")}
    assert train
    table = deepen.load("all").read([json.loads(row) for row in train], need_target=True)
    ids |= set(table.values("id"))
    answer = call("update", "all", "--forget", ",".join([*sorted(ids), "nobody"]), "--out", "back", "--json")
    assert answer.code == 0, answer.err
    record = json.loads(answer.out)
    assert record["forgotten"]["unknown"] == ["nobody"]
    assert record["forgotten"]["rows"]["validation"] > 0 < record["forgotten"]["rows"]["train"]
    assert "all/rungs/frozen/predictions-validation.jsonl" in record["forgotten"]["still_in"]
    assert {"out", "method", "old", "new", "forgetting", "gate"} <= record.keys()
    assert np.abs(answers("back") - answers("few")).max() <= 1e-5
    assert not ids & {row["id"] for row in _read("back")}
    assert json.loads(Path("back/update.json").read_text(encoding="utf-8"))["gate"] == record["gate"]


def test_a_label_goes_with_its_last_row(world: dict[str, Any], alone: Path) -> None:
    deepen.update(world["run"], world["file"], out="all")
    neutral = [row for row in world["new"] if row["label"] == "neutral"]
    ids = list(deepen.load("all").read(neutral, need_target=True).values("id"))
    write_csv(alone / "ids.csv", [{"id": name} for name in ids])
    found = deepen.update("all", forget="ids.csv", out="two")
    assert deepen.load("two").labels == ("negative", "positive")
    assert found.new == []
    deepen.update(world["run"], [row for row in world["new"] if row["label"] != "neutral"], out="never")
    assert np.abs(answers("two") - answers("never")).max() <= 1e-5


def test_a_new_label_that_is_all_held_out_is_not_learned_and_said(world: dict[str, Any], alone: Path) -> None:
    text = next(text for at in range(99) if int(fingerprint({"text": (text := f"hotel {at}")}), 16) % 5 == 0)
    said: list[str] = []
    found = deepen.update(world["run"], [*world["new"][:40], {"text": text, "label": "odd"}], out="x", say=said.append)
    assert "  labels without a training row are gone: odd" in said
    assert "odd" not in deepen.load("x").labels
    assert found.new[0]["n"] < 40


def _read(run: str) -> list[dict[str, Any]]:
    path = Path(run) / "rungs" / "frozen" / "predictions-validation.jsonl"
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def _rows(run: str, part: str) -> list[dict[str, Any]]:
    path = Path(run) / "rows" / f"{part}.jsonl"
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_old_rows_that_changed_are_refused_and_nothing_is_left(world: dict[str, Any], alone: Path) -> None:
    rows = world["rows"].read_text(encoding="utf-8")
    shutil.copyfile(world["rows"], alone / "kept.csv")
    try:
        world["rows"].write_text(rows.replace(",positive", ",negative", 1), encoding="utf-8")
        with pytest.raises(DataError, match=r"old.csv has changed since .* \(by sha256\)"):
            deepen.update(world["run"], world["file"], out="x")
        world["rows"].unlink()
        with pytest.raises(DataError, match=r"old.csv is gone"):
            deepen.update(world["run"], world["file"], out="x")
    finally:
        shutil.copyfile(alone / "kept.csv", world["rows"])
    with pytest.raises(DataError):
        deepen.update(world["run"], [{"text": "", "label": "positive"}], out="x")
    assert not (alone / "x").exists()


def test_what_is_wrong_is_said_first(world: dict[str, Any], alone: Path) -> None:
    run, new = world["run"], world["file"]
    for given, said in (
        ({"new": new, "promote": True}, "--promote and --registry URL go together"),
        ({"new": new, "max_drop": -1}, "it must be points of 0 and more"),
        ({"new": new, "method": "exat"}, "exact"),
        ({"forget": "ids.csv"}, "none of the 1 ids to forget is of a row, such as ids.csv: is a file missing"),
        ({}, "name a file of new rows, or --forget ids"),
        ({"new": new, "out": run}, "give another --out"),
    ):
        with pytest.raises(DeepenError, match=said):
            deepen.update(run, **given)


def test_what_passes_is_promoted_and_what_does_not_is_not(world: dict[str, Any], alone: Path) -> None:
    stays = [{"text": f"{one} hotel hotel {two}", "label": "stay"} for one in FILLERS[:8] for two in FILLERS[:8]]
    found = deepen.update(world["run"], stays, out="new", max_drop=100, promote=True, registry="registry")
    assert found.gate.passed, found.gate.why
    assert (found.promoted, found.advice) == ("mood@1", "")
    listed = json.loads(call("registry", "list", "--registry", "registry", "--json").out)["runs"]["mood"]
    assert listed["stages"]["production"]["version"] == 1
    assert listed["versions"][0]["lineage"]["parent"]["run"] == str(world["run"])
    turned = {"positive": "negative", "negative": "positive", "stay": "stay"}
    wrong = [row | {"label": turned[row["label"]]} for row in world["new"] if row["label"] in turned]
    old = _rows("new", "train")
    wrong += [{**row, "label": turned[row["label"]]} for row in old * 9]
    with pytest.raises(SettingError, match=r"did not pass its gate: .*all .* old rows lose more than 0 points"):
        deepen.update("new", wrong, out="worse", max_drop=0, promote=True, registry="registry")
    advice = json.loads((alone / "worse" / "update.json").read_text(encoding="utf-8"))["advice"]
    assert advice.endswith(": --method retrain")
    anew = deepen.update("new", wrong, out="anew", max_drop=0, method="retrain")
    assert (anew.method, anew.advice) == (
        "retrain",
        f"keep new, and look at the new rows: {anew.advice.split(': ')[1]}",
    )
    assert (
        len(json.loads(call("registry", "list", "--registry", "registry", "--json").out)["runs"]["mood"]["versions"])
        == 1
    )


def test_the_gate_names_the_slice() -> None:
    def score(value: float, n: int = 1000) -> ScorePair:
        return ScorePair("accuracy", 0.9, 0.9 + value, Interval(value, value - 0.01, value + 0.01), 0.5, n)

    def part(value: float, p_value: float | None) -> SlicePair:
        return SlicePair("label", "x", "recall", 0.9, 0.8, Interval(value, value - 0.01, value + 0.01), p_value, 250)

    good = Beside(score(0.02), [])
    assert gate(
        Beside(score(0.0), [part(-0.1, 0.2), part(0.1, 0.001), part(-0.1, None)]), good, asked=True, max_drop=0.5
    ).passed
    damaged = gate(Beside(score(0.0), [part(-0.1, 0.01)]), good, asked=True, max_drop=0.5)
    assert (damaged.passed, "slice label: x (250 rows) is worse by -10.0 points" in damaged.why) == (False, True)
    assert not gate(Beside(score(-0.006), []), good, asked=True, max_drop=0.5).passed
    assert not gate(Beside(score(0.0), []), Beside(score(0.0), []), asked=True, max_drop=0.5).passed
    assert gate(good, Beside(score(-0.005), []), asked=True, max_drop=0.5).passed, "too few rows to tell"
    assert not gate(good, Beside(score(-0.02), []), asked=True, max_drop=0.5).passed
    assert not gate(Beside(score(0.0), []), None, asked=True, max_drop=0.5).passed
    assert gate(Beside(score(0.0), []), None, asked=False, max_drop=0.5).passed


def test_deeper_rungs_are_trained_anew(world: dict[str, Any], tiny_model: Path, alone: Path) -> None:
    quick = ["data.validation_at_least=80", "data.near.threshold=1", "rungs.full.num_epochs=1"]
    deepen.train(world["rows"], out="deep", model=tiny_model, settings=quick, rungs=["full"])
    with pytest.raises(SettingError, match="--method retrain trains it anew"):
        deepen.update("deep", world["file"], method="exact")
    answer = call("update", "deep", world["file"])
    assert answer.code == 0, answer.err
    assert "every rung of the run is trained anew" in answer.err
    assert "gate" in answer.out
    assert answer.out.splitlines()[-1] == "deep-2"


def test_replay_goes_on_from_the_weights(world: dict[str, Any], tiny_model: Path, alone: Path) -> None:
    quick = ["data.validation_at_least=80", "data.near.threshold=1", "rungs.top_layers.num_epochs=3"]
    deepen.train(world["rows"], out="top", model=tiny_model, settings=quick, rungs=["top_layers"])
    with pytest.raises(SettingError, match="--forget goes with --method retrain"):
        deepen.update("top", world["file"], method="replay", forget="x,y")
    with pytest.raises(SettingError, match="--keep 0: it must be 1 row of each label or more"):
        deepen.update("top", world["file"], method="replay", keep=0)
    with pytest.raises(SettingError, match="frozen has no trained network: --method replay is for top_layers and full"):
        deepen.update(world["run"], world["file"], method="replay")
    answer = call("update", "top", world["file"], "--method", "replay", "--keep", "4", "--out", "more", "--json")
    assert answer.code == 0, answer.err
    assert "8 old rows are learned from again" in answer.err
    again = deepen.update("more", world["new"][:9], method="replay", keep=4, out="again")
    assert again.method == "replay"
    assert len(_rows("again", "train")) <= 3 * 4 + 9
    assert deepen.load("again").labels == ("negative", "neutral", "positive")
    said: list[str] = []
    deepen.update("again", world["new"][9:12], method="retrain", out="anew", say=said.append)
    assert any("the run was made by replay, and keeps only some of the rows" in line for line in said)


def test_a_model_to_go_on_from_says_what_it_said(world: dict[str, Any], tiny_model: Path, alone: Path) -> None:
    from deepen.continual.kept import chosen_rows
    from deepen.continual.method import start_reader
    from deepen.continual.methods.replay import write_start
    from deepen.inference.model import load_model

    quick = ["data.validation_at_least=80", "data.near.threshold=1", "rungs.top_layers.num_epochs=1"]
    deepen.train(world["rows"], out="top", model=tiny_model, settings=quick, rungs=["top_layers"])
    model = load_model(Path("top"))
    part = model.read(str(world["rows"]), need_target=True)
    reader = start_reader(model, "replay")
    before, features = reader.predict(part).values_MC, reader.features(part)
    few = chosen_rows(reader, part, 10)
    assert len(few) == 20
    positive = np.array(list(part.values("target"))) == "positive"
    mine = few.rows_N[positive[few.rows_N]]
    away = np.linalg.norm(features[mine].mean(0) - features[positive].mean(0))
    chance = np.random.default_rng(0)
    others = [chance.choice(np.flatnonzero(positive), 10, replace=False) for _ in range(20)]
    assert all(away < np.linalg.norm(features[one].mean(0) - features[positive].mean(0)) for one in others)
    write_start(reader, ("negative", "neutral", "positive"), Path("start"))
    after = reader.predict(part).values_MC
    assert np.allclose(after[:, [0, 2]], before, atol=1e-6)


def test_statistics_solve_the_head_from_sums_and_in_any_order(
    world: dict[str, Any], tiny_model: Path, alone: Path
) -> None:
    quick = ["data.validation_at_least=80", "data.near.threshold=1", "rungs.top_layers.num_epochs=1"]
    deepen.train(world["rows"], out="top", model=tiny_model, settings=quick, rungs=["top_layers"])
    for what, why in (({"forget": "x,y"}, "--forget goes with"), ({"keep": 0}, "--keep 0")):
        with pytest.raises(SettingError, match=why):
            deepen.update("top", world["file"], method="statistics", **what)
    with pytest.raises(SettingError, match="frozen has no trained network: --method statistics is for"):
        deepen.update(world["run"], world["file"], method="statistics")
    new = world["new"]
    answer = call("update", "top", world["file"], "--method", "statistics", "--keep", "4", "--out", "once", "--json")
    assert answer.code == 0, answer.err
    assert "8 old rows stay; what was learned from the others is in sums" in answer.err
    for order in ((0, 1), (1, 0)):
        run = "top"
        for half in order:
            out = f"{order[0]}-{half}"
            some = new[60 * half : 60 * half + 60]
            deepen.update(run, write_csv(alone / f"{out}.csv", some), method="statistics", keep=4, out=out)
            run = out
        assert np.allclose(logits(run), logits("once"), atol=1e-5)
    assert deepen.load("once").labels == ("negative", "neutral", "positive")
    assert len(_rows("once", "train")) < 2 * 4 + 120
    whole = deepen.load("once").evaluate(world["file"])
    assert whole[0].value > 0.7
    said: list[str] = []
    deepen.update("once", new[9:12], method="retrain", out="anew", say=said.append)
    assert any("the run was made by statistics, and keeps only some of the rows" in line for line in said)
    (alone / "once/rows/statistics.safetensors").write_bytes(b"no")
    with pytest.raises(DataError, match=r"statistics.safetensors can't be read"):
        deepen.update("once", new[:9], method="statistics", out="none")
    (alone / "once/rows/statistics.safetensors").unlink()
    with pytest.raises(DataError, match=r"statistics.safetensors is gone: without it an update would know of no row"):
        deepen.update("once", new[:9], method="statistics", out="none")
    assert not (alone / "none").exists()


def logits(run: Path | str) -> np.ndarray:
    """Logits of the new rows, a column a label, up to a shift and a temperature of the whole run."""
    model = deepen.load(run)
    found = model.predictor.predict(model.read([{"text": text} for text in TEXTS], need_target=False)).values_MC
    found = found - found.mean(1, keepdims=True)
    return found / np.abs(found).max()
