"""The ladder as a record: what is read of ladder.json is what is written to it, whichever release wrote it."""

from __future__ import annotations

import json
import tarfile
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from deepen.core.errors import DataError
from deepen.core.ladder import Ladder, LadderRow, RowState, Stage, UnderWay, read_ladder
from deepen.core.run import Run

EARLIER = Path(__file__).parents[1] / "fixtures" / "runs-0.1.0.tar.xz"
SCORE = {"name": "accuracy", "value": 0.5, "n": 4, "later": 1}
ROW = {"rung": "lexical", "status": "done", "seconds": 1.5, "score": SCORE, "reason": "", "later": [1]}
FILE: dict[str, Any] = {"schema": 1, "task": "classification", "rungs": [ROW], "chosen": None, "later": {"a": 1}}


def test_ladders_of_earlier_releases_are_written_as_they_were() -> None:
    with tarfile.open(EARLIER) as archive:
        files = [archive.extractfile(name) for name in archive.getnames() if name.endswith("ladder.json")]
        found = [json.loads(file.read()) for file in files if file is not None]
    assert len(found) > 5
    for ladder in found:
        again = Ladder.model_validate(ladder).dump()
        assert again == ladder
        assert list(again) == list(ladder)
        assert [list(row) for row in again["rungs"]] == [list(row) for row in ladder["rungs"]]


def test_what_a_later_release_wrote_is_kept(tmp_path: Path) -> None:
    (tmp_path / "ladder.json").write_text(json.dumps(FILE))
    run = Run(tmp_path)
    ladder = run.ladder.with_row(run.ladder.row("lexical").because("it is enough"))
    run.write_ladder(ladder.with_row(LadderRow(rung="full", status=RowState.SKIPPED)))
    kept = {"rungs": [ROW | {"reason": "it is enough"}, {"rung": "full", "status": "skipped"}]}
    assert json.loads((tmp_path / "ladder.json").read_text()) == FILE | kept


@pytest.mark.parametrize(
    ("said", "stands"),
    [
        ("full", UnderWay(Stage.FIRST, "full")),
        ("self-training full", UnderWay(Stage.AGAIN, "full")),
        ("refit", UnderWay(Stage.REFIT)),
        ("refit the teacher", UnderWay(Stage.TEACHER)),
    ],
)
def test_where_a_climb_stands(said: str, stands: UnderWay) -> None:
    ladder = Ladder.model_validate(FILE | {"under_way": said, "under_way_seconds": 2.5})
    assert ladder.under_way == stands
    assert ladder.dump()["under_way"] == said
    over = ladder.but({"under_way": None, "under_way_seconds": None})
    assert not {"under_way", "under_way_seconds"} & over.dump().keys()


@pytest.mark.parametrize("row", [ROW | {"status": "won"}, ROW | {"score": SCORE | {"value": "1"}}, {"rung": "full"}])
def test_a_damaged_file_is_named_in_a_line(row: dict[str, Any], tmp_path: Path) -> None:
    path = tmp_path / "ladder.json"
    path.write_text(json.dumps(FILE | {"rungs": [row]}))
    with pytest.raises(DataError) as caught:
        read_ladder(path)
    assert str(caught.value).startswith(f"{path} is damaged: 'rungs.0")
    assert "\n" not in str(caught.value)


def test_it_is_frozen_and_has_no_other_fields() -> None:
    ladder = Ladder.model_validate(FILE)
    with pytest.raises(ValidationError):
        ladder.chosen = "full"  # type: ignore[misc]
    with pytest.raises(TypeError, match="choosen"):
        ladder.but({"choosen": "full"})


def test_scripts_of_earlier_releases_read_keys() -> None:
    ladder = Ladder.model_validate(FILE)
    assert ladder["rungs"] == [ROW]
    assert ladder.get("refitted", "no") == "no"
    with pytest.raises(KeyError):
        ladder["refitted"]


def test_an_interrupt_while_it_is_written_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(value: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("deepen.core.ladder.plain", interrupted)
    with pytest.raises(KeyboardInterrupt):
        Ladder(task="a", rungs=(), shift=object()).dump()
