"""A word stands for one version; who changed it and when is kept."""

from __future__ import annotations

from pathlib import Path

import pytest

from deepen.core.errors import DataError, SettingError
from deepen.registry.place import Place, open_place
from deepen.registry.promotions import current, find, history, promote, rollback
from deepen.registry.versions import push


@pytest.fixture
def three(place: Place, finished: Path) -> Place:
    for _ in range(3):
        push(place, finished, name="mood", by="ada")
    return place


def test_promotion_and_the_way_back(three: Place) -> None:
    for number in (1, 2, 3):
        promote(three, find(three, f"mood@{number}"), by="ada", why=f"better than {number - 1}")
    assert current(three, "mood", "production") == find(three, "mood@production").version == 3
    assert [rollback(three, "mood", by="eve").version for _ in range(2)] == [2, 1]
    assert current(three, "mood", "production") == 1
    with pytest.raises(DataError, match="no earlier mood@production"):
        rollback(three, "mood", by="eve")
    promote(three, find(three, "mood@3"), by="ada")
    assert rollback(three, "mood", by="eve").version == 1, "back to what stood there, not to the number before"
    said = [(change.action, change.version, change.by) for change in history(three, "mood", "production")]
    assert said[:4] == [("promote", 1, "ada"), ("promote", 2, "ada"), ("promote", 3, "ada"), ("rollback", 2, "eve")]
    assert history(three, "mood", "production")[0].why == "better than 0"


def test_a_stage_by_another_word(three: Place) -> None:
    promote(three, find(three, "mood@2"), to="staging", by="ada")
    promote(three, find(three, "mood@staging"), by="ada")
    assert find(three, "mood@production").version == 2
    with pytest.raises(SettingError, match="a number names a version"):
        promote(three, find(three, "mood@2"), to="7", by="ada")


@pytest.mark.parametrize(
    ("reference", "said"),
    [
        ("mood", "names no version: write NAME@3"),
        ("mood@", "names no version"),
        ("mood@7", "no mood@7: it never was; there are mood@1, mood@2, mood@3"),
        ("moot@1", "has no run 'moot'; did you mean 'mood'"),
        ("moot@production", "has no run 'moot'; did you mean 'mood'"),
        ("mood@production", "no version of mood is 'production'; `deepen registry promote mood@1 --to production`"),
        ("mood@../x", "lower-case"),
    ],
)
def test_what_is_not_there(finished: Path, tmp_path: Path, reference: str, said: str) -> None:
    place = open_place(tmp_path)
    for _ in range(3):
        push(place, finished, name="mood", by="ada")
    with pytest.raises((DataError, SettingError), match=said):
        find(place, reference)


def test_what_did_not_pass_its_gate_is_not_promoted(finished: Path, tmp_path: Path) -> None:
    place = open_place(tmp_path)
    made = push(place, finished, name="mood", by="ada", gate={"passed": False, "why": "forgets 4 points"})
    with pytest.raises(SettingError, match=r"mood@1 did not pass its gate \(forgets 4 points\); --despite-gate"):
        promote(place, made, by="ada")
    assert current(place, "mood", "production") is None
    promote(place, made, by="ada", despite_gate=True)
    assert current(place, "mood", "production") == 1
    with pytest.raises(SettingError, match="the gate: 'passed'"):
        push(place, finished, name="mood", by="ada", gate={"why": "no idea"})


def test_two_at_the_same_time_both_stay_in_the_history(
    finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from deepen.registry import promotions

    place = open_place(tmp_path)
    versions = [push(place, finished, name="mood", by="ada") for _ in range(2)]
    monkeypatch.setattr(promotions, "_changes", lambda *place: [])  # neither sees the other
    for made, who in zip(versions, ("ada", "eve"), strict=True):
        promote(place, made, by=who)
    monkeypatch.undo()
    found = history(place, "mood", "production")
    assert {change.by for change in found} == {"ada", "eve"}
    assert current(place, "mood", "production") == found[-1].version


def test_a_damaged_promotion_is_told(finished: Path, tmp_path: Path) -> None:
    place = open_place(tmp_path)
    promote(place, push(place, finished, name="mood", by="ada"), by="ada")
    [path] = (tmp_path / "mood" / "PROMOTED" / "production").iterdir()
    path.write_text('{"version"', encoding="utf-8")
    with pytest.raises(DataError, match=r"PROMOTED/production/.* is damaged"):
        find(place, "mood@production")
