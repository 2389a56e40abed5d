from __future__ import annotations

from contextlib import suppress
from typing import ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deepen.core.errors import SettingError, nearest
from deepen.core.seed import derive
from deepen.core.settings import Settings, override, parse, parse_duration


class Inner(Settings):
    learning_rate: float = 1e-4


class Outer(Settings):
    inner: Inner = Inner()
    names: tuple[str, ...] = ()


def test_parse() -> None:
    assert parse(Outer, {"inner": {"learning_rate": 1}}).inner.learning_rate == 1
    with pytest.raises(
        SettingError, match=r"^x\.yaml: unknown key 'inner\.learning_rat'; did you mean 'learning_rate'"
    ):
        parse(Outer, {"inner": {"learning_rat": 1}}, where="x.yaml")
    with pytest.raises(SettingError, match=r"^recipe: unknown key 'zzz'; choose from: inner, names"):
        parse(Outer, {"zzz": 1})
    with pytest.raises(SettingError, match=r"'inner\.learning_rate' is 'fast'"):
        parse(Outer, {"inner": {"learning_rate": "fast"}})
    with pytest.raises(SettingError, match="'inner' is 3"):
        parse(Outer, {"inner": 3})


def test_override() -> None:
    before = {"inner": {"learning_rate": 1.0}}
    assert override(before, ["inner.learning_rate=1e-4", "names=[a, b]"]) == {
        "inner": {"learning_rate": 1e-4},
        "names": ["a", "b"],
    }
    assert before == {"inner": {"learning_rate": 1.0}}
    assert override({}, ["a.b.c=x=y"]) == {"a": {"b": {"c": "x=y"}}}
    assert override({"a": None}, ["a.b=null"]) == {"a": {"b": None}}
    for word in ("a", "=1"):
        with pytest.raises(SettingError, match=r"dotted\.key=value"):
            override({}, [word])
    with pytest.raises(SettingError, match="holds a value, not a section"):
        override({"a": 1}, ["a.b=2"])


@pytest.mark.parametrize(("text", "seconds"), [("90s", 90), ("5m", 300), ("1.5h", 5400), ("7", 7), (" 2 min ", 120)])
def test_durations(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["5parsecs", "", "m", "-5m", "0s", "1e3s", "5 m 3 s", "nan", "inf"])
def test_what_is_no_duration(text: str) -> None:
    with pytest.raises(SettingError, match="duration"):
        parse_duration(text)


@given(st.text())
def test_any_text_is_a_duration_or_a_setting_error(text: str) -> None:
    with suppress(SettingError):
        assert parse_duration(text) > 0


def test_seeds() -> None:
    assert derive(0, "a") == derive(0, "a")
    assert len({derive(seed, name, epoch) for seed in range(5) for name in "abc" for epoch in range(5)}) == 75
    assert all(0 <= derive(seed) < 2**31 for seed in range(100))


def test_nearest() -> None:
    assert nearest("FROZN", ["majority", "frozen"]) == "did you mean 'frozen'?"
    assert nearest("xyz", ["b", "a"]) == "choose from: a, b"


class Earlier(Settings):
    earlier: ClassVar = {"old": "new"}
    new: int = 1


class Below(Earlier):
    earlier: ClassVar = {"older": "newer"}
    newer: int = 2


def test_earlier_names_are_taken_with_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("WARNING", logger="deepen"):
        found = parse(Below, {"old": 3, "older": 4})
        assert parse(Below, {"old": 3, "newer": 4}) == found == Below(new=3, newer=4)
    said = [record.message for record in caplog.records]
    assert sorted(said) == [
        "warning: the setting 'old' is called 'new' now; the earlier name works until 0.3",
        "warning: the setting 'older' is called 'newer' now; the earlier name works until 0.3",
    ]
    with pytest.raises(SettingError, match="'old' is the earlier name of 'new': keep that alone"):
        parse(Below, {"old": 3, "new": 4})
    assert "old" not in Below.model_json_schema()["properties"]
