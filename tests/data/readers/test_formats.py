from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.data.reading import NEEDS, read, rows

from deepen.core.errors import DataError
from deepen.data.load import DataSettings, Need, load_table
from deepen.data.table import Part, Table

Write = Callable[..., str]
BODY = [("good film", "pos"), ("bad film", "neg"), ("fine, really", "pos")]
OBJECTS = [{"text": text, "label": label} for text, label in BODY]


@pytest.mark.parametrize(
    "text",
    [
        "".join(json.dumps(row) + "\n" for row in OBJECTS),
        json.dumps(OBJECTS),
        json.dumps(OBJECTS, indent=1),
        json.dumps({"version": 1, "data": OBJECTS}),
        json.dumps({"version": [1, 2], "empty": [], "data": OBJECTS}, indent=2),
        '{"data": [\n' + ",\n".join(map(json.dumps, OBJECTS)) + "\n]}",
        "\ufeff" + json.dumps(OBJECTS),
    ],
)
@pytest.mark.parametrize("name", ["a.json", "data"])
@pytest.mark.parametrize("packed", [False, True])
def test_json(write: Write, text: str, name: str, packed: bool) -> None:
    assert rows(read(write(name, gzip.compress(text.encode()) if packed else text))) == BODY


def test_json_line_numbers_and_values(write: Write) -> None:
    table = read(
        write("a.jsonl", '{"text": "a b", "label": 1}\n\n{"text": ["c", "d"], "label": true, "other": null}\n')
    )
    assert rows(table) == [("a b", "1"), ("c\nd", "true")]
    assert table.arrow.column("line").to_pylist() == [1, 3]
    indented = read(write("b.json", json.dumps(OBJECTS, indent=1)))
    assert indented.arrow.column("line").to_pylist() == [2, 6, 10]


def test_a_long_json_list_is_streamed(write: Write) -> None:
    many = [{"text": f"text number {i} " + "x" * 300, "label": i % 3} for i in range(6000)]
    assert len(read(write("a.json", json.dumps(many)))) == 6000


@pytest.mark.parametrize(
    ("text", "line"),
    [('{"text": "a", "label": 1}\nnot json\n', 2), ('{"text": "a", "label": 1}\n{"text": "b"\n', 2)],
)
def test_broken_json_lines(write: Write, text: str, line: int) -> None:
    with pytest.raises(DataError, match=rf"^a\.jsonl line {line}: not JSON"):
        read(write("a.jsonl", text))


@pytest.mark.parametrize("end", ["\n", "\r"])
@pytest.mark.parametrize("indent", [None, 1])
def test_the_line_of_an_error_far_into_a_list(write: Write, end: str, indent: int | None) -> None:
    """Beyond the first piece that is read, and inside an object: the line is where the error is."""
    many = [json.dumps({"text": "word " * 60, "label": at % 2}, indent=indent) for at in range(5000)]
    text = "[\n\n" + ",\n".join(many)
    text += ',\n{\n"text": "a",\n"label" 1}]'
    with pytest.raises(
        DataError, match=rf"^a\.json line {text.count(chr(10)) + 1}: not JSON: Expecting ':' delimiter$"
    ):
        read(write("a.json", text.replace("\n", end)))
    with pytest.raises(DataError, match=r"^b\.json line 3: not JSON: ']' is expected and the end of the file is found"):
        read(write("b.json", f"[{end}{json.dumps(OBJECTS[0])},{end}{json.dumps(OBJECTS[1])}{end}"))


def test_broken_json_list(write: Write) -> None:
    with pytest.raises(DataError, match=r"^a\.json line 2: not JSON"):
        read(write("a.json", '[{"text": "a", "label": 1},\n{"text" "b"}]'))
    with pytest.raises(DataError, match=r"^b\.json line 1: a JSON int where an object is needed"):
        read(write("b.json", '[{"text": "a", "label": 1}, 5]'))
    with pytest.raises(DataError, match="without a list of objects; its keys are a, b"):
        read(write("c.json", json.dumps({"a": {"x": [1]}, "b": [1, 2]}, indent=1)))


def test_parquet_and_arrow(tmp_path: Path) -> None:
    table = pa.table({"id": [1, 2, 3], "text": [text for text, _ in BODY], "label": [label for _, label in BODY]})
    pq.write_table(table, tmp_path / "a.bin")
    with pa.ipc.new_file(str(tmp_path / "b.bin"), table.schema) as out:
        out.write_table(table)
    with pa.ipc.new_stream(str(tmp_path / "c.bin"), table.schema) as out:
        out.write_table(table)
    (tmp_path / "d.bin").write_bytes(gzip.compress((tmp_path / "a.bin").read_bytes()))
    for name in "abcd":
        assert rows(read(tmp_path / f"{name}.bin")) == BODY


def test_damaged_parquet(write: Write) -> None:
    with pytest.raises(DataError, match=r"^a\.parquet is damaged"):
        read(write("a.parquet", b"PAR1" + b"\x01" * 100))


def test_two_columns_of_one_name(tmp_path: Path) -> None:
    table = pa.Table.from_arrays([pa.array(["a"]), pa.array(["b"])], ["text", "text"])
    pq.write_table(table, tmp_path / "a.parquet")
    with pytest.raises(DataError, match=r"a\.parquet has two columns of the same name: text, text"):
        read(tmp_path / "a.parquet")


