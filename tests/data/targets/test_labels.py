from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError
from tests.data.reading import NEEDS, read, rows

from deepen.core.errors import DataError
from deepen.data.columns import columns_from_json, columns_to_json
from deepen.data.label_names import read_label_names
from deepen.data.load import DataSettings, load_table
from deepen.data.table import Table
from deepen.data.targets.labels import check_labels, encode_labels, label_table, target_counts

STRICT = DataSettings(bad_rows="error")

Write = Callable[..., str]


def labelled(labels: list[str]) -> Table:
    return read([{"text": f"text {i}", "label": label} for i, label in enumerate(labels)])


def test_label_table_order() -> None:
    assert label_table(["10", "9", "-1"]) == ("-1", "9", "10")
    assert label_table(["10", "9", "a"]) == ("10", "9", "a")
    assert label_table(labelled(["b", "a", "b"])) == ("a", "b")
    assert target_counts(labelled(["b", "a", "b"]).all_rows()) == {"a": 1, "b": 2}


def test_encode_labels() -> None:
    part = labelled(["b", "a", "c", "b"]).all_rows()
    labels_N = encode_labels(part, ("a", "b", "c"), "train.csv")
    assert labels_N.dtype == np.int64
    assert labels_N.tolist() == [1, 0, 2, 1]
    assert encode_labels(part.take(np.array([2, 1])), ("a", "b", "c")).tolist() == [2, 0]


def test_an_unknown_label_is_named(write: Write) -> None:
    part = read(write("test.csv", "text,label\na,positive\nb,postive\nc,negative\n")).all_rows()
    with pytest.raises(DataError, match=r"^test\.csv line 3: label 'postive' is not in .*; did you mean 'positive'\?$"):
        encode_labels(part, ("negative", "positive"), "test.csv")


def test_labels_that_can_not_be_learned() -> None:
    with pytest.raises(DataError, match="one class only: every label is 'a'"):
        check_labels(labelled(["a"] * 5).all_rows())
    with pytest.raises(DataError, match="looks like a score or free text"):
        check_labels(labelled([str(i / 7) for i in range(30)]).all_rows())
    with pytest.raises(DataError, match="250 different values in 1,000 rows"):
        check_labels(labelled([str(i % 250) for i in range(1000)]).all_rows())
    assert len(check_labels(labelled([str(i % 250) for i in range(1000)]).all_rows(), max_labels=250)) == 250
    with pytest.raises(DataError, match=r"3 labels and data\.max_labels allows 2"):
        check_labels(labelled(["a", "b", "c"]).all_rows(), max_labels=2)
    assert check_labels(labelled(["a", "b", "c", "d"]).all_rows()) == ("a", "b", "c", "d")


@pytest.mark.parametrize(
    ("file", "text", "first"),
    [
        ("l.txt", "no\nyes\n", 0),
        ("l.txt", "no\nyes\n", 1),
        ("l.json", '["no", "yes"]', 0),
        ("l.json", '{"0": "no", "1": "yes"}', 0),
        ("l.json", '{"no": 0, "yes": 1}', 0),
        ("l.yaml", "0: 'no'\n1: 'yes'\n", 0),
        ("l.yaml", "- 'no'\n- 'yes'\n", 0),
        ("l.tsv", "1\tno\n2\tyes\n", 1),
    ],
)
def test_label_names(write: Write, file: str, text: str, first: int) -> None:
    names = read_label_names(write(file, text))
    data = write("a.tsv", f"good\t{first + 1}\nbad\t{first}\nfine\t{first + 1}.0\n")
    table, columns = load_table(data, NEEDS, DataSettings(header=False), label_names=names)
    assert [row[1] for row in rows(table)] == ["yes", "no", "yes"]
    assert columns.first_code == (0 if names.mapping else first)
    later, _ = load_table(
        write("b.tsv", f"good\t{first}\nmore\t{first}\n"),
        NEEDS,
        DataSettings(header=False),
        columns=columns,
        label_names=names,
    )
    assert rows(later)[0][1] == "no"


def test_label_names_that_do_not_fit(write: Write) -> None:
    names = read_label_names(write("l.txt", "no\nyes\n"))
    with pytest.raises(DataError, match=r"^a\.tsv line 3: label '7' has no name in l\.txt"):
        load_table(write("a.tsv", "good\t1\nbad\t0\nfine\t7\n"), NEEDS, STRICT, label_names=names)
    already, _ = load_table([{"text": "a", "label": "yes"}], NEEDS, DataSettings(), label_names=names)
    assert rows(already) == [("a", "yes")]


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("e.txt", ""),
        ("t.txt", "a\na\n"),
        ("b.json", "[1, "),
        ("n.json", '{"a": [1]}'),
        ("m.tsv", "1\ta\nb\n"),
        ("d.tsv", "1\t\twhat it is\n"),
    ],
)
def test_bad_label_files(write: Write, file: str, text: str) -> None:
    with pytest.raises(DataError, match=file.replace(".", r"\.")):
        read_label_names(write(file, text))
    with pytest.raises(DataError, match="does not exist"):
        read_label_names("absent.txt")


