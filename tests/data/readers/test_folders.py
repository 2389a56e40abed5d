from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.data.reading import read, rows

from deepen.core.errors import DataError
from deepen.data.load import DataSettings, Need, load_table, look
from deepen.data.targets.tagged_rows import looks_tagged

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


def test_links_that_lead_out_are_left_alone(write: Write, tmp_path: Path) -> None:
    write("secret.txt", "root of all\n")
    write("d/pos.txt", "good\nfine\n")
    write("d/neg.txt", "bad\n")
    (tmp_path / "d" / "more.txt").symlink_to(tmp_path / "secret.txt")
    (tmp_path / "d" / "same.txt").symlink_to("pos.txt")
    table = read("d")
    assert {label for _, label in rows(table)} == {"pos", "neg", "same"}
    assert "more.txt: a link that leads out of the folder is not followed" in table.warnings[0]
    (tmp_path / "e").mkdir()
    (tmp_path / "e" / "all.txt").symlink_to(tmp_path / "secret.txt")
    with pytest.raises(DataError, match=r"^e holds links out of it only \(all\.txt\)"):
        read("e")
    for label in ("pos", "neg"):
        write(f"f/{label}/1.txt", f"a {label} text")
    (tmp_path / "f" / "neg" / "2.txt").symlink_to(tmp_path / "secret.txt")
    table = read("f")
    assert len(table) == 2
    assert "neg/2.txt" in table.warnings[0]
    (tmp_path / "g").symlink_to(tmp_path / "f", target_is_directory=True)
    assert len(read("g")) == 2


def test_the_links_of_the_cache_of_the_hub_are_followed(write: Write, tmp_path: Path) -> None:
    write("hub/blobs/abc", "text,label\ngood,1\nbad,0\n")
    snapshot = tmp_path / "hub" / "snapshots" / "main"
    snapshot.mkdir(parents=True)
    (snapshot / "train.csv").symlink_to("../../blobs/abc")
    assert len(read(str(snapshot))) == 2


@pytest.mark.parametrize("named", ["../secret.arrow", "/etc/passwd", "a/../../secret.arrow"])
def test_a_saved_data_set_reads_nothing_outside(write: Write, named: str) -> None:
    write("secret.arrow", "mine")
    write("d/a/x", "")
    write("d/state.json", json.dumps({"_data_files": [{"filename": named}]}))
    with pytest.raises(DataError, match=r"^d: state\.json names a file outside the folder"):
        read("d")
    write("e/dataset_dict.json", json.dumps({"splits": ["../d"]}))
    with pytest.raises(DataError, match=r"^e: dataset_dict\.json names a split outside the folder"):
        read("e")


def test_what_a_folder_holds_is_listed_where_nothing_is_read(write: Write) -> None:
    write("d/nlu.yml", "nlu:\n")
    write("d/domain.yml", "intents:\n")
    with pytest.raises(DataError, match=r"it holds domain\.yml, nlu\.yml$"):
        read("d")


TAG_NEEDS = (Need("tokens", "tokens", ("tokens", "text")), Need("label", "tags", ("tags", "entities")))


def test_brat(write: Write) -> None:
    write("d/annotation.conf", "[entities]\nPER\n")
    text = "Mara Silva flew to Lyon.\n\nIt rained in New\nYork; she left.\n"
    write("d/doc0.txt", text)
    at = text.index("New")
    entities = [
        f"T1\tPER 0 10\tMara Silva\nT2\tLOC 19 23\tLyon\nT3\tLOC {at} {at + 8}\tNew York\n",
        "R1\tin Arg1:T1 Arg2:T2\n",
    ]
    write("d/doc0.ann", "".join(entities) + "#1\tAnnotatorNotes T1\tsure?\n")
    write("d/doc1.txt", "nothing here\n")
    write("d/doc1.ann", "")
    source = look("d", DataSettings())
    assert "labelled spans" in looks_tagged(source)
    assert "relations, events and attributes are left aside" in source.notes[0]
    table = load_table("d", TAG_NEEDS, DataSettings())[0]
    found = [(example.inputs["text"], example.target) for example in table.all_rows().examples()]
    assert found[0] == ("Mara Silva flew to Lyon.", ["B-PER", "I-PER", "O", "O", "B-LOC", "O"])
    assert found[1][0] == "It rained in New\nYork; she left."
    assert found[1][1][3:5] == ["B-LOC", "I-LOC"]
    assert found[2] == ("nothing here", ["O", "O"])
    assert table.arrow.column("line").to_pylist() == [1, 3, 1]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("T1\tPER 0 400\tMara", r"d/a\.ann line 1: the span 0-400 PER is out of range"),
        ("T1\tPER 0 4\tLyon", r"d/a\.ann line 1: 'Lyon' does not stand at 0-4: there is 'Mara'"),
        ("T1\tPER zero\tMara", r"d/a\.ann line 1: 'T1 PER zero Mara' is no entity"),
    ],
)
def test_faults_in_brat_name_the_file_and_line(write: Write, line: str, said: str) -> None:
    write("d/a.txt", "Mara left\n")
    write("d/a.ann", line + "\n")
    with pytest.raises(DataError, match=said):
        load_table("d", TAG_NEEDS, DataSettings(bad_rows="error"))


def test_parts_and_lone_annotations_in_brat(write: Write) -> None:
    write("d/a.txt", "Mara and Ines Silva left\n")
    write("d/a.ann", "T1\tPER 0 4;14 19\tMara Silva\n")
    write("d/b.ann", "T1\tPER 0 4\tMara\n")
    warnings = look("d", DataSettings()).warnings
    assert any("b.ann: annotations without a text" in warning for warning in warnings)
    assert any("several parts" in warning and "PER 0 4;14 19 in d/a.ann line 1" in warning for warning in warnings)


@pytest.mark.parametrize(
    "body", ["version: '3.1'\nnlu:\n- intent: greet\n  examples: |\n    - hello\n", "## intent:greet\n- hello\n"]
)
@pytest.mark.parametrize("name", ["nlu.yml", "nlu.md", "nlu"])
def test_rasa_files_are_named(write: Write, body: str, name: str) -> None:
    with pytest.raises(DataError, match=r"Rasa's YAML is not read: write its examples into a CSV file"):
        read(write(name, body))
    assert rows(read(write("nlu.csv", "text,intent\nhello,greet\nbye,leave\n"))) == [
        ("hello", "greet"),
        ("bye", "leave"),
    ]


@pytest.mark.parametrize(
    "text", ["INSERT INTO t VALUES ('a', 'b');\n", "-- a dump\nSET x=1;\n\nCREATE TABLE `t` (a text);\n"]
)
def test_sql_is_named(write: Write, text: str) -> None:
    with pytest.raises(DataError, match=r"line \d: SQL is not read: export the table as CSV"):
        read(write("dump.sql", text))


def test_texts_that_speak_of_sql_are_read(write: Write) -> None:
    rows = "why does it fail?,help\nINSERT INTO t is slow,speed\n" * 20
    assert len(read(write("questions.csv", f"text,label\n{rows}"))) == 40
