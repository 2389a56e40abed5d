"""kill -9 at any moment of a climb, then --resume: the same end, and nothing else is left."""

from __future__ import annotations

import json
import os
import random
import shutil
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.contracts.climbing import server, start
from tests.contracts.conftest import QUICK, Deepen, call

from deepen import making
from deepen.core.lock import holding
from deepen.preparation.catalog import shelf

TIMES = {"seconds", "forecast_seconds", "peak_memory_bytes", "seconds_per_1000_predictions", "run", "before"}


def timeless(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: timeless(item) for key, item in value.items() if key not in TIMES}
    return [timeless(item) for item in value] if isinstance(value, list) else value


def left(run: Path) -> dict[str, Any]:
    """Everything in a run folder but its clock readings."""
    found: dict[str, Any] = {}
    for path in sorted(run.rglob("*")):
        name = str(path.relative_to(run))
        if path.suffix == ".jsonl":
            found[name] = [timeless(json.loads(line)) for line in path.read_text().splitlines()]
        elif path.name == "ladder.json":
            found[name] = timeless(json.loads(path.read_text()))
        elif path.name in ("environment.json", "README.md", "report.html"):
            found[name] = "there"
        elif path.is_file():
            found[name] = path.read_bytes()
    return found


@dataclass(frozen=True)
class World:
    """What a climb needs, how long it takes, and what it leaves when nobody disturbs it."""

    words: list[object]
    context: Any
    seconds: float
    left: dict[str, Any]


