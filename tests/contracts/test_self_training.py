"""--unlabelled: rungs learn again from rows that the best one labelled, and what is better stands."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from tests.contracts.conftest import Deepen
from tests.contracts.test_interrupted import left
from tests.worlds import WORLDS, some

from deepen import api
from deepen.core.errors import DataError, SettingError
from deepen.core.run import Run
from deepen.ladder import climb, self_train
from deepen.preparation.catalog import shelf

WORDS = {"good": ("good fine", "great lovely"), "bad": ("bad poor", "awful broken")}
NEAR = ["data.near.threshold=1", "data.check=false"]


def said(chance: random.Random, label: str, known: bool | None) -> dict[str, str]:
    """A sentence with a word that labelled rows hold, with one that they don't, or with both."""
    first, second = WORDS[label]
    words = chance.choices("the a film phone room was looks very today seat desk".split(), k=5)
    words += [chance.choice(first.split())] if known is not False else []
    words += [chance.choice(second.split())] if known is not True else []
    chance.shuffle(words)
    return {"text": " ".join(words), "label": label}


def write(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


@pytest.fixture
def world(tmp_path: Path, tiny_model: Path) -> dict[str, Any]:
    """Labelled rows know half of the words; the unlabelled ones hold both halves beside each other."""
    chance = random.Random(0)
    labels = ["good", "bad"]
    train = [said(chance, labels[at % 2], True) for at in range(40)]
    held = [said(chance, labels[at % 2], at % 3 != 0) for at in range(60)]
    more = [{"text": said(chance, labels[at % 2], None)["text"]} for at in range(300)]
    paths = {name: str(write(tmp_path / f"{name}.jsonl", rows)) for name, rows in (("train", train), ("held", held))}
    return {
        "data": paths["train"],
        "validation": paths["held"],
        "test": paths["held"],
        "unlabelled": str(write(tmp_path / "more.jsonl", more)),
        "model": str(tiny_model),
        "settings": [*NEAR, "rungs.top_layers.num_epochs=1"],
    }


def rows_of(run: Run) -> dict[str, dict[str, Any]]:
    return {row["rung"]: row for row in run.ladder["rungs"]}


def weights(run: Run) -> dict[str, bytes]:
    return {str(path.relative_to(run.folder)): path.read_bytes() for path in run.folder.glob("model/**/*.safetensors")}


def test_a_gain_is_kept(world: dict[str, Any], tmp_path: Path) -> None:
    plain = api.train(**world | {"unlabelled": None}, rungs="majority,lexical", out=tmp_path / "plain")
    run = api.train(**world, rungs="majority,lexical", out=tmp_path / "run")
    row, before = rows_of(run)["lexical"], rows_of(plain)["lexical"]
    told = row["self_trained"]
    assert told["kept"]
    assert told["gain"]["value"] > 0.05
    assert row["score"]["value"] == pytest.approx(before["score"]["value"] + told["gain"]["value"], abs=1e-5)
    assert row["gain"]["value"] == pytest.approx(before["gain"]["value"] + told["gain"]["value"], abs=1e-5)
    assert 0 < told["rows"] <= 300
    assert told["threshold"] in (0.7, 0.8, 0.9, 0.95)
    assert "kept" in row["reason"]
    assert "self_trained" not in rows_of(run)["majority"], "it says the same whatever it learns from"
    assert run.ladder["self_training"]["teacher"] == "lexical"
    model = api.load(run)
    lines = (run.rung("lexical") / "predictions-validation.jsonl").read_text().splitlines()
    again = [model.predict([json.loads(line)["inputs"]["text"]])[0].output for line in lines]
    assert [json.loads(line)["output"] for line in lines] == again, "model, predictions and row are of one model"
    assert run.ladder["test"][0]["value"] == row["validation"][0]["value"], "the same rows were given twice"
    assert not [*run.folder.rglob("self_train*")]


def test_no_gain_is_not_kept(world: dict[str, Any], tmp_path: Path) -> None:
    held = Path(world["validation"]).read_text().splitlines()
    known = [line for line in held if set(json.loads(line)["text"].split()) & set("good fine bad poor".split())]
    Path(world["validation"]).write_text("\n".join(known) + "\n")  # a teacher that is never wrong
    plain = api.train(**world | {"unlabelled": None}, rungs="lexical", out=tmp_path / "plain")
    run = api.train(**world, rungs="lexical", out=tmp_path / "run")
    assert rows_of(plain)["lexical"]["score"]["value"] == 1
    told = rows_of(run)["lexical"]["self_trained"]
    assert not told["kept"]
    assert told["gain"]["value"] <= 0
    assert "not kept" in rows_of(run)["lexical"]["reason"]
    assert weights(run) == weights(plain)
    assert run.ladder["test"] == plain.ladder["test"]


def test_a_rung_learns_from_what_the_best_is_sure_of(
    world: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[str, int, list[Any]]] = []

    def watched(name: str, climb: Callable[..., Any]) -> Callable[..., Any]:
        def spy(work: Any, settings: Any, below: Any) -> Any:
            seen.append((name, len(work.problem.train), [*work.problem.train.values("target")]))
            return climb(work, settings, below)

        return spy

    for name in ("lexical", "frozen"):
        monkeypatch.setitem(shelf(), name, replace(shelf()[name], climb=watched(name, shelf()[name].climb)))
    run = api.train(**world, rungs="lexical,frozen", out=tmp_path / "run")
    teacher = run.ladder["self_training"]["teacher"]
    model = api.load(api.train(**world | {"unlabelled": None}, rungs=teacher, out=tmp_path / "plain"))
    more = [json.loads(line)["text"] for line in Path(world["unlabelled"]).read_text().splitlines()]
    answers = [(one.output, max((one.probabilities or {}).values())) for one in model.predict(more)]
    wanted = {}
    for least in (0.7, 0.8, 0.9, 0.95):
        sure = [label for label, sureness in answers if sureness >= least]
        if len(set(sure)) > 1:
            wanted[least] = sure
    assert wanted
    for name in ("lexical", "frozen"):
        first, *others = [(num, targets) for rung, num, targets in seen if rung == name]
        assert first[0] == 40
        assert [targets[40:] for _, targets in others][: len(wanted)] == [*wanted.values()]


@pytest.mark.parametrize("refit", some([False, True], True))
def test_repeated_and_interrupted(
    refit: bool, world: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = world | {"rungs": "lexical,top_layers", "refit": refit}
    given["settings"] = [
        *world["settings"],
        "self_training.thresholds=[0.7]",
        "rungs.top_layers.evaluations_per_epoch=0",
    ]
    run = api.train(**given, out=tmp_path / "run")
    kept = {name: row["self_trained"]["kept"] for name, row in rows_of(run).items()}
    assert kept["lexical"]
    assert run.ladder["chosen"] == "lexical", "so that --refit has a teacher and a pupil"
    assert run.ladder.get("refitted", False) == refit
    again = api.train(recipe=run.folder / "recipe.yaml", out=tmp_path / "again")
    assert weights(run) == weights(again), "a recipe repeats it"
    assert same(run, again)
    out = tmp_path / "stopped"
    stops = [("_label", 0), ("_decide", 0), ("adopt", 0), ("os.replace", 1), ("_decide", 0), ("_conclude", 0)]
    for name, at in [*stops, *([("refit", 0), ("climb.refit", 0)] if refit else [])]:
        with monkeypatch.context() as patch:
            stop_at(patch, name, at)
            with pytest.raises(KeyboardInterrupt):
                api.train(**given, out=out, resume=out.exists())
    found = left(api.train(**given, out=out, resume=True).folder)
    wanted = left(run.folder)
    assert found.keys() == wanted.keys()
    for name in wanted.keys() - {"recipe.yaml"}:
        assert found[name] == wanted[name], name


def same(one: Run, other: Run) -> bool:
    rows = [[(r["rung"], r["score"], r["gain"]) for r in run.ladder["rungs"]] for run in (one, other)]
    return rows[0] == rows[1] and one.ladder["test"] == other.ladder["test"]


def stop_at(patch: pytest.MonkeyPatch, name: str, at: int) -> None:
    """Interrupts a call of a function of the self-training: the first one, or a later one."""
    home: Any = {"os.replace": self_train.os, "climb.refit": climb}.get(name, self_train)
    function: Callable[..., Any] = getattr(home, name.split(".")[-1])
    calls: list[int] = []

    def stop(*given: Any, **named: Any) -> Any:
        calls.append(1)
        if len(calls) > at:
            raise KeyboardInterrupt
        return function(*given, **named)

    if name == "os.replace":  # that of this module only
        patch.setattr(self_train, "os", SimpleNamespace(replace=stop))
    else:
        patch.setattr(home, name.split(".")[-1], stop)


def test_nothing_leaks(world: dict[str, Any], tmp_path: Path) -> None:
    held = [json.loads(line)["text"] for line in Path(world["validation"]).read_text().splitlines()]
    train = [json.loads(line)["text"] for line in Path(world["data"]).read_text().splitlines()]
    with Path(world["unlabelled"]).open("a", encoding="utf-8") as file:
        for text in [held[0].upper(), held[1] + " !", train[0]]:
            file.write(json.dumps({"text": text}) + "\n")
    heard: list[str] = []
    run = api.train(**world, rungs="lexical", out=tmp_path / "run", say=heard.append)
    assert run.ladder["data"]["unlabelled"] == run.ladder["self_training"]["rows"] == 300
    assert any("2 rows left out, which say nearly the same as one that decides or is scored" in line for line in heard)
    assert any("1 row left out, which is labelled already" in line for line in heard)
    copies = write(tmp_path / "copies.jsonl", [{"text": text} for text in held])
    with pytest.raises(DataError, match="none of its 60 rows is left"):
        api.train(**world | {"unlabelled": str(copies)}, rungs="lexical", out=tmp_path / "none")


def test_forms_of_the_file(world: dict[str, Any], tmp_path: Path) -> None:
    texts = [json.loads(line)["text"] for line in Path(world["unlabelled"]).read_text().splitlines()]
    lines = tmp_path / "more.txt"
    lines.write_text("\n".join(texts) + "\n", encoding="utf-8")
    labelled = write(tmp_path / "labelled.jsonl", [{"text": text, "label": "?"} for text in texts])
    runs = [
        api.train(**world | {"unlabelled": str(path)}, rungs="lexical", out=tmp_path / f"run-{at}")
        for at, path in enumerate((world["unlabelled"], lines, labelled))
    ]
    assert weights(runs[0]) == weights(runs[1]) == weights(runs[2])


def test_no_time(world: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(self_train, "fits", lambda forecast, *, seconds_left: False)
    run = api.train(**world, rungs="lexical", out=tmp_path / "run", budget="1h")
    assert "budget" in run.ladder["self_training"]["reason"]
    assert "self_trained" not in rows_of(run)["lexical"]
    monkeypatch.undo()
    again = api.train(recipe=run.folder / "recipe.yaml", out=tmp_path / "again")
    assert weights(run) == weights(again)


def test_bad_input(world: dict[str, Any], deepen: Deepen, tmp_path: Path) -> None:
    words: list[object] = ["train", world["data"], "--validation", world["validation"], "--model", world["model"]]
    words += ["--set", NEAR[0], "--set", NEAR[1], "--out", "run"]
    more = ["--unlabelled", world["unlabelled"]]
    assert "no-such.csv" in deepen(*words, "--unlabelled", "no-such.csv").failed("DataError")
    assert "can't learn" in deepen(*words, *more, "--rungs", "majority").failed("SettingError")
    assert "unknown rung" in deepen(*words, *more, "--set", "self_training.rungs=[ful]").failed("SettingError")
    assert "from 0" in deepen(*words, *more, "--set", "self_training.thresholds=[1.5]").failed("SettingError")
    empty = write(tmp_path / "empty.jsonl", [])
    assert "empty" in deepen(*words, "--unlabelled", empty).failed("DataError")
    assert not Path("run/ladder.json").exists()


@pytest.mark.parametrize("task", sorted(set(WORLDS) - {"classification"}))
def test_other_tasks(task: str, world: dict[str, Any], tmp_path: Path) -> None:
    rows = WORLDS[task](120)
    targets = {"label", "labels", "ner_tags", "answers", "score"}
    more = [{name: value for name, value in row.items() if name not in targets} for row in rows[60:]]
    given = {"task": task, "model": world["model"], "unlabelled": str(write(tmp_path / "more.jsonl", more))}
    given |= {"settings": [*NEAR, "data.validation_at_least=20", "self_training.thresholds=[0.5]"]}
    if task in ("matching", "relation"):
        run = api.train(rows[:60], **given, rungs="lexical", out=tmp_path / "run")
        assert rows_of(run)["lexical"]["self_trained"]["rows"] > 0
    else:
        with pytest.raises(SettingError, match="one label a row"):
            api.train(rows[:60], **given, rungs="lexical", out=tmp_path / "run")
        assert not (tmp_path / "run").exists()


def test_what_the_training_rows_have_must_be_there(world: dict[str, Any], tmp_path: Path) -> None:
    rows = [row | {"head": "screen", "tail": "camera"} for row in WORLDS["relation"](60)]
    rows = [row | {"text": f"the screen made the camera {row['text']}"} for row in rows]
    more = str(write(tmp_path / "more.jsonl", [{"text": row["text"]} for row in rows]))
    given = {"task": "relation", "model": world["model"], "unlabelled": more, "settings": NEAR, "rungs": "lexical"}
    with pytest.raises(DataError, match=r"more\.jsonl: has no 'head', which the training rows have"):
        api.train(rows, **given, out=tmp_path / "run")


def test_command(world: dict[str, Any], deepen: Deepen) -> None:
    words: list[object] = ["train", world["data"], "--validation", world["validation"], "--model", world["model"]]
    words += ["--set", NEAR[0], "--set", NEAR[1], "--out", "run", "--rungs", "lexical"]
    answer = deepen(*words, "--unlabelled", world["unlabelled"], "--json")
    assert answer.code == 0, answer.err
    [row] = answer.json["rungs"]
    assert "kept" in row["reason"]
    assert set(row) == {
        *("rung", "status", "reason", "score", "gain", "seconds", "forecast_seconds", "num_trained_parameters"),
        *("peak_memory_bytes", "seconds_per_1000_predictions"),
    }
    assert deepen(*words, "--resume").code == 0
    assert "begun with" in deepen(*words, "--resume", "--unlabelled", world["data"]).failed("SettingError")
