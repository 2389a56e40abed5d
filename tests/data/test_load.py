from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from tests.data.reading import NEEDS, read, rows

from deepen.core.errors import DataError, SettingError
from deepen.core.files import cache_dir
from deepen.data.load import DataSettings, load_table, look

Write = Callable[..., str]
GOOD = "text,label\ngood film,pos\nbad film,neg\ngood film,pos\n"


def kept() -> list[Path]:
    folder = cache_dir() / "tables"
    return sorted(folder.iterdir()) if folder.is_dir() else []


def test_the_table(write: Write) -> None:
    table = read(write("a.csv", GOOD))
    assert table.arrow.column_names == ["id", "line", "text", "target"]
    assert table.inputs == ("text",)
    first, _, third = table.arrow.column("id").to_pylist()
    assert len(first) == 16
    assert third == f"{first}-2"
    assert any("1 row is an exact copy" in note for note in table.notes)
    assert read(write("b.tsv", GOOD.replace(",", "\t"))).fingerprint == table.fingerprint
    assert read(write("c.csv", GOOD.replace("bad", "sad"))).fingerprint != table.fingerprint


def test_the_second_time_nothing_is_parsed(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    name = write("a.csv", GOOD.replace("good", "ｇｏｏｄ"))
    first = load_table(name, NEEDS, DataSettings())
    monkeypatch.setattr("deepen.data.load.open_layout", None)
    second = load_table(name, NEEDS, DataSettings())
    assert rows(first[0]) == rows(second[0])
    assert (first[1], first[0].notes, first[0].changed) == (second[1], second[0].notes, second[0].changed)
    assert first[0].changed == {"unicode": 2}


@pytest.mark.parametrize("file", ["rows.arrow", "about.json"])
@pytest.mark.parametrize("damage", [b"", b"not a table", None])
def test_a_damaged_cache_is_made_again(write: Write, file: str, damage: bytes | None) -> None:
    name = write("a.csv", GOOD)
    before = rows(read(name))
    path = kept()[0] / file
    path.write_bytes(damage if damage is not None else path.read_bytes()[:-20])
    assert rows(read(name)) == before
    assert rows(read(name)) == before
    assert len(kept()) == 1


def test_settings_and_columns_make_other_tables(write: Write) -> None:
    name = write("a.csv", GOOD)
    read(name)
    read(name, normalise={"unicode": "NFC"})
    read(name, columns={"text": "text"})
    assert len(kept()) == 3


def test_settings_that_change_no_row_share_a_table(write: Write) -> None:
    class Section(DataSettings):
        path: str | None = None

    name = write("a.csv", GOOD)
    load_table(name, NEEDS, Section(path="a", max_labels=5))
    read(name)
    assert len(kept()) == 1


def test_a_cache_that_can_not_be_written(write: Write, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("DEEPEN_CACHE", str(tmp_path / "file"))
    with pytest.raises(SettingError, match="can't write"):
        read(write("a.csv", GOOD))


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", b"", r"^a\.csv is empty"),
        ("a.csv", b" \n\n", r"^a\.csv is empty"),
        ("a.csv", b"text,label\n", r"^a\.csv line 1: a header \(text, label\) and no rows"),
        ("a.csv", b"text,label\ngood,1\n,0\n", r"^a\.csv line 3: text is empty"),
        ("a.csv", b"text,label\ngood,1\n&#8203;,0\n", r"^a\.csv line 3: text is empty"),
        ("a.csv", b"text,label\ngood,\nbad,0\n", r"^a\.csv line 2: label is empty"),
        ("a.csv", b"text,label\ngood,1\nbad,NaN\n", r"^a\.csv line 3: label is NaN"),
        (
            "a.csv",
            b"text,label\ngood,1\n" + b"x" * 1_000_000 + b",0\n",
            r"^a\.csv line 3: text has 1,000,000 characters",
        ),
        (
            "a.csv",
            "text,label\n房間很好,1\n".encode("big5"),
            r"^a\.csv line 2: .* can't be told: --set data\.encoding=big5",
        ),
        ("a.csv", b"text,label\ngood,1\nb\xe9d,0\n", r"^a\.csv line 3: byte 0xe9 at column 2 is not utf-8.*cp1252"),
        ("a.csv", "text,label\n很好的酒店,1\n".encode("gb18030"), r"^a\.csv line 2: .*data\.encoding=gb18030"),
        ("a.csv", "text,label\n".encode("utf-16"), r"^a\.csv line 1: .*data\.encoding=utf-16"),
        ("a.csv", GOOD.encode("utf-16-le"), r"^a\.csv line 1: not UTF-8; .*: --set data\.encoding=utf-16-le$"),
        ("a.csv", "评论,标签\n很好,1\n".encode("utf-16-be"), r"^a\.csv line 1: .*: --set data\.encoding=utf-16-be$"),
        ("a.csv", b"text,la\x00bel\n", r"^a\.csv line 1: binary, not text"),
        ("a.csv", b"text,label\n\x01\x00\x00\x07\x00\x90", r"^a\.csv line 2: binary, not text"),
        ("a.csv", b"head" * 400_000, r"^a\.csv.{,300}$"),
        ("a.csv", b"x" * 900_000 + b",y\na,b,c\n", r"^a\.csv.{,300}$"),
        ("a.csv", b"review,label\ngood,1\n,0\n", r"^a\.csv line 3: text is empty \(column 'review'\)"),
        ("a.xlsx", b"PK\x03\x04 xl/workbook.xml", r"^a\.xlsx is an Excel workbook"),
        ("a.zip", b"PK\x03\x04 a", r"^a\.zip is a zip archive"),
        ("a.pkl", b"\x80\x04\x95", r"^a\.pkl is a Python pickle, which is never opened"),
        ("a.pdf", b"%PDF-1.7", r"^a\.pdf is a PDF"),
        ("a.csv.gz", b"\x1f\x8b\x08\x00broken", r"^a\.csv\.gz: the gzip file is damaged"),
        ("a.jsonl", b'{"text": "a", "label": null}\n', r"^a\.jsonl line 1: label is empty"),
        ("a.jsonl", b'{"text": "a", "label": NaN}\n', r"^a\.jsonl line 1: label is missing \(NaN\)"),
        (
            "a.jsonl",
            b'{"body": NaN, "y": 1}\n{"body": "a", "y": 0}',
            r"^a\.jsonl line 1: text is missing \(NaN\) \(column 'body'\)",
        ),
        ("a.jsonl", b'\n\n{"text": "a"\n', r"^a\.jsonl line 3: not JSON: the line ends before the object does"),
        ("a.jsonl", b'\n{"text": "a", "label": 1} {', r"^a\.jsonl line 2: not JSON: Extra data \(column 27\)"),
    ],
)
def test_bad_input(write: Write, name: str, content: bytes, message: str) -> None:
    with pytest.raises(DataError, match=message) as caught:
        read(write(name, content))
    assert "\n" not in str(caught.value)
    assert kept() == []


