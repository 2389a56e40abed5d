"""Labels that look alike are one label, whatever they are written with; those that do not are left as they are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.data.reading import NEEDS

from deepen.data.label_names import read_label_names
from deepen.data.load import DataSettings, Need, load_table
from deepen.data.table import Table
from deepen.data.targets.labels import label_table

MANY = (Need("text", "text"), Need("label", "labels"))
TAGS = (Need("tokens", "tokens"), Need("label", "tags"))
ALIKE = [
    ("pos", ["pos", "pos\u200b", "\ufeffpos", "po\u00ads", "\u202epos\u202c", "pos\u200f", "\x1b pos"[2:]]),
    ("pós", ["pós", "po\u0301s", "p\u200eós"]),
    ("red", ["\x1bred", "red\x07", "red "]),
    ("a b", ["a b", "a  b", "a\u00a0b", "a\tb"]),
    ("正面", ["正面", "正\u200b面", " 正面"]),
]


def labelled(*labels: Any, needs: tuple[Need, ...] = NEEDS) -> Table:
    rows = [{"text": f"row {at}", "label": label} for at, label in enumerate(labels)]
    return load_table(rows, needs, DataSettings(bad_rows="error"))[0]


@pytest.mark.parametrize(("label", "written"), ALIKE)
def test_labels_that_look_alike_are_one(label: str, written: list[str]) -> None:
    table = labelled(*written)
    assert label_table(table) == (label,)
    assert sum("evened out" in note for note in table.notes) == 1
    assert label_table(
        labelled(*written, needs=MANY).arrow.column("target").combine_chunks().flatten().to_pylist()
    ) == (label,)


def test_ordinary_labels_are_left_alone_and_nothing_is_said() -> None:
    written = [
        "pos",
        "Pos",
        "-1",
        "1.0",
        "Bad",
        "正面",
        "好评！",
        "H₂O",
        "R&amp;D",
        "pós",
        "a|b",
        "C++",
        "<b>",
        "ab",
        "=1",
    ]
    table = labelled(*written)
    assert list(table.all_rows().values("target")) == written
    assert not any("evened" in note for note in table.notes)


def test_a_half_character_is_not_a_question_mark() -> None:
    assert label_table(labelled("x\ud83d", "x?")) == ("x?", "x\ufffd")


def test_tags_too(tmp_path: Path) -> None:
    tokens = [{"tokens": ["a", "b"], "tags": [tag, "O"]} for tag in ("B-PER", "B-PER\u200b", "\u202eB-PER")]
    table, _ = load_table(tokens, TAGS, DataSettings())
    assert {tag for row in table.all_rows().values("target") for tag in row} == {"B-PER", "O"}
    spans = [{"text": "a b", "spans": [[0, 1, name]]} for name in ("PER", "PE\u00adR")]
    table, _ = load_table(spans, TAGS, DataSettings(), columns={"tokens": "text", "label": "spans"})
    assert {tag for row in table.all_rows().values("target") for tag in row} == {"B-PER", "O"}


def test_names_of_codes_are_evened_out_alike(tmp_path: Path) -> None:
    (tmp_path / "names.txt").write_text("po\u0301s\n\u200bneg\n", encoding="utf-8")
    names = read_label_names(tmp_path / "names.txt")
    rows = [{"text": "a", "label": "0"}, {"text": "b", "label": "neg\u200b"}, {"text": "c", "label": "１"}]
    table, _ = load_table(rows, NEEDS, DataSettings(), label_names=names)
    assert list(table.all_rows().values("target")) == ["pós", "neg", "neg"]
