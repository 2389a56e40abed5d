"""What every command prints into a pipe is what it printed when it was looked at; in a terminal it fits 80 columns.

Numbers, times and paths are taken out. `UPDATE_GOLDEN=1 pytest tests/contracts/test_golden.py` writes the files anew.
"""

from __future__ import annotations

import os
import re
import shutil
import unicodedata
from pathlib import Path

import pytest
from tests.contracts.conftest import Deepen, Finished

from deepen.cli import show

FILES = Path(__file__).parent / "golden_output"
COMMANDS: dict[str, tuple[str, ...]] = {
    "train": ("train", "DATA", "--model", "MODEL", "--rungs", "majority,lexical,frozen", "--out", "new"),
    "evaluate": ("evaluate", "RUN", "DATA"),
    "predict": ("predict", "RUN", "--text", "a lovely film", "--text", "not good zebra"),
    "predict-file": ("predict", "RUN", "DATA", "--out", "answers.csv"),
    "explain": ("predict", "RUN", "--text", "a lovely film that nobody saw", "--explain"),
    "check": ("check", "DATA", "--model", "MODEL"),
    "diagnose": ("diagnose", "RUN", "DATA", "--questions", "depth"),
    "report": ("report", "RUN"),
    "runs": ("runs", "FOLDER"),
    "cache": ("cache",),
    "models": ("models",),
    "schema": ("schema",),
    "bench": ("bench", "--help"),
    "help": ("--help",),
}
_VARIED = ("explain", "diagnose", "models")
"""Their words hang on the machine: what is installed on it, and the last digit of a number."""
_NARROW = ("train", "evaluate", "explain", "check", "diagnose", "runs", "models", "help")


def plain(text: str, *places: Path) -> str:
    """What was printed without what differs from time to time and from machine to machine."""
    for place in places:
        text = text.replace(str(place), "PLACE")
    text = re.sub(r"/tmp/\S*|\S*pytest-\S*", "PATH", text)
    text = re.sub(r"[+-]?\d[\d,]*(\.\d+)?", "0", text)
    text = re.sub(r"[─━]+", "─", re.sub(r"[ \t]+", " ", text))
    return "\n".join(line.rstrip() for line in text.splitlines()) + "\n"


def printed(
    words: tuple[str, ...], finished: Finished, deepen: Deepen, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> str:
    """What a command prints about a copy of the finished run, in 80 columns."""
    monkeypatch.setenv("COLUMNS", "80")
    if words == ("cache",):
        monkeypatch.setenv("DEEPEN_CACHE", str(tmp_path / "cache"))
    run = tmp_path / "runs" / "finished"
    shutil.copytree(finished.folder, run)
    given = {"RUN": run, "DATA": finished.data, "MODEL": finished.model, "FOLDER": run.parent}
    answer = deepen(*(given.get(word, word) for word in words))
    assert answer.code == 0, answer.err
    return answer.out


def assert_as_before(found: str, file: Path) -> None:
    """That a text is what stands in a golden file, or writes it anew if that was asked for."""
    if os.environ.get("UPDATE_GOLDEN"):
        file.parent.mkdir(exist_ok=True)
        file.write_text(found, encoding="utf-8")
    assert found == file.read_text(encoding="utf-8")


def columns(line: str) -> int:
    """How wide a terminal shows a line."""
    return sum(2 if unicodedata.east_asian_width(letter) in "WF" else 1 for letter in line)


@pytest.mark.parametrize(
    ("name", "narrow"),
    [*((name, False) for name in COMMANDS if name not in _VARIED), *((name, True) for name in _NARROW)],
)
def test_what_is_printed(
    name: str, narrow: bool, finished: Finished, deepen: Deepen, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    if name == "explain":
        pytest.importorskip("captum")
    if narrow:
        monkeypatch.setattr(show, "in_terminal", lambda: True)
    out = printed(COMMANDS[name], finished, deepen, monkeypatch, tmp_path)
    if narrow:
        shown = [line for line in out.splitlines() if "/" not in line and "http" not in line]
        assert [line for line in shown if columns(line) > 80] == []
        return
    found = plain(out, tmp_path / "runs" / "finished", finished.folder, finished.data, tmp_path)
    assert_as_before(found[:2000] if name == "schema" else found, FILES / f"{name}.txt")


def test_every_column_if_asked_for(finished: Finished, deepen: Deepen, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(show, "in_terminal", lambda: True)
    monkeypatch.setenv("COLUMNS", "80")
    assert "changed" not in deepen("runs", finished.folder.parent).out
    assert "changed" in deepen("runs", finished.folder.parent, "--wide").out
