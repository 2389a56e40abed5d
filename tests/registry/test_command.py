"""`deepen registry`, as a person calls it."""

from __future__ import annotations

import json
from pathlib import Path

from tests.contracts.conftest import call


def test_the_whole_way(finished: Path, tmp_path: Path) -> None:
    where = ["--registry", str(tmp_path / "registry"), "--by", "ada"]
    assert "nothing in" in call("registry", "list", *where).out
    (tmp_path / "gate.json").write_text('{"passed": true, "why": "as good"}', encoding="utf-8")
    pushed = call("registry", "push", finished, "--gate", tmp_path / "gate.json", *where, "--json").json
    assert (pushed["name"], pushed["version"], pushed["gate"]["passed"]) == ("mood", 1, True)
    assert call("registry", "push", finished, *where).out == "mood@2\n"
    for number in (1, 2):
        said = call("registry", "promote", f"mood@{number}", "--note", "better", *where)
        assert said.out == f"mood@production is {number}\n"
    assert call("registry", "rollback", "mood@production", *where).out == "mood@production is 1 again\n"
    listed = call("registry", "list", *where)
    assert "production (ada)" in listed.out
    runs = call("registry", "list", "mood", *where, "--json").json["runs"]
    stage = runs["mood"]["stages"]["production"]
    assert stage["version"] == 1
    assert [change["action"] for change in stage["history"]] == ["promote", "promote", "rollback"]
    pulled = call("registry", "pull", "mood@production", "--out", tmp_path / "mine", *where, "--json").json
    assert pulled["out"] == str(tmp_path / "mine")
    assert json.loads((tmp_path / "mine" / "ladder.json").read_text(encoding="utf-8"))["chosen"] == "lexical"


def test_what_is_wrong_is_said(finished: Path, tmp_path: Path) -> None:
    where = ["--registry", str(tmp_path / "registry")]
    assert "did you mean 'push'" in call("registry", "psh", *where).failed("SettingError")
    assert "--registry URL is missing" in call("registry", "list").failed("SettingError")
    assert "name a run folder" in call("registry", "push", *where).failed("SettingError")
    assert "--out FOLDER" in call("registry", "pull", "mood@1", *where).failed("SettingError")
    assert "it is empty" in call("registry", "pull", "mood@production", "--out", "x", *where).failed("DataError")
    assert "nothing is in it" in call("registry", "promote", "mood@1", *where).failed("DataError")
