"""A run's folder loses nothing of a person's: what is removed, what is refused, and where answers may go."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest
from tests.worlds import WORLDS, some

import deepen
from deepen.core.errors import SettingError
from deepen.core.run import Run
from deepen.preparation.place import FILES, check_answers, check_place, is_run, new_run, written


def snapshot(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory, tiny_model: Path) -> Path:
    """A finished run of two shallow rungs, on rows of a file beside it."""
    folder = tmp_path_factory.mktemp("plain")
    rows = WORLDS["classification"](120)
    (folder / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)))
    deepen.train(folder / "rows.jsonl", rungs="majority,lexical", out=folder / "run", model=str(tiny_model))
    return folder


@pytest.fixture
def copy(plain: Path, tmp_path: Path) -> Path:
    """A copy of the run that a test may spoil."""
    shutil.copytree(plain / "run", tmp_path / "proj")
    return tmp_path / "proj"


def overwrite(run: Path, **inputs: Any) -> None:
    new_run(run, resume=False, overwrite=True, inputs=inputs)


@pytest.mark.parametrize("task", some([*WORLDS, "unlabelled"], "classification", "tagging", "ranking", "unlabelled"))
def test_a_run_knows_all_that_it_writes(task: str, tiny_model: Path, planted_rows: Any, tmp_path: Path) -> None:
    """Every file of a run is listed while it climbs, after diagnose and report, and by nobody else."""
    out, seen = tmp_path / "run", set()
    rows = WORLDS[task](90) if task in WORLDS else planted_rows(90)
    quick = [f"rungs.{rung}.num_epochs=1" for rung in ("top_layers", "full")]
    given: dict[str, Any] = {"model": str(tiny_model), "task": task if task in WORLDS else None, "settings": quick}
    if task == "unlabelled":
        given["unlabelled"] = tmp_path / "more.jsonl"
        (tmp_path / "more.jsonl").write_text(
            "\n".join(json.dumps({"text": row["text"]}) for row in planted_rows(90, seed=5))
        )
        given["settings"] = ["self_training.thresholds=[0.6]", *quick]

    def look(*_: object) -> None:
        if out.is_dir():
            assert not written(out).strangers
            seen.update(snapshot(out))

    def train(**more: Any) -> Run:
        return deepen.train(rows, **given, out=out, say=look, on_row=look, **more)

    ways = {"rungs": "lexical,top_layers"} if task == "unlabelled" else {"rungs": "majority,lexical,frozen,full"}
    train(**ways, refit=task in ("classification", "unlabelled"))
    deepen.diagnose(out, rows[:40], say=look)
    deepen.report(out)
    look()
    assert "diagnosis.json" in seen
    found = written(out)
    told = {path.relative_to(out).as_posix() for path in found.files}
    lists = {name for name in snapshot(out) - told if name.startswith(("suspects", "rows-of-"))}
    assert snapshot(out) - told == lists, "a run writes a name that preparation/place.py does not know"
    overwrite(out)
    assert snapshot(out) == lists


def test_a_run_that_was_killed_at_any_moment_can_be_replaced(plain: Path, tmp_path: Path) -> None:
    for number, last in enumerate(("environment.json", "recipe.yaml", "ladder.json")):
        run = tmp_path / str(number)
        run.mkdir()
        for name in ("environment.json", "recipe.yaml", "ladder.json")[: number + 1]:
            shutil.copy(plain / "run" / name, run / name)
        assert is_run(run), last
        check_place(run, resume=True, overwrite=False)
        overwrite(run)
        assert not list(run.iterdir())


def test_a_folder_of_a_person_is_none_of_a_run(tmp_path: Path, tiny_model: Path, monkeypatch: Any) -> None:
    """The first fault that was found: recipe.yaml is a name that people use."""
    proj = tmp_path / "proj"
    (proj / "src").mkdir(parents=True)
    (proj / "reviews.jsonl").write_text("\n".join(map(json.dumps, WORLDS["classification"](60))))
    (proj / "notes.txt").write_text("my notes")
    (proj / "src" / "code.py").write_text("x")
    (proj / "metrics.jsonl").write_text("{}")
    (proj / "model").mkdir()
    recipe = f"data: {{path: reviews.jsonl}}\nmodel: {{name: {tiny_model}}}\nladder: {{rungs: [majority]}}\n"
    (proj / "recipe.yaml").write_text(recipe)
    before = snapshot(proj)
    monkeypatch.chdir(proj)
    for place in (".", proj, "../proj"):
        for word in ("overwrite", "resume"):
            with pytest.raises(SettingError, match="not a run folder"):
                deepen.train(recipe="recipe.yaml", out=place, **{word: True})
    for name in ("ladder.json", "environment.json"):  # these too may be somebody's
        for content in ("", "[]", "{}", '{"rungs": 4}', '{"versions": "1"}', "not JSON"):
            (proj / name).write_text(content)
            with pytest.raises(SettingError, match="not a run folder"):
                check_place(proj, resume=False, overwrite=True)
        (proj / name).unlink()
    assert snapshot(proj) == before
    assert (proj / "recipe.yaml").read_text() == recipe


def test_what_a_person_put_beside_a_run_stays(copy: Path) -> None:
    for name in (
        "notes.txt",
        "data/mine.csv",
        "suspects.csv",
        "diagnosis/mine.txt",
        ".hidden",
        "rows-of-1-to-2-words.csv",
    ):
        (copy / name).parent.mkdir(exist_ok=True)
        (copy / name).write_text("mine")
    overwrite(copy)
    assert snapshot(copy) == {
        *("notes.txt", "data/mine.csv", "suspects.csv", "diagnosis/mine.txt", ".hidden", "rows-of-1-to-2-words.csv")
    }


@pytest.mark.parametrize(
    "name",
    [
        *("model/notes.txt", "model/runs/events", "rungs/notes.txt", "rungs/lexical/notes.txt", "rungs/mine/model/x"),
        *("rungs/lexical/model/added.json", "report.html/mine.txt", "rungs/lexical/checkpoint/mine.pt", "model/.mine"),
    ],
)
def test_a_persons_file_inside_is_named(copy: Path, name: str) -> None:
    if name.startswith("report"):
        (copy / "report.html").unlink()
    (copy / name).parent.mkdir(parents=True, exist_ok=True)
    (copy / name).write_text("mine")
    before = snapshot(copy)
    with pytest.raises(SettingError, match="did not write that") as told:
        overwrite(copy)
    assert name.split("/")[1] in str(told.value) or "report.html" in str(told.value)
    assert snapshot(copy) == before


def test_what_systems_drop_is_nobodys(copy: Path) -> None:
    for place in (".", "model", "rungs/lexical", "rungs/lexical/model"):
        (copy / place / ".DS_Store").touch()
    overwrite(copy)
    assert snapshot(copy) == {".DS_Store"}


def test_links_are_not_followed(copy: Path, tmp_path: Path) -> None:
    shutil.move(copy / "rungs", tmp_path / "elsewhere")
    (copy / "rungs").symlink_to(tmp_path / "elsewhere")
    before = snapshot(tmp_path / "elsewhere")
    with pytest.raises(SettingError, match="rungs: the run did not write that"):
        overwrite(copy)
    (copy / "rungs").unlink()
    (copy / "report.html").unlink()
    (tmp_path / "page.html").write_text("mine")
    (copy / "report.html").symlink_to(tmp_path / "page.html")
    overwrite(copy)
    assert snapshot(tmp_path / "elsewhere") == before
    assert (tmp_path / "page.html").read_text() == "mine"


def test_a_run_behind_a_link_is_replaced(copy: Path, tmp_path: Path) -> None:
    (tmp_path / "latest").symlink_to(copy)
    overwrite(tmp_path / "latest")
    assert snapshot(copy) == set()
    assert (tmp_path / "latest").is_symlink()


def test_names_in_a_model_folder_lead_nowhere_else(copy: Path, tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    path = copy / "model" / "deepen.json"
    about = json.loads(path.read_text())
    about["files"] |= {"../../mine.txt": "0", str(tmp_path / "mine.txt"): "0"}
    path.write_text(json.dumps(about))
    overwrite(copy)
    assert (tmp_path / "mine.txt").read_text() == "mine"


def test_the_working_folder_and_home_are_left(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (copy / "inner").mkdir()
    for here, says in ((copy, "is the working folder"), (copy / "inner", "holds the working folder")):
        monkeypatch.chdir(here)
        with pytest.raises(SettingError, match=says):
            overwrite(copy)
    monkeypatch.chdir(copy.parent)
    monkeypatch.setenv("HOME", str(copy / "inner"))
    with pytest.raises(SettingError, match="holds your home folder"):
        overwrite(copy)
    assert is_run(copy)


INPUTS = [
    *("left-out.csv", "recipe.yaml", "model", "rungs/lexical/model", "rungs", "diagnosis/clean.jsonl"),
    "rungs/lexical/predictions-validation.jsonl",
]


@pytest.mark.parametrize("name", INPUTS)
def test_what_is_read_is_not_removed(copy: Path, tmp_path: Path, name: str) -> None:
    if not (copy / name).exists():
        (copy / name).parent.mkdir(exist_ok=True)
        (copy / name).write_text("{}")
    (tmp_path / "link").symlink_to(copy / name)
    for given in (copy / name, tmp_path / "link", copy / "." / name, f"{copy}/../{copy.name}/{name}"):
        with pytest.raises(SettingError, match="the rows, is a part of the run"):
            overwrite(copy, **{"the rows": str(given)})
    assert is_run(copy)


def test_each_input_of_a_climb_is_asked_for(copy: Path, plain: Path, tiny_model: Path) -> None:
    (copy / "left-out.csv").write_text("id,label\n1,good\n")
    inner = str(copy / "left-out.csv")
    given: dict[str, Any] = {"model": str(tiny_model), "rungs": "majority", "out": copy, "overwrite": True}
    for name in ("data", "validation", "test", "labels", "drop", "fix", "add", "unlabelled"):
        with pytest.raises(SettingError, match="is a part of the run that --overwrite removes"):
            deepen.train(**{"data": plain / "rows.jsonl", **given, name: inner})
    for name, value in (("model", str(copy / "model")), ("recipe", copy / "recipe.yaml")):
        with pytest.raises(SettingError, match="is a part of the run that --overwrite removes"):
            deepen.train(plain / "rows.jsonl", **given | {name: value})
    assert is_run(copy)
    (copy / "rows.jsonl").write_bytes((plain / "rows.jsonl").read_bytes())  # no name of a run: it stays and can be read
    deepen.train(copy / "rows.jsonl", **given)
    assert (copy / "rows.jsonl").read_bytes() == (plain / "rows.jsonl").read_bytes()


def test_a_resumed_climb_keeps_what_a_person_put_into_the_model(copy: Path, plain: Path) -> None:
    ladder = json.loads((copy / "ladder.json").read_text())
    part = ladder | {"rungs": ladder["rungs"][:1], "complete": False, "chosen": "majority"}
    (copy / "ladder.json").write_text(json.dumps(part))
    (copy / "model" / "notes.txt").write_text("mine")
    (copy / "model" / "inner").mkdir()
    (copy / "model" / "inner" / "notes.txt").write_text("mine too")
    deepen.train(out=copy, resume=True)
    assert (copy / "model" / "notes.txt").read_text() == "mine"
    assert (copy / "model" / "inner" / "notes.txt").read_text() == "mine too"
    assert deepen.load(copy).predict(["a good film"])[0].output == "good"


def test_resume_with_other_rows_writes_nothing(copy: Path, tmp_path: Path) -> None:
    ladder = json.loads((copy / "ladder.json").read_text())
    (copy / "ladder.json").write_text(json.dumps(ladder | {"complete": False}))
    before = {name: (copy / name).read_bytes() for name in snapshot(copy)}
    (tmp_path / "other.jsonl").write_text("\n".join(map(json.dumps, WORLDS["classification"](80))))
    with pytest.raises(deepen.DataError, match="not what the run began with"):
        deepen.train(tmp_path / "other.jsonl", out=copy, resume=True)
    assert {name: (copy / name).read_bytes() for name in snapshot(copy)} == before


@pytest.mark.parametrize(
    "name",
    [
        *("metrics.jsonl", "left-out.csv", "suspects.csv", "suspects-3.csv", "rungs/lexical/training.jsonl"),
        *("rungs/new.csv", "model/answers.csv", "model/examples.jsonl", "diagnosis/clean.jsonl"),
    ],
)
def test_answers_are_not_written_into_a_run(copy: Path, name: str) -> None:
    with pytest.raises(SettingError, match="give the answers another"):
        check_answers(copy / name, [str(copy)], ["a text"])


def test_answers_are_not_written_over_rows(copy: Path, plain: Path, tmp_path: Path) -> None:
    (tmp_path / "new.csv").write_text("text\na good film\n")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "new.csv").write_text("text\na good film\n")
    (tmp_path / "link.csv").symlink_to(tmp_path / "new.csv")
    os.link(tmp_path / "new.csv", tmp_path / "hard.csv")
    for out, data in (
        (tmp_path / "new.csv", tmp_path / "new.csv"),
        (tmp_path / "link.csv", tmp_path / "new.csv"),
        (tmp_path / "hard.csv", tmp_path / "new.csv"),
        (tmp_path / "folder" / "new.csv", tmp_path / "folder"),
    ):
        with pytest.raises(SettingError, match="the file of the rows themselves"):
            check_answers(out, [str(copy)], str(data))
    with pytest.raises(SettingError, match="the training rows of the run"):
        check_answers(plain / "rows.jsonl", [str(copy)], ["a text"])
    for fine in (copy / "answers.csv", tmp_path / "answers.csv"):
        check_answers(fine, [str(copy)], str(tmp_path / "new.csv"))


def test_the_lists_hold_every_name_once() -> None:
    assert len(set(FILES)) == len(FILES)


def test_a_name_that_no_record_can_hold(plain: Path, tmp_path: Path) -> None:
    with pytest.raises(SettingError, match="give --out a name in UTF-8"):
        deepen.train(plain / "rows.jsonl", out=tmp_path / os.fsdecode(b"r\xe9"), rungs="majority")
