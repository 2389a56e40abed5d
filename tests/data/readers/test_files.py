"""What stands where a file should be: odd names, links, pipes, closed folders, names that are nearly right."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.data.reading import read, rows

from deepen.core.errors import DataError
from deepen.core.files import fingerprint, read_json, write_json
from deepen.data.label_names import read_label_names

Write = Callable[..., str]
GOOD = "text,label\ngood film,pos\nbad film,neg\ngood film,pos\n"
ODD = os.fsdecode(b"a\xff\n.csv")


def test_a_name_that_is_not_utf8_is_read_and_can_be_printed(write: Write) -> None:
    table = read(write(ODD, GOOD))
    assert table.name == r"a\xff\x0a.csv"
    json.dumps([table.name, table.notes], ensure_ascii=False).encode()
    with pytest.raises(DataError, match=r"^b\\xff\\x0a\.csv line 3: label is empty"):
        read(write(ODD.replace("a", "b"), "text,label\na b,1\nc d,\n"))
    with pytest.raises(DataError, match=r"^x\\xff\\x0a\.csv does not exist; did you mean 'b\\xff"):
        read(ODD.replace("a", "x"))
    assert fingerprint(ODD) != fingerprint("a.csv")
    write_json(Path("a.json"), {"path": ODD})
    assert read_json(Path("a.json")) == {"path": ODD}


def test_names_in_folders_that_are_not_utf8(write: Write) -> None:
    for byte in (b"\xe8", b"\xe9"):
        write(os.fsdecode(b"d/caf" + byte + b"/1.txt"), "one text")
    table = read(write("d/other/1.txt", "a text").split("/")[0])
    assert {label for _, label in rows(table)} == {r"caf\xe8", r"caf\xe9", "other"}
    json.dumps([table.name, table.notes], ensure_ascii=False).encode()
    for name in (ODD, "b.csv"):
        write(f"e/{name}", GOOD)
    assert len(read("e")) == 6
    write(f"f/{ODD}", GOOD)
    assert read("f").notes[0].startswith(r"f/a\xff\x0a.csv: comma-separated")


def test_links_pipes_and_devices(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("loop.csv").symlink_to("loop.csv")
    Path("gone.csv").symlink_to("nowhere.csv")
    os.mkfifo("pipe.csv")
    for name, said in (
        ("loop.csv", r"^loop\.csv is a symbolic link that leads nowhere$"),
        ("gone.csv", r"^gone\.csv is a symbolic link that leads nowhere$"),
        ("pipe.csv", r"^pipe\.csv is a named pipe, not a file"),
        ("/dev/null", r"^/dev/null is a device, not a file"),
        ("loop.csv/a.csv", r"^loop\.csv/a\.csv does not exist, nor does its folder$"),
        ("~nobody-has-this-name/a.csv", r"does not exist, nor does its folder$"),
    ):
        with pytest.raises(DataError, match=said):
            read(name)
        if not name.startswith("~"):
            with pytest.raises(DataError, match=said):
                read_label_names(name)
    Path("d").mkdir()
    Path("d/again").symlink_to("../d")
    with pytest.raises(DataError, match=r"^d is an empty folder"):
        read("d")
    os.mkfifo("d/pipe.csv")
    with pytest.raises(DataError, match=r"^d/pipe\.csv is a named pipe"):
        read("d")


@pytest.fixture
def open_to_all(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A working folder, and no rights of root: what is closed is closed."""
    with tempfile.TemporaryDirectory() as name:
        os.chmod(name, 0o777)
        monkeypatch.chdir(name)
        user = os.geteuid()
        os.seteuid(user or 65534)
        try:
            yield Path(name)
        finally:
            os.seteuid(user)
            for path in Path(name).iterdir():
                path.chmod(0o700)


@pytest.mark.parametrize("mode", [0o000, 0o400, 0o100])
def test_a_closed_folder(open_to_all: Path, mode: int) -> None:
    folder = open_to_all / "d"
    folder.mkdir()
    (folder / "a.csv").write_text(GOOD)
    folder.chmod(mode)
    with pytest.raises(DataError, match=r"^d: no permission to read it$"):
        read("d")
    said = "does not exist$" if mode == 0o100 else "no permission to read it$"
    with pytest.raises(DataError, match=rf"^d/other\.csv:? {said}"):
        read("d/other.csv")
    with pytest.raises(DataError, match=rf"^d/other\.txt:? {said}"):
        read_label_names("d/other.txt")


@pytest.mark.parametrize(
    ("there", "asked", "meant"),
    [
        ("reviews.csv", "review.csv", "reviews.csv"),
        ("Reviews.CSV", "reviews.csv", "Reviews.CSV"),
        ("reviews.csv", "reviews.json", "reviews.csv"),
        ("test.tsv", "train.tsv", ""),
        ("a.csv", "b.csv", ""),
        ("recent.csv", "reviews.csv", ""),
        ("notes.jsonl", "notice.csv", ""),
    ],
)
def test_only_a_name_that_is_close_is_meant(write: Write, there: str, asked: str, meant: str) -> None:
    write(there, GOOD)
    with pytest.raises(DataError) as caught:
        read(asked)
    assert str(caught.value) == f"{asked} does not exist" + (f"; did you mean '{meant}'?" if meant else "")


@pytest.mark.parametrize(
    ("written", "declared", "warned"), [("utf-8", "cp1252", 1), ("cp1252", "cp1252", 0), ("utf-8", "utf-8", 0)]
)
def test_utf8_that_is_read_as_something_else_is_said(tmp_path: Path, written: str, declared: str, warned: int) -> None:
    path = tmp_path / "menu.csv"
    path.write_bytes("text,label\nthe café was fine,good\nthe naïve waiter,bad\n".encode(written))
    table = read(path, encoding=declared)
    assert sum("it is UTF-8 and is read as cp1252" in warning for warning in table.warnings) == warned
