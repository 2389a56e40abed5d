"""A file is whole or not there, and a failed write is told in words."""

from __future__ import annotations

import errno
import os
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from safetensors import SafetensorError
from safetensors.numpy import save_file

from deepen.core.errors import DataError, SettingError
from deepen.core.files import (
    cache_dir,
    read_json,
    read_jsonl,
    remove_leftovers,
    replacing,
    sha256_file,
    write_json,
    write_jsonl,
    write_text,
    writing,
)


def test_what_is_written_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "new" / "a.json"
    write_json(path, {"words": "naïve 词", "number": np.float32(0.5), "path": tmp_path})
    assert read_json(path) == {"words": "naïve 词", "number": 0.5, "path": str(tmp_path)}
    write_jsonl(path, ({"n": n} for n in range(3)))
    assert list(read_jsonl(path)) == [{"n": 0}, {"n": 1}, {"n": 2}]
    assert os.listdir(path.parent) == ["a.json"]


def test_a_failure_leaves_what_was_there(tmp_path: Path) -> None:
    write_text(tmp_path / "a.txt", "before")

    def rows():  # type: ignore[no-untyped-def]
        yield {"n": 1}
        raise RuntimeError("a bug")

    with pytest.raises(RuntimeError, match="a bug"):
        write_jsonl(tmp_path / "a.txt", rows())
    assert (tmp_path / "a.txt").read_text() == "before"
    assert os.listdir(tmp_path) == ["a.txt"]


def test_folders_are_swapped(tmp_path: Path) -> None:
    for content in ("one", "two"):
        with replacing(tmp_path / "folder") as beside:
            beside.mkdir()
            (beside / content).touch()
    assert os.listdir(tmp_path / "folder") == ["two"]

    def fail() -> None:
        with replacing(tmp_path / "folder") as beside:
            beside.mkdir()
            raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        fail()
    assert os.listdir(tmp_path) == ["folder"]
    assert os.listdir(tmp_path / "folder") == ["two"]


def test_below_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for name in ("file/a.json", "file/deep/a.json"):
        with pytest.raises(SettingError, match=r"can't write .*a\.json: a part of that path is a file, not a folder"):
            write_json(tmp_path / name, {})


@pytest.mark.parametrize(
    ("number", "cause"),
    [
        (errno.ENOSPC, "the disk is full"),
        (errno.EDQUOT, "your share of the disk is full"),
        (errno.EACCES, "no permission to write there"),
        (errno.EROFS, "the file system is read-only"),
        (errno.EFBIG, "the system does not allow files of that size"),
        (errno.EIO, "Input/output error"),
    ],
)
def test_causes(number: int, cause: str) -> None:
    for error in (OSError(number, os.strerror(number)), SafetensorError(f"I/O error: x (os error {number})")):
        with pytest.raises(SettingError, match=f"can't write x: {cause}"), writing(Path("x")):
            raise error
    with pytest.raises(SafetensorError, match="a bug"), writing(Path("x")):
        raise SafetensorError("a bug")


def test_safetensors_tell_the_number_of_an_error(tmp_path: Path) -> None:
    """The words that `writing` looks for are those that the library says."""
    (tmp_path / "file").touch()
    with pytest.raises(SettingError, match="a part of that path is a file"), writing(tmp_path):
        save_file({"x": np.zeros(3)}, tmp_path / "file" / "x.safetensors")


def test_what_a_killed_process_left_is_removed(tmp_path: Path) -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    host = socket.gethostname()
    dead, alive, elsewhere = f"{host}-{ended.pid}", f"{host}-{os.getpid()}", f"not-{host}-{ended.pid}"
    for name in (f".a.json.{dead}.part", f".b.{dead}.part", f".a.json.{alive}.part", f".a.json.{elsewhere}.part"):
        (tmp_path / name).touch()
    (tmp_path / "a.json").touch()
    (tmp_path / f".a.json.{dead}.old").mkdir()
    (tmp_path / f".a.json.{dead}.old" / "x").touch()
    write_json(tmp_path / "a.json", {})
    left = {f".b.{dead}.part", f".a.json.{alive}.part", f".a.json.{elsewhere}.part", "a.json"}
    # writing a.json by this process used the name that `alive` has
    assert set(os.listdir(tmp_path)) == left - {f".a.json.{alive}.part"}
    remove_leftovers(tmp_path)
    assert set(os.listdir(tmp_path)) == {f".a.json.{elsewhere}.part", "a.json"}


def test_a_folder_that_was_taken_away_and_not_replaced_comes_back(tmp_path: Path) -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    old = tmp_path / f".model.{socket.gethostname()}-{ended.pid}.old"
    old.mkdir()
    (old / "x").touch()
    remove_leftovers(tmp_path)
    assert os.listdir(tmp_path) == ["model"]
    assert os.listdir(tmp_path / "model") == ["x"]


def test_reading(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    with pytest.raises(DataError, match="does not exist"):
        read_json(path)
    with pytest.raises(DataError, match="does not exist"):
        list(read_jsonl(path))
    path.write_text('{"a": 1}\n{"a":\n')
    with pytest.raises(DataError, match="line 2: not JSON"):
        list(read_jsonl(path))
    with pytest.raises(DataError, match="not readable JSON"):
        read_json(path)
    assert (
        sha256_file(path)
        == subprocess.run(["sha256sum", str(path)], capture_output=True, text=True, check=True).stdout.split()[0]
    )


def test_the_cache_is_where_it_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    assert str(cache_dir()) == os.environ["DEEPEN_CACHE"]
    monkeypatch.delenv("DEEPEN_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", "/somewhere")
    assert cache_dir() == Path("/somewhere/deepen")
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert cache_dir() == Path.home() / ".cache" / "deepen"