def test_the_encoding_that_an_error_names_reads_the_file(write: Write) -> None:
    for encoding in ("utf-16-le", "utf-16-be", "utf-16", "gb18030"):
        name = write(f"{encoding}.csv", "text,label\n很好的酒店,1\n房间太小,0\n".encode(encoding))
        with pytest.raises(DataError) as caught:
            read(name)
        named = str(caught.value).rpartition("--set data.encoding=")[2]
        assert named == encoding
        assert rows(read(name, encoding=named)) == [("很好的酒店", "1"), ("房间太小", "0")]


def test_utf_16_is_declared_and_there_is_no_mark_of_it(write: Write) -> None:
    with pytest.raises(DataError, match=r"^a\.json line 1: not utf-16: UTF-16 stream does not start with BOM"):
        read(write("a.json", '[{"text": "a", "label": 1}]'.encode("utf-16-le")), encoding="utf-16")


def test_what_a_file_holds_is_cut_short_in_messages(write: Write) -> None:
    long = "y" * 1_000_000
    name = write("a.csv", f"text,{long},label\na b,c,d\ne f,g,h\n")
    for columns in ({"text": "z"}, {"text": long[1:]}):
        with pytest.raises(DataError) as caught:
            read(name, columns=columns)
        assert len(str(caught.value)) < 300
    table, found = load_table(name, NEEDS, DataSettings(), columns={"text": long, "label": "label"})
    assert len(table) == 2
    assert len(found.reasons["text"]) < 300
    with pytest.raises(DataError, match=r"^b\.csv line 1: a header \(text, é{39}…\) and no rows$"):
        read(write("b.csv", f"text,{'é' * 1_000_000}\n"), header=True)
    with pytest.raises(DataError, match=r"^c\.csv line 1: a header \((same, ){20}...\) and no rows$"):
        read(write("c.csv", "same," * 100_000 + "\n"), header=True)


def test_columns_of_one_name_are_numbered_in_linear_time(write: Write) -> None:
    name = write("a.csv", "text,label," + "same," * 50_000 + "\ngood,1," + "," * 50_000 + "\nbad,0," + "," * 50_000)
    assert len(read(name, columns={"text": "text", "label": "label"}, header=True)) == 2
    assert look(name, DataSettings(header=True)).names[2:5] == ("same", "same_2", "same_3")  # type: ignore[index]


def test_wrong_delimiter(write: Write) -> None:
    name = write("a.csv", GOOD)
    with pytest.raises(DataError, match=r"^a\.csv: the delimiter ';' splits no row, but ',' gives 2 columns"):
        read(name, delimiter=";")
    with pytest.raises(DataError, match=r"but tab gives 2"):
        read(write("b.csv", GOOD.replace(",", "\t")), delimiter=",")
    assert len(read(write("c.tsv", GOOD.replace(",", "\t")), delimiter="tab")) == 3


