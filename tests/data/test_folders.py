from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from tests.data.reading import read, rows

from deepen.core.errors import DataError

Write = Callable[..., str]


@pytest.mark.parametrize(
    ("files", "labels"),
    [
        (("subj.objective", "subj.subjective"), {"objective", "subjective"}),
        (("pos.txt", "neg.txt"), {"pos", "neg"}),
        (("rt-polarity.pos", "rt-polarity.neg"), {"pos", "neg"}),
    ],
)
def test_one_file_per_label(write: Write, files: tuple[str, str], labels: set[str]) -> None:
    for file in files:
        write(f"d/{file}", "one, text\nanother text\n")
    write("d/README.md", "about")
    write("d/LICENSE", "free")
    write("d/.hidden", "no")
    table = read("d")
    assert len(table) == 4
    assert {row[1] for row in rows(table)} == labels


def test_one_sub_folder_per_label(write: Write) -> None:
    for label in ("pos", "neg"):
        for i in range(3):
            write(f"d/{label}/{i}.txt", f"{label} text\nof {i}\n")
    assert ("neg text\nof 1", "neg") in rows(read("d"))
    for label in ("pos", "neg"):
        write(f"imdb/train/{label}/1.txt", f"a {label} text")
        write(f"imdb/test/{label}/1.txt", f"another {label} text")
    table = read("imdb")
    assert sorted(rows(table)) == [("a neg text", "neg"), ("a pos text", "pos")]
    assert any("train is read and test left alone" in note for note in table.notes)


def test_splits_and_shards(write: Write) -> None:
    write("d/train-0.csv", "text,label\na b,1\n")
    write("d/train-1.csv", "label,text\n0,c d\n")
    write("d/test.csv", "text,label\ne f,1\n")
    write("d/categories.json", '["no", "yes"]')
    assert rows(read("d")) == [("a b", "1"), ("c d", "0")]
    write("e/dev.tsv", "a\t1\n")
    write("e/test.tsv", "a\t1\n")
    with pytest.raises(DataError, match="nothing for training"):
        read("e")


def test_shards_of_different_columns(write: Write) -> None:
    write("d/a.csv", "text,label\na b,1\n")
    write("d/b.csv", "sentence,stars\na b,1\n")
    with pytest.raises(DataError, match=r"d/a\.csv has the columns text, label, but d/b\.csv has sentence, stars"):
        read("d")


def test_empty_folder(write: Write, tmp_path: Path) -> None:
    (tmp_path / "d").mkdir()
    write("d/README.md", "nothing here")
    with pytest.raises(DataError, match=r"^d is an empty folder"):
        read("d")


def test_line_of_a_file_in_a_folder_is_named(write: Write) -> None:
    write("d/pos.txt", "good\n")
    write("d/neg.txt", "bad\nworse\n")
    with pytest.raises(DataError, match=r"^d/neg\.txt line 2: text has 5 characters"):
        read("d", max_cell_chars=4)
