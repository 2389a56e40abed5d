"""Inputs of a few bytes that stand for far more: packed files, aliases, numbers of many digits."""

from __future__ import annotations

import gzip
import time
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from deepen.core.errors import DataError, SettingError
from deepen.core.foreign import read_yaml
from deepen.core.settings import override, parse, shown
from deepen.data.label_names import read_label_names
from deepen.data.load import look
from deepen.data.settings import DataSettings

ALIASES = "a0: &a0 [x, x]\n" + "".join(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]\n" for i in range(1, 10))
MERGED = "a0: &a0 {x: 1}\n" + "".join(f"a{i}: &a{i}\n  <<: [{', '.join([f'*a{i - 1}'] * 10)}]\n" for i in range(1, 10))


@pytest.mark.parametrize("honest", [True, False])
def test_a_gzip_file_of_too_much(tmp_path: Path, honest: bool) -> None:
    path = tmp_path / "rows.csv.gz"
    packed = bytearray(gzip.compress(b"text,label\n" + b"good film,a\nbad film,b\n" * 4_000_000))
    if not honest:
        packed[-4:] = b"\1\0\0\0"
    path.write_bytes(packed)
    began = time.monotonic()
    with pytest.raises(DataError, match=r"rows\.csv\.gz has .* unpacks to more than 100 times as many .* unpack it"):
        look(path, DataSettings())
    assert time.monotonic() - began < 5


def test_the_remedy_for_a_gzip_file_of_much_works(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_bytes(b"text,label\n" + b"good film,a\nbad film,b\n" * 4_000)
    (tmp_path / "rows.csv.gz").write_bytes(gzip.compress(path.read_bytes()))
    assert look(path, DataSettings()).names == look(tmp_path / "rows.csv.gz", DataSettings()).names == ("text", "label")


def test_a_parquet_file_of_too_many_rows(tmp_path: Path) -> None:
    path = tmp_path / "rows.parquet"
    with pq.ParquetWriter(path, pa.schema([("text", pa.string())])) as out:
        table = pa.table({"text": pa.array(["a"] * 1_000_000).dictionary_encode().cast(pa.string())})
        for _ in range(70):
            out.write_table(table)
    with pytest.raises(DataError, match="unpacks to more than 100 times as many"):
        look(path, DataSettings())


@pytest.mark.parametrize("form", ["text", "list", "struct"])
def test_a_parquet_file_that_repeats_one_long_value(tmp_path: Path, form: str) -> None:
    path = tmp_path / "rows.parquet"
    schema = {"text": pa.string(), "list": pa.list_(pa.string()), "struct": pa.struct({"in": pa.string()})}[form]
    long = pa.array(["a" * 100_000]).cast(pa.string())
    value = long[0] if form == "text" else [long[0]] if form == "list" else {"in": long[0]}
    with pq.ParquetWriter(path, pa.schema([("text", schema)])) as out:
        table = pa.table({"text": pa.array([value] * 100, schema)})
        for _ in range(10):
            out.write_table(table)
    with pytest.raises(DataError, match=r"unpacks to more than 100 times as many .* save it as JSON lines"):
        look(path, DataSettings())


def test_an_arrow_file_that_repeats_one_long_value(tmp_path: Path) -> None:
    path = tmp_path / "rows.arrow"
    one = pa.DictionaryArray.from_arrays(pa.array([0] * 2_000, pa.int32()), pa.array(["a" * 100_000]))
    with pa.ipc.new_file(path, pa.schema([("text", one.type)])) as out:
        out.write_table(pa.table({"text": one}))
    with pytest.raises(DataError, match="unpacks to more than 100 times as many"):
        look(path, DataSettings())


def test_small_parquet_cells_are_what_they_were(tmp_path: Path) -> None:
    rows = {
        "text": ["x", None, "x"] * 50,
        "list": [["x", "y"], [], None] * 50,
        "deep": [{"a": [{"b": "u"}]}, None, {"a": []}] * 50,
        "bytes": [b"a", b"b", None] * 50,
        "number": [1, None, 3] * 50,
    }
    pq.write_table(pa.table(rows), tmp_path / "rows.parquet", row_group_size=40)
    sample = look(tmp_path / "rows.parquet", DataSettings()).sample
    assert [tuple(cells) for cells in sample] == list(zip(*rows.values(), strict=True))


@pytest.mark.parametrize(
    "text",
    [
        *(ALIASES, MERGED, "&a [*a]", "? &a [*a]\n: 1", "[" * 100_000, "- " * 50_000, "9" * 5_000, "0b_", "2020-13-45"),
        *(
            "!!int x",
            "!!timestamp x",
            "!!python/object/apply:os.system [x]",
            "a: [1",
            "\0",
            "*x",
            "!!omap x",
            "'\ud800'",
        ),
    ],
    ids=lambda text: ascii(text[:20]),
)
def test_yaml_of_anybody(text: str, tmp_path: Path) -> None:
    began = time.monotonic()
    with pytest.raises(ValueError, match=r"\w") as caught:
        read_yaml(text)
    assert len(str(caught.value)) < 300
    assert override({}, [f"seed={text}"]) == {"seed": text}, "what is no YAML is meant as it stands"
    (tmp_path / "names.yaml").write_text(text, encoding="utf-8", errors="replace")
    if "\ud800" not in text:
        with pytest.raises(DataError, match=r"names\.yaml"):
            read_label_names(tmp_path / "names.yaml")
    assert time.monotonic() - began < 5


def test_a_value_is_shown_in_bounded_time() -> None:
    value: object = "x" * 10**7
    for _ in range(12):
        value = [value] * 10
    for odd in (value, {"a": value}, 10**5000, "x" * 10**7, float("nan"), b"x" * 10**7, {1, 2}, object()):
        began = time.monotonic()
        assert len(shown(odd)) <= 100
        assert time.monotonic() - began < 1
    with pytest.raises(SettingError, match="--set 'xxx") as caught:
        override({}, ["x" * 10**6])
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize("name", ["punycode", "idna", "rot13", "hex", "zlib", "undefined", "mbcs", "no such", ""])
def test_encodings_of_no_text_file(name: str) -> None:
    with pytest.raises(SettingError, match="no such text encoding"):
        parse(DataSettings, {"encoding": name})


@pytest.mark.parametrize(
    "name", ["utf-8", "UTF-8-SIG", "utf-16", "gb18030", "shift_jis", "cp1252", "big5", "utf-7", "latin-1"]
)
def test_encodings_of_text_files(name: str) -> None:
    assert parse(DataSettings, {"encoding": name}).encoding == name