def test_cuts() -> None:
    source = [{"text": f"t {i}", "label": value} for i, value in enumerate([-1.5, 0, 0.1, "2"])]
    cut = read(source, label_cuts=(0,), label_names=("negative", "positive"))
    assert [row[1] for row in rows(cut)] == ["negative", "negative", "positive", "positive"]
    assert [row[1] for row in rows(read(source, label_cuts=(0, 1)))] == ["<= 0", "<= 0", "<= 1", "> 1"]
    with pytest.raises(DataError, match=r"^list line 1: label 'x' is not a number"):
        read([{"text": "a", "label": "x"}], label_cuts=(0,))
    with pytest.raises(ValidationError, match="make 2 classes"):
        DataSettings(label_cuts=(0,), label_names=("one",))


@pytest.mark.parametrize(
    "text",
    [
        'code,name,description\n0,negative,disliked it\n1,positive,"liked, or loved it"\n',
        '0,negative,disliked it\n\n1, positive, "liked, or loved it"\n',
    ],
)
def test_names_in_a_csv_file(write: Write, text: str) -> None:
    found = read_label_names(write("labels.csv", text))
    assert found.mapping == (("0", "negative"), ("1", "positive"))
    assert found.descriptions == (("negative", "disliked it"), ("positive", "liked, or loved it"))


def test_other_csv_files_of_names(write: Write) -> None:
    assert read_label_names(write("names.csv", 'negative\n"good, or fine"\n')).names == ("negative", "good, or fine")
    some = read_label_names(write("some.csv", "code,name,description\n0,negative,disliked it\n1,positive,\n"))
    assert (some.names, some.descriptions) == ((), (("negative", "disliked it"),))
    assert some.mapping == (("0", "negative"), ("1", "positive"))
    with pytest.raises(DataError, match=r"bad\.csv line 2: write a code, a name"):
        read_label_names(write("bad.csv", "0,negative\n1\n"))


def _targets(source: Any, **more: Any) -> list[str]:
    return [row[1] for row in rows(read(source, **more))]


def test_one_code_in_two_spellings() -> None:
    """pandas writes 1.0 where a cell of the column was missing, JSON true and Python True."""
    mixed = [{"text": f"t {at}", "label": label} for at, label in enumerate(["1.0", "0.0", "1", "0", "-1.0"])]
    table, columns = load_table(mixed, NEEDS, DataSettings())
    assert [row[1] for row in rows(table)] == ["1", "0", "1", "0", "-1"]
    assert "are one label" in columns.reasons["label"]
    assert _targets([{"text": "a", "label": label} for label in ("True", "true", "False")]) == ["true", "true", "false"]
    assert _targets([{"text": "a", "label": label} for label in ("1.0", "0.0")]) == ["1.0", "0.0"]
    assert _targets([{"text": "a", "label": label} for label in ("007", "1", "1.0")]) == ["007", "1", "1.0"]
    assert _targets([{"text": "a", "label": label} for label in ("1.0", "1.5", "1")]) == ["1.0", "1.5", "1"]


@pytest.mark.parametrize(
    ("train", "test"),
    [(("1.0", "0.0"), ("1", "0")), (("1", "0"), ("1.0", "0.0")), (("True", "False"), ("true", "FALSE"))],
)
def test_another_file_is_spelled_as_the_training_rows(train: tuple[str, str], test: tuple[str, str]) -> None:
    held, others = ([{"text": "a", "label": label} for label in labels] for labels in (train, test))
    _, columns = load_table(held, NEEDS, DataSettings())
    again = columns_from_json(json.loads(json.dumps(columns_to_json(columns))))
    assert _targets(others, columns=again) == list(train)
    part = load_table(others, NEEDS, DataSettings(), columns={"label": "label"})[0].all_rows()
    assert encode_labels(part, train).tolist() == [0, 1]  # as a run that knows nothing of spellings does


def test_lines_that_rename_need_not_name_every_label(tmp_path: Path) -> None:
    held = [{"text": "a", "label": label} for label in ("Bad", "bad", "good")]
    (tmp_path / "l.tsv").write_text("Bad\tbad\n", encoding="utf-8")
    names = read_label_names(tmp_path / "l.tsv")
    table, columns = load_table(held, NEEDS, DataSettings(), label_names=names)
    assert [row[1] for row in rows(table)] == ["bad", "bad", "good"]
    assert "other labels keep theirs" in columns.reasons["label"]
    (tmp_path / "m.tsv").write_text("7\t3\n", encoding="utf-8")
    numbers = [{"text": "a", "label": label} for label in ("7", "3", "2")]
    table, _ = load_table(numbers, NEEDS, DataSettings(), label_names=read_label_names(tmp_path / "m.tsv"))
    assert [row[1] for row in rows(table)] == ["3", "3", "2"]
    (tmp_path / "n.tsv").write_text("7\tseven\n", encoding="utf-8")
    with pytest.raises(DataError, match="label '3' has no name"):
        load_table(numbers, NEEDS, DataSettings(bad_rows="error"), label_names=read_label_names(tmp_path / "n.tsv"))
