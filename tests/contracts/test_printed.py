"""What stands in a file or in a model folder is shown, never obeyed: by a terminal or by a spreadsheet."""

from __future__ import annotations

import csv
import json
import re
import shutil
from pathlib import Path

import pytest
from tests.contracts.conftest import Deepen, Finished

from deepen.core.cells import guarded, json_printable, lines_printable, plain, printable

EVIL = "\x1b]0;pwn\x07\x1b[31m\u202edeR\x9b2J"
OBEYED = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


@pytest.fixture
def evil_model(finished: Finished, tmp_path: Path) -> Path:
    """A model from someone else, whose labels hold escape sequences."""
    folder = tmp_path / "evil"
    shutil.copytree(finished.folder / "model", folder)
    about = json.loads((folder / "deepen.json").read_text())
    about["labels"] = [label + EVIL for label in about["labels"]]
    (folder / "deepen.json").write_text(json.dumps(about))
    return folder


def test_labels_of_a_model_are_not_obeyed(evil_model: Path, deepen: Deepen) -> None:
    Path("a.csv").write_text("text,label\n" + "a lovely film,positive\nnot good zebra,negative\n" * 3)
    answers = [
        deepen("predict", evil_model, "--text", f"a lovely film {EVIL}"),
        deepen("predict", evil_model, "a.csv"),
        deepen("predict", evil_model, "a.csv", "--json"),
        deepen("predict", evil_model, "a.csv", "--out", "b.csv"),
        deepen("evaluate", evil_model, "a.csv"),
    ]
    for answer in answers:
        assert not OBEYED.search(answer.out + answer.err), ascii(answer)
    said = answers[2].json["predictions"][0]
    assert said["output"].endswith(EVIL), "JSON means the same"
    with Path("b.csv").open(newline="") as file:
        assert not OBEYED.search("".join(cell for row in csv.reader(file) for cell in row))


def test_labels_of_a_file_are_not_obeyed(deepen: Deepen, tiny: tuple[str, str], tmp_path: Path) -> None:
    rows = [f"a film {at} {'zebra' * (at % 2)},{('red', 'blue')[at % 2]}{EVIL}" for at in range(80)]
    Path("train.csv").write_text("\n".join(["text,label", *rows, f"{EVIL},,", f",{EVIL}"]) + "\n", encoding="utf-8")
    words = ("--rungs", "majority,lexical", "--out", "run", "--set", "data.bad_rows=drop")
    answers = [
        deepen("train", "train.csv", *tiny, *words),
        deepen("evaluate", "run", "train.csv", "--set", "data.bad_rows=drop"),
        deepen("predict", "run", "train.csv"),
        deepen("check", "train.csv", *tiny),
    ]
    for answer in answers:
        assert not OBEYED.search(answer.out + answer.err), ascii(answer)
    assert not OBEYED.search(Path("run/left-out.csv").read_text(encoding="utf-8").replace("\r\n", "\n"))


FORMULAS = [
    "=1+1",
    "+A1",
    "-A1",
    "@SUM(A1)",
    "\t=1",
    "\r=1",
    " =1",
    "-",
    "=",
    "＝1+1",
    "+1+1",
    "-2+3+cmd|' /C calc'!A0",
]
NUMBERS = [
    "-1",
    "+1",
    "-1.5",
    "-1e5",
    "+3,5",
    "-1,000.25",
    "-3 %",
    "-.5",
    "0",
    "12",
    "1=2",
    "a-b",
    "",
    "'",
    "'tis",
    "é",
]


@pytest.mark.parametrize("cell", FORMULAS)
def test_a_formula_is_marked_and_can_be_had_again(cell: str) -> None:
    assert guarded(cell) == f"'{cell}"
    assert plain(guarded(cell)) == cell


@pytest.mark.parametrize("cell", NUMBERS)
def test_numbers_and_texts_are_left_as_they_are(cell: str) -> None:
    assert guarded(cell) == cell == plain(cell)


def test_what_is_printed_means_the_same() -> None:
    assert printable("tab\t é 好 ‍") == "tab\\x09 é 好 ‍"
    assert lines_printable("a\tb\n\x1bc") == "a\tb\n\\x1bc"
    value = {"a\u202e": ["\x85", "好", "\x7f", "\u2028"]}
    text = json_printable(json.dumps(value, ensure_ascii=False))
    assert not OBEYED.search(text)
    assert json.loads(text) == value