def test_an_arrow_file_with_broken_offsets(tmp_path: Path) -> None:
    for name, held, ends in (("a", b"hello", (0, 1 << 30, 5)), ("b", b"hel\xff\xfe", (0, 3, 5))):
        text = pa.Array.from_buffers(pa.string(), 2, [None, pa.py_buffer(np.array(ends, np.int32)), pa.py_buffer(held)])
        table = pa.record_batch([text, pa.array(["x", "y"])], names=["text", "label"])
        with pa.ipc.new_stream(str(tmp_path / name), table.schema) as out:
            out.write_batch(table)
        with pytest.raises(DataError, match=f"{name} is damaged or cut short"):
            read(tmp_path / name)


def test_values_are_read_in_any_order_over_chunks() -> None:
    column = pa.chunked_array([["r0", "r1"], [], ["r2"], ["r3", "r4", "r5"]], pa.string())
    table = Table("a", pa.table({"text": column}), ("text",), "")
    for rows_N in ([0, 1, 2, 3, 4, 5], [5, 0, 3, 3, 2], [4], []):
        part = Part(table, np.array(rows_N, dtype=np.int64))
        assert list(part.values("text")) == [f"r{row}" for row in rows_N]


def test_numbers_as_the_names_of_columns() -> None:
    for source in (pd.DataFrame({1: ["a b", "c d"], 2: ["x", "y"]}), [{1: "a b", 2: "x"}, {1: "c d", 2: "y"}]):
        assert rows(read(source, columns={"text": "1", "label": "2"})) == [("a b", "x"), ("c d", "y")]


def test_saved_dataset_folder(tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets")
    features = datasets.Features({"text": datasets.Value("string"), "label": datasets.ClassLabel(names=["neg", "pos"])})
    one = datasets.Dataset.from_dict({"text": [t for t, _ in BODY], "label": [1, 0, 1]}, features=features)
    one.save_to_disk(tmp_path / "one")
    datasets.DatasetDict({"train": one, "test": one.select([0])}).save_to_disk(tmp_path / "both")
    assert rows(read(tmp_path / "one")) == BODY
    both = read(tmp_path / "both")
    assert rows(both) == BODY
    assert any("'train' is read" in note for note in both.notes)
    assert rows(read(tmp_path / "both" / "test")) == BODY[:1]
    assert rows(read(one)) == BODY
    assert rows(read(one.select([2, 0]))) == [BODY[2], BODY[0]]


def test_frames_lists_and_texts() -> None:
    assert rows(read(pd.DataFrame(OBJECTS))) == BODY
    assert rows(read(OBJECTS)) == BODY
    frame = pd.DataFrame({"text": ["a b", "c d"], "label": np.array([3, 4])})
    assert rows(read(frame)) == [("a b", "3"), ("c d", "4")]
    table, _ = load_table(["a b", "c d"], NEEDS, DataSettings(), need_target=False)
    assert rows(table) == [("a b", None), ("c d", None)]
    assert not table.has_target


@pytest.mark.parametrize("missing", [None, float("nan"), np.float32("nan"), Decimal("NaN"), pd.NA, pd.NaT, ""])
def test_missing_values_in_memory(missing: object) -> None:
    with pytest.raises(DataError, match=r"^DataFrame line 2: label is (empty|missing)"):
        read(pd.DataFrame({"text": ["a", "b", "c"], "label": ["x", missing, "y"]}))
    said = r"missing \(NaN\)" if missing is not None and not isinstance(missing, str) else "empty"
    with pytest.raises(DataError, match=rf"^list line 2: text is {said} \(column 'body'\)"):
        read([{"body": "a", "label": "x"}, {"body": missing, "label": "y"}])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1 good film\n0 bad film\n1 fine, really\n0 no\n", [("good film", "1"), ("bad film", "0")]),
        (
            "DESC:def What is it ?\nNUM:dist How far ?\nNUM:dist How near ?\nDESC:def Why ?\n",
            [("What is it ?", "DESC")],
        ),
        ("__label__pos good film\n__label__neg bad\n", [("good film", "pos"), ("bad", "neg")]),
        ("pos good film\nneg bad\npos fine, really\nneg no no\n", [("good film", "pos"), ("bad", "neg")]),
    ],
)
def test_labelled_lines(write: Write, text: str, expected: list[tuple[str, str]]) -> None:
    assert rows(read(write("rt-polarity.all", text)))[: len(expected)] == expected


def test_fine_labels_can_be_taken(write: Write) -> None:
    name = write("TREC", "DESC:def What is it ?\nNUM:dist How far ?\nNUM:dist How near ?\nDESC:def Why ?\n")
    assert rows(read(name, columns={"label": "label_fine"}))[0] == ("What is it ?", "DESC:def")


def test_two_fasttext_labels(write: Write) -> None:
    with pytest.raises(DataError, match=r"^a line 2: not one __label__"):
        read(write("a", "__label__a one\n__label__a __label__b two\n"))


def test_one_text_a_line(write: Write) -> None:
    name = write("texts.txt", "Hello, you there.\n\nIt is fine, I think.\nSo be it.\n")
    table, _ = load_table(name, NEEDS, DataSettings(), need_target=False)
    assert [row[0] for row in rows(table)] == ["Hello, you there.", "It is fine, I think.", "So be it."]
    with pytest.raises(DataError, match=r"^texts\.txt has a single column, but text and label are needed"):
        read(name)


def test_optional_inputs(write: Write) -> None:
    needs = (*NEEDS, Need("title", "text", optional=True))
    assert read(write("a.csv", "text,label\na b,1\nc d,0\n"), needs=needs).inputs == ("text",)
    table = read(write("b.csv", "text,label,title\na b,1,\nc d,0,t\n"), needs=needs)
    assert [example.inputs["title"] for example in table.all_rows().examples()] == ["", "t"]
