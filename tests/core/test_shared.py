"""Weights that runs have alike are on the disk once, and no run can harm another by that."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from deepen.core.cache import entries, trim
from deepen.core.files import cache_dir, sha256_file
from deepen.core.shared import KIND, share

LARGE = bytes(range(256)) * 4096


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEEPEN_CACHE", str(tmp_path / "cache"))


def run_of(folder: Path, content: bytes = LARGE) -> Path:
    folder.mkdir()
    path = folder / "model.safetensors"
    path.write_bytes(content)
    share({path: sha256_file(path)})
    return path


def test_equal_files_are_one(tmp_path: Path) -> None:
    one, two, other = run_of(tmp_path / "a"), run_of(tmp_path / "b"), run_of(tmp_path / "c", LARGE[::-1])
    assert one.samefile(two)
    assert not one.samefile(other)
    assert two.read_bytes() == LARGE
    assert not os.access(one, os.W_OK) or os.geteuid() == 0
    assert oct(one.stat().st_mode)[-3:] == "444"
    assert [path.name for path in (tmp_path / "b").iterdir()] == ["model.safetensors"]


def test_small_files_are_left_alone(tmp_path: Path) -> None:
    assert run_of(tmp_path / "a", b"small").stat().st_nlink == 1


def test_a_run_that_goes_takes_nothing_along(tmp_path: Path) -> None:
    one, two = run_of(tmp_path / "a"), run_of(tmp_path / "b")
    shutil.rmtree(one.parent)
    assert two.read_bytes() == LARGE
    assert sum(entry.num_bytes for entry in entries()) == 0, "what a run has is no part of the cache's size"
    trim()
    assert len(list((cache_dir() / KIND).iterdir())) == 1
    shutil.rmtree(two.parent)
    assert sum(entry.num_bytes for entry in entries()) == len(LARGE)
    trim()
    assert not list((cache_dir() / KIND).iterdir())


def test_what_was_written_into_is_not_handed_on(tmp_path: Path) -> None:
    one = run_of(tmp_path / "a")
    one.chmod(0o644)
    with one.open("r+b") as file:
        file.write(b"spoilt")
    two = run_of(tmp_path / "b")
    assert two.read_bytes() == LARGE
    assert not one.samefile(two)


def test_without_links_every_run_has_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_links(*given: object, **more: object) -> None:
        raise OSError(18, "Invalid cross-device link")

    monkeypatch.setattr(os, "link", no_links)
    one, two = run_of(tmp_path / "a"), run_of(tmp_path / "b")
    assert one.read_bytes() == two.read_bytes() == LARGE
    assert not one.samefile(two)