@pytest.fixture(scope="module")
def world(two_class_csv: Path, tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> World:
    folder, context = tmp_path_factory.mktemp("undisturbed"), server()
    words: list[object] = ["train", two_class_csv, "--test", two_class_csv.parent / "test.csv"]
    words += ["--model", tiny_model, "--thorough", *QUICK, "--out"]
    start(context, ["models"], folder / "cache").join()  # the server is up
    began = time.monotonic()
    process = start(context, [*words, folder / "run"], folder / "cache")
    process.join(timeout=120)
    assert process.exitcode == 0
    return World(words, context, time.monotonic() - began, left(folder / "run"))


@pytest.mark.services
def test_killed_and_resumed(world: World, tmp_path: Path) -> None:
    for moment in range(2):
        share = (moment + random.Random(f"kill {moment}").random()) / 2
        check_killed(world, share, tmp_path / f"run-{moment}", tmp_path / f"cache-{moment}")


def check_killed(world: World, share: float, run: Path, cache: Path) -> None:
    for _ in range(2):  # twice, the second time while it resumes
        process = start(world.context, [*world.words, run, "--resume"], cache)
        process.join(timeout=share * world.seconds)
        process.kill()
        process.join()
    process = start(world.context, [*world.words, run, "--resume"], cache)
    process.join(timeout=120)
    assert process.exitcode == 0
    found = left(run)
    assert found.keys() == world.left.keys()
    for name, value in world.left.items():
        if name == "recipe.yaml":
            assert yaml.safe_load(found[name]) == yaml.safe_load(value)
        else:
            assert found[name] == value, name
    assert not [*run.rglob(".*"), *cache.rglob(".*.part"), *cache.rglob(".*.old")]


@pytest.fixture(scope="module")
def whole(two_class_csv: Path, tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[list[object], Path]:
    """The words that make a run in `run`, and the run."""
    words: list[object] = ["train", two_class_csv, "--model", tiny_model, "--rungs", "majority,lexical", "--out", "run"]
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder := tmp_path_factory.mktemp("whole"))
        assert call(*words).code == 0
    return words, folder / "run"


@pytest.fixture
def begun(deepen: Deepen, whole: tuple[list[object], Path]) -> list[object]:
    """A run that stopped before its second rung, in `run`; gives the words that made it."""
    words, run = whole
    shutil.copytree(run, "run")
    path = Path("run/ladder.json")
    ladder = json.loads(path.read_text())
    path.write_text(json.dumps(ladder | {"rungs": ladder["rungs"][:1], "complete": False, "chosen": "majority"}))
    return words


OTHER = [
    (["--seed", "7"], "seed = 0, not 7"),
    (["--model", "./other"], "model.name = "),
    (["--set", "data.validation_share=0.5"], "data.validation_share = 0.1, not 0.5"),
    (["--columns", "text=label,label=text"], "data.columns = null, not "),
]


@pytest.fixture
def complete(deepen: Deepen, two_class_csv: Path, tiny_model: Path) -> list[object]:
    """A complete run in `run`; gives the words that made it."""
    words: list[object] = ["train", two_class_csv, "--model", tiny_model, "--rungs", "majority,lexical", "--out", "run"]
    assert deepen(*words, "--budget", "1h").code == 0
    return words


def test_a_complete_run_is_what_was_asked_for(complete: list[object], deepen: Deepen, two_class_csv: Path) -> None:
    moved = Path("moved.csv")
    moved.write_bytes(two_class_csv.read_bytes())
    Path("run/report.html").unlink()
    for same in (complete, ["train", "--out", "run"], [*complete, "--budget", "1h"], ["train", moved, "--out", "run"]):
        answer = deepen(*same, "--resume", "--json")
        assert "complete already" in answer.err
        assert answer.json["chosen"] == "lexical"
    assert Path("run/report.html").is_file(), "a page that an interruption cost is made up for"


def test_a_complete_run_is_not_what_was_asked_for(complete: list[object], deepen: Deepen, two_class_csv: Path) -> None:
    more = [
        (["--rungs", "majority,frozen"], 'ladder.rungs = ["majority", "lexical"], not ["majority", "frozen"]'),
        (["--thorough"], "ladder.thorough = false, not true"),
        (["--set", "rungs.lexical.folds=4"], "rungs.lexical.folds = 3, not 4"),
    ]
    for words, says in [*OTHER, *more]:
        line = deepen("train", "--out", "run", "--resume", *words).failed("SettingError")
        assert line.startswith(f"run was begun with {says}"), line
    other = two_class_csv.parent / "test.csv"
    for words in (["train", other], ["train", "--test", other], ["train", "gone.csv"]):
        line = deepen(*words, "--out", "run", "--resume").failed("SettingError")
        assert line.startswith("run was made with other "), line


def test_resume_needs_no_more_than_the_folder(begun: list[object], deepen: Deepen) -> None:
    answer = deepen("train", "--out", "run", "--resume", "--json")
    assert [row["rung"] for row in answer.json["rungs"]] == ["majority", "lexical"]


def test_resume_with_the_same_words(begun: list[object], deepen: Deepen) -> None:
    assert deepen(*begun, "--resume", "--json").json["chosen"] == "lexical"
    # and once more, now that it is complete
    assert deepen(*begun, "--resume", "--json").json["chosen"] == "lexical"


@pytest.mark.parametrize(("words", "says"), OTHER)
def test_resume_with_other_words(begun: list[object], deepen: Deepen, words: list[str], says: str) -> None:
    line = deepen("train", "--out", "run", "--resume", *words).failed("SettingError")
    assert line.startswith("run was begun with ")
    assert says in line
    assert "--overwrite" in line


def test_what_is_still_ahead_may_change(begun: list[object], deepen: Deepen) -> None:
    words = ["--set", "rungs.lexical.min_count=3", "--budget", "1h", "--rungs", "majority,lexical"]
    from deepen.shallow.tfidf import LexicalSettings

    name = next(iter(LexicalSettings.model_fields))
    words[1] = f"rungs.lexical.{name}={json.dumps(LexicalSettings().model_dump(mode='json')[name])}"
    assert deepen("train", "--out", "run", "--resume", *words, "--json").code == 0


def test_one_process_at_a_time(begun: list[object], deepen: Deepen) -> None:
    with holding(Path("run")):
        for word in ("--resume", "--overwrite"):
            assert deepen(*begun, word).failed("SettingError") == "another process is training in run"
    assert deepen(*begun, "--resume").code == 0


def test_other_data_is_refused(begun: list[object], deepen: Deepen, two_class_csv: Path) -> None:
    other = deepen("train", two_class_csv.parent / "test.csv", "--out", "run", "--resume")
    assert "the data is not what the run began with" in other.failed("DataError")


def test_resume_where_nothing_is(deepen: Deepen, two_class_csv: Path, tiny_model: Path) -> None:
    words = [two_class_csv, "--model", tiny_model, "--rungs", "majority", "--resume", "--json", "--out"]
    assert "no data" in deepen("train", "--out", "gone", "--resume").failed("SettingError")
    assert not Path("gone").exists()
    assert deepen("train", *words, "gone").json["chosen"] == "majority"
    Path("empty").mkdir()
    assert deepen("train", *words, "empty").json["chosen"] == "majority"
    # killed before its recipe was written: only the half of a file is there
    Path("early").mkdir()
    Path("early/.recipe.yaml.somewhere-1.part").write_text("da")
    Path("early/.write").touch()
    assert deepen("train", *words, "early").json["chosen"] == "majority"


def test_seconds_of_all_parts_add_up(
    deepen: Deepen, two_class_csv: Path, tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ["train", two_class_csv, "--model", tiny_model, "--rungs", "majority,frozen", "--out", "run"]
    real = shelf()["frozen"]

    def slow(*given: Any) -> Any:
        time.sleep(0.4)
        raise KeyboardInterrupt

    for _ in range(2):
        monkeypatch.setitem(shelf(), "frozen", replace(real, climb=slow))
        stopped = deepen(*words, "--resume")
        assert stopped.code == 130
        assert stopped.err.splitlines()[-1] == "interrupted; `deepen train --out run --resume` goes on from here"
    half = json.loads(Path("run/ladder.json").read_text())
    assert half["seconds"] > 0.8
    assert half["under_way_seconds"] > 0.8
    card = Path("run/model/README.md")
    assert "The run is not finished" in card.read_text(encoding="utf-8")
    # a climb that is killed says nothing more: its last checkpoint tells how far it came
    checkpoint = Path("run/rungs/frozen/checkpoint/state.json")
    checkpoint.parent.mkdir(parents=True)
    checkpoint.write_text("{}")
    later = Path("run/ladder.json").stat().st_mtime + 100
    os.utime(checkpoint, (later, later))
    monkeypatch.setitem(shelf(), "frozen", real)
    ladder = deepen(*words, "--resume", "--json").json
    assert 100.8 < ladder["rungs"][1]["seconds"] < ladder["seconds"]
    assert ladder["seconds"] > half["seconds"] + 100
    assert "is not finished" not in card.read_text(encoding="utf-8")
    assert not {"under_way", "under_way_seconds"} & json.loads(Path("run/ladder.json").read_text()).keys()


def test_a_climb_that_is_stopped_before_it_began_offers_nothing(
    deepen: Deepen, two_class_csv: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stopped(*given: Any, **more: Any) -> Any:
        raise KeyboardInterrupt

    monkeypatch.setattr(making, "prepare", stopped)
    answer = deepen("train", two_class_csv, "--out", "run")
    assert (answer.code, answer.err.splitlines()[-1]) == (130, "interrupted")
    assert not Path("run").exists()
    line = deepen("train", "--out", "run", "--resume").failed("SettingError")
    assert line.startswith("run holds no run that has begun, so there is no data: name a file")


def test_a_run_that_is_not_finished_says_so(begun: list[object], deepen: Deepen, two_class_csv: Path) -> None:
    again = "`deepen train --out run --resume` goes on"
    new = Path("new.csv")  # not the file that was learned from, which is warned of too
    new.write_text("".join(two_class_csv.read_text(encoding="utf-8").splitlines(keepends=True)[:-1]), encoding="utf-8")
    calls = [
        *(["predict", "run", "--text", "a film"], ["evaluate", "run", new], ["report", "run"]),
        *(
            ["predict", "run/model", "--text", "a film"],
            ["predict", "run", "--rung", "majority", "--text", "x", "--json"],
        ),
    ]
    for words in calls:
        answer = deepen(*words)
        assert answer.code == 0, answer.err
        [line] = [line for line in answer.err.splitlines() if "warning" in line]
        assert line.startswith("  warning: run is not finished")
        assert again in line
    assert "is not finished" in deepen("diagnose", "run").failed("DataError")
    page = Path("run/report.html").read_text(encoding="utf-8")
    assert "is not finished" in page
    assert "deepen train --out run --resume" in page
    assert deepen(*begun, "--resume").code == 0
    for words in calls:
        assert "warning" not in deepen(*words).err
    assert "is not finished" not in Path("run/report.html").read_text(encoding="utf-8")
