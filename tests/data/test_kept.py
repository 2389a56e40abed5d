"""A cache serves what the file holds and nothing else: not what it held before, nor what somebody made of the entry."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.data.reading import NEEDS, read, rows

from deepen.core import seal
from deepen.core.errors import DataError
from deepen.data import kept, load
from deepen.data.load import DataSettings, load_table

Write = Callable[..., str]


def content(word: str, num: int = 4) -> str:
    return "text,label\n" + "".join(f"{word} {at},{'xy'[at % 2]}\n" for at in range(num))


def words(name: Any) -> set[str]:
    return {str(row[0]).split()[0] for row in rows(read(name))}


def entries() -> list[Path]:
    return sorted((Path(os.environ["DEEPEN_CACHE"]) / "tables").iterdir())


@pytest.mark.parametrize("when", ["opened", "read", "written"])
@pytest.mark.parametrize("how", ["over", "beside", "as old"])
def test_a_file_that_changes_while_it_is_read(
    write: Write, monkeypatch: pytest.MonkeyPatch, when: str, how: str
) -> None:
    name = write("a.csv", content("AAA"))
    before = Path(name).stat()
    home, function = {"opened": (load, "open_layout"), "read": (kept, "write_rows"), "written": (kept, "seal")}[when]
    original = getattr(home, function)
    changes = iter([content("BBB")])

    def change(*given: Any, **more: Any) -> Any:
        for new in changes:
            if how == "beside":
                Path("new").write_text(new)
                Path("new").replace(name)
            else:
                Path(name).write_text(new)
            if how == "as old":
                os.utime(name, ns=(before.st_atime_ns, before.st_mtime_ns))
        return original(*given, **more)

    with monkeypatch.context() as patched:
        patched.setattr(home, function, change)
        assert words(name) == {"BBB"}
    assert words(name) == {"BBB"}
    assert len(entries()) == 1
    Path(name).write_text(content("AAA"))
    assert words(name) == {"AAA"}, "nothing of the new rows is kept under the key of the old ones"


def test_a_file_that_was_another_only_while_it_was_read(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    name = write("a.csv", content("AAA"))
    original, left = kept.write_rows, [1]

    def change(*given: Any) -> Any:
        if left and left.pop():
            Path(name).write_text(content("BBB"))
            found = original(*given)
            Path(name).write_text(content("AAA"))
            return found
        return original(*given)

    monkeypatch.setattr(kept, "write_rows", change)
    assert words(name) == {"AAA"}


def test_a_file_that_never_rests_is_an_error(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    name = write("a.csv", content("AAA"))
    original, count = kept.write_rows, [0]

    def change(*given: Any) -> Any:
        count[0] += 1
        Path(name).write_text(content(f"B{count[0]}"))
        return original(*given)

    monkeypatch.setattr(kept, "write_rows", change)
    with pytest.raises(DataError, match=r"^a\.csv changes while it is read: wait until it is written, or read a copy"):
        read(name)
    assert entries() == []


@pytest.mark.parametrize("file", ["rows.arrow", "left-out.arrow", "about.json", "seal.json"])
@pytest.mark.parametrize("anew", [True, False], ids=["a new process", "the same process"])
def test_one_changed_byte_anywhere_is_seen(write: Write, file: str, anew: bool) -> None:
    name = write("a.csv", content("AAA", 50) + "too,many,cells\n")
    table, columns = load_table(name, NEEDS, DataSettings())
    right, left, notes = rows(table), table.left_out, table.notes
    [entry] = entries()
    path = entry / file
    whole = path.read_bytes()
    for at in range(0, len(whole), max(1, len(whole) // 40)):
        if anew:
            seal._seen.clear()
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 0x11]) + whole[at + 1 :])
        again, found = load_table(name, NEEDS, DataSettings())
        assert (rows(again), again.left_out, again.notes, found) == (right, left, notes, columns)
        del again


def test_a_word_of_equal_length_is_not_served(write: Write) -> None:
    name = write("a.csv", content("AAA"))
    assert words(name) == {"AAA"}
    path = entries()[0] / "rows.arrow"
    before = path.stat()
    path.write_bytes(path.read_bytes().replace(b"AAA", b"BBB"))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert words(name) == {"AAA"}


def test_what_was_not_touched_is_not_read_again(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    name = write("a.csv", content("AAA"))
    read(name)
    monkeypatch.setattr(seal, "_sum", lambda path: pytest.fail(f"{path} is read again"))
    assert words(name) == {"AAA"}