def test_missing_files(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    write("reviews.csv", GOOD)
    with pytest.raises(DataError, match=r"^review\.csv does not exist; did you mean 'reviews\.csv'\?"):
        read("review.csv")
    with pytest.raises(DataError, match=r"^review does not exist; did you mean 'reviews\.csv'\?; no copy from the hub"):
        read("review")
    with pytest.raises(DataError, match=r"^owner/name does not exist, nor does its folder; no copy from the hub"):
        read("owner/name")
    with pytest.raises(DataError, match=r"^d/name does not exist$"):
        read(write("d/other", GOOD).replace("other", "name"))
    with pytest.raises(DataError, match="File name too long"):
        read("x" * 5000)
    with pytest.raises(DataError, match=r"^no/such\.csv does not exist"):
        read("no/such.csv")
    with pytest.raises(DataError, match="can't read a int"):
        read(5)
    with pytest.raises(DataError, match="the list is empty"):
        read([])


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_no_permission(write: Write) -> None:
    name = write("a.csv", GOOD)
    Path(name).chmod(0)
    with pytest.raises(DataError, match=r"^a\.csv: no permission to read it"):
        read(name)


@pytest.mark.parametrize(
    "wrong",
    [
        {"encoding": "nonsense"},
        {"encoding": "rot13"},
        {"encoding": "idna"},
        {"delimiter": ""},
        {"max_cell_chars": 0},
        {"label_cuts": [1, 0]},
    ],
)
def test_wrong_settings(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        DataSettings.model_validate(wrong)


def parse_or_refuse(content: bytes, name: str, **chosen: object) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        path.write_bytes(content)
        try:
            table, _ = load_table(str(path), NEEDS, DataSettings(**chosen), need_target=len(content) % 2 == 0)
        except DataError as error:
            assert "\n" not in str(error)  # noqa: PT017 - both ways out are right
        else:
            assert len(rows(table)) == len(table) > 0


names = st.sampled_from(["a", "a.csv", "a.tsv", "a.json", "a.jsonl", "a.parquet", "a.txt"])
heads = st.sampled_from(
    [
        b"",
        b"PAR1",
        b"ARROW1\0\0",
        b"\xff\xff\xff\xff",
        b"\x1f\x8b\x08",
        b"[{",
        b'{"',
        b"\xef\xbb\xbf",
        b"__label__",
        b"text,label\n",
        b'"',
        b"\xff\xfe",
        b"[",
        b'{"data": [{"text": "a", "label": 1}, ',
    ]
)
pieces = st.lists(
    st.sampled_from(
        [
            b'"',
            b",",
            b"\t",
            b";",
            b"\n",
            b"\r",
            b"text",
            b"label",
            b"0",
            b"1",
            b"a b",
            b"{",
            b"}",
            b"[",
            b"]",
            b":",
            b"\xe5\xa5\xbd",
            b"\xff",
            b" ",
            b'""',
            b"NaN",
            b"null",
            b"\\ud800",
            b"1e999",
            b"&amp;",
        ]
    )
).map(b"".join)
quick = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@quick
@given(head=heads, body=st.one_of(st.binary(max_size=300), pieces), name=names)
def test_arbitrary_bytes(head: bytes, body: bytes, name: str) -> None:
    parse_or_refuse(head + body, name)


@quick
@given(
    body=st.one_of(st.text(), pieces),
    name=names,
    delimiter=st.sampled_from([None, ",", "tab"]),
    header=st.sampled_from([None, True, False]),
    quoting=st.sampled_from([None, True, False]),
    encoding=st.sampled_from(["utf-8", "gb18030", "utf-16", "cp1252", "utf-7", "cp932"]),
)
def test_arbitrary_text_under_any_setting(
    body: str | bytes, name: str, delimiter: str | None, header: bool | None, quoting: bool | None, encoding: str
) -> None:
    content = body if isinstance(body, bytes) else body.encode("utf-8", "surrogatepass")
    parse_or_refuse(content, name, delimiter=delimiter, header=header, quoting=quoting, encoding=encoding)


@quick
@given(
    st.lists(
        st.one_of(
            st.none(),
            st.text(),
            st.integers(),
            st.dictionaries(
                st.sampled_from(["text", "label", "id", ""]),
                st.one_of(
                    st.none(),
                    st.floats(),
                    st.text(st.characters(exclude_categories=())),
                    st.booleans(),
                    st.lists(st.integers()),
                    st.integers(),
                    st.binary(),
                ),
            ),
        )
    )
)
def test_arbitrary_lists(source: list[object]) -> None:
    try:
        table = read(source)
    except DataError as error:
        assert "\n" not in str(error)  # noqa: PT017
    else:
        assert len(rows(table)) == len(source)
