"""What a hostile but fair user found once stays found."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

import deepen
from deepen import api
from deepen.cli import show
from deepen.core.errors import SettingError
from deepen.core.files import open_to_others
from deepen.ladder.recipe import make_recipe


def test_the_verb_report_is_not_hidden_by_its_room() -> None:
    assert deepen.load is api.load
    assert deepen.report is api.report


@pytest.mark.parametrize(
    "values",
    [
        {"seed": -1},
        {"ladder": {"worth": float("nan")}},
        {"data": {"validation_share": 2}},
        {"model": {"max_tokens": 0}},
        {"rungs": {"lexical": {"folds": 1}}},
        {"rungs": {"lexical": {"strengths": []}}},
        {"rungs": {"full": {"learning_rate": -1}}},
    ],
)
def test_settings_that_would_fail_later_fail_at_once(values: dict[str, dict[str, object]]) -> None:
    with pytest.raises(SettingError):
        make_recipe(values)


def test_no_rung_at_all_is_not_every_rung() -> None:
    with pytest.raises(SettingError, match="at least one rung"):
        api.train([{"text": "a", "label": "b"}], rungs=[])


def test_labels_in_brackets_are_printed(capsys: pytest.CaptureFixture[str]) -> None:
    score = {"name": "recall", "value": 1.0, "n": 3, "low": 0.5, "high": 1.0, "label": "[/pos]"}
    show.print_scores([score], title="on [b].csv")
    assert "[/pos]" in (printed := capsys.readouterr().out)
    assert "[b].csv" in printed


def test_a_model_can_be_read_by_others(tmp_path: Path) -> None:
    path = tmp_path / "weights"
    path.touch(mode=0o600)
    open_to_others(tmp_path)
    fresh = tmp_path / "fresh"
    fresh.touch()
    assert stat.S_IMODE(path.stat().st_mode) == stat.S_IMODE(fresh.stat().st_mode)
