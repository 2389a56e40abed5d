"""What is said in Chinese is said in Chinese to the end: the catalogue is whole, and so is what commands print.

`UPDATE_GOLDEN=1 pytest tests/contracts/test_chinese.py` writes the files of golden_output/zh anew.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
from pathlib import Path

import pytest
from tests.contracts.conftest import Deepen, Finished
from tests.contracts.test_golden import columns, plain

from deepen.cli import show
from deepen.core.chinese import catalogue, translated
from deepen.core.language import is_chinese, told

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "scripts"))
import messages

FILES = Path(__file__).parent / "golden_output" / "zh"
COMMANDS: dict[str, tuple[str, ...]] = {
    "train": ("train", "DATA", "--model", "MODEL", "--rungs", "majority,lexical,frozen", "--out", "new"),
    "evaluate": ("evaluate", "RUN", "DATA"),
    "predict": ("predict", "RUN", "--text", "a lovely film", "--text", "not good zebra"),
    "predict-file": ("predict", "RUN", "DATA", "--out", "answers.csv"),
    "check": ("check", "DATA", "--model", "MODEL"),
    "runs": ("runs", "FOLDER"),
    "cache": ("cache",),
    "bench": ("bench", "--help"),
    "train-help": ("train", "--help"),
    "predict-help": ("predict", "--help"),
    "help": ("--help",),
}


@pytest.mark.parametrize("name", COMMANDS)
def test_what_is_printed_in_chinese(
    name: str, finished: Finished, deepen: Deepen, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("DEEPEN_LANG", "zh")
    monkeypatch.setenv("COLUMNS", "80")
    if name == "cache":
        monkeypatch.setenv("DEEPEN_CACHE", str(tmp_path / "cache"))
    run = tmp_path / "runs" / "finished"
    shutil.copytree(finished.folder, run)
    given = {"RUN": run, "DATA": finished.data, "MODEL": finished.model, "FOLDER": run.parent}
    answer = deepen(*(given.get(word, word) for word in COMMANDS[name]))
    assert answer.code == 0, answer.err
    found = plain(answer.out, run, finished.folder, finished.data, tmp_path)
    file = FILES / f"{name}.txt"
    if os.environ.get("UPDATE_GOLDEN"):
        FILES.mkdir(exist_ok=True)
        file.write_text(found, encoding="utf-8")
    assert found == file.read_text(encoding="utf-8")
