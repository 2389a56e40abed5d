"""What is pushed comes back byte for byte or not at all, on every kind of store."""

from __future__ import annotations

import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

import deepen
from deepen.core.errors import DataError, SettingError
from deepen.core.files import sha256_file
from deepen.registry import versions
from deepen.registry.place import Place, open_place


def contents(folder: Path) -> dict[str, str]:
    return {path.relative_to(folder).as_posix(): sha256_file(path) for path in folder.rglob("*") if path.is_file()}


def push(place: Place, run: Path, **more: Any) -> versions.Version:
    return versions.push(place, run, name="mood", by="ada", **more)


def test_a_version_comes_back_as_it_was(place: Place, finished: Path, tmp_path: Path) -> None:
    first, second = push(place, finished, note="the first"), push(place, finished)
    assert (first.version, second.version) == (1, 2)
    assert versions.names(place) == ["mood"]
    assert [one.version for one in versions.versions(place, "mood")] == [1, 2]
    found = versions.version(place, "mood", 1)
    assert found == first
    assert (found.task, found.rung, found.note, found.pushed_by) == ("classification", "lexical", "the first", "ada")
    assert found.validation[0]["name"] == "accuracy"
    assert found.lineage["data"]["train"]["fingerprint"]
    out = versions.pull(place, found, tmp_path / "out")
    assert contents(out) == contents(finished)
    assert deepen.load(out).predict(["a good film"])[0].output in ("positive", "negative")


def test_equal_files_are_sent_once(place: Place, finished: Path) -> None:
    made = push(place, finished)
    chosen = {path for path in made.files if path.startswith("model/")}
    assert chosen, "the chosen model lies twice in a run"
    there = [name for name in place.names("mood/1") if not name.startswith("claim-")]
    assert len(there) == len({file.sha256 for file in made.files.values()}) + 1 < len(made.files)


def test_an_interrupted_push_leaves_nothing_to_be_seen(
    place: Place, finished: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    push(place, finished)
    sent = []

    def failing(self: Place, source: Path, path: str) -> str:
        sent.append(path)
        if len(sent) == 3:
            raise KeyboardInterrupt
        return whole(self, source, path)

    whole = Place.send
    monkeypatch.setattr(Place, "send", failing)
    with pytest.raises(KeyboardInterrupt):
        push(place, finished)
    assert [one.version for one in versions.versions(place, "mood")] == [1]
    assert all(name.startswith("claim-") for name in place.names("mood/2"))
    with pytest.raises(DataError, match=r"no mood@2: its upload did not come to its end; there are mood@1"):
        versions.version(place, "mood", 2)
    monkeypatch.undo()
    assert push(place, finished).version == 3, "a number is given out once"


@pytest.mark.parametrize("url", ["folder", "fsspec"], indirect=True)
def test_a_record_that_breaks_off_is_not_there(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    class Broken:
        def __getattr__(self, name: str) -> Any:
            return getattr(system, name)

        def move(self, old: str, new: str) -> None:
            assert system.get_file_info(old).size == 4, "it was whole before it got its name"
            raise KeyboardInterrupt

    system = place.system
    with pytest.raises(KeyboardInterrupt):
        Place(place.url, Broken(), place.root).write("a/b", b"half")
    assert place.read("a/b") is None
    assert place.names("a") == []


@pytest.mark.parametrize("damage", ["another", "shorter", "gone"])
def test_a_damaged_file_is_told_and_nothing_is_written(
    place: Place, finished: Path, tmp_path: Path, damage: str
) -> None:
    made = push(place, finished)
    digest = made.files["recipe.yaml"].sha256
    content = place.read(f"mood/1/{digest}") or b""
    place.remove(f"mood/1/{digest}")
    if damage != "gone":
        place.write(f"mood/1/{digest}", content[:-1] if damage == "shorter" else content[:-1] + b"!")
    what = "missing" if damage == "gone" else "damaged"
    with pytest.raises(DataError, match=rf"recipe.yaml of mood@1 is {what}.*push the run again"):
        versions.pull(place, made, tmp_path / "out")
    assert list(tmp_path.glob("*out*")) + list(tmp_path.glob(".*")) == []


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"name": "mood"}', "other", "outside"])
def test_a_damaged_manifest_is_told(tmp_path: Path, finished: Path, content: bytes | str) -> None:
    place = open_place(tmp_path)
    push(place, finished)
    path = tmp_path / "mood" / "1" / "manifest.json"
    old = path.read_text(encoding="utf-8")
    if isinstance(content, str):
        what = ('"version": 1', '"version": 2') if content == "other" else ('"recipe.yaml"', '"../recipe.yaml"')
        assert what[0] in old
        content = old.replace(*what).encode()
    path.write_bytes(content)
    with pytest.raises((DataError, SettingError), match=r"mood/1/manifest.json is damaged"):
        versions.versions(place, "mood")


def test_those_who_push_at_once_get_numbers_of_their_own(place: Place, finished: Path) -> None:
    with ThreadPoolExecutor(3) as pool:
        numbers = [made.version for made in pool.map(lambda _: push(place, finished), range(3))]
    assert len(set(numbers)) == 3
    assert [one.version for one in versions.versions(place, "mood")] == sorted(numbers)


def test_what_is_no_finished_run_is_refused(place: Place, finished: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="not a run folder"):
        push(place, tmp_path)
    cut = shutil.copytree(finished, tmp_path / "cut")
    shutil.rmtree(cut / "model")
    with pytest.raises(DataError, match="not finished"):
        push(place, cut)
    with pytest.raises(SettingError, match="lower-case"):
        versions.push(place, finished, name="../mood", by="ada")
    assert place.names() == []


def test_a_place_that_is_taken_is_left_alone(tmp_path: Path, finished: Path) -> None:
    place = open_place(tmp_path / "registry")
    made = push(place, finished)
    (tmp_path / "out").mkdir()
    with pytest.raises(SettingError, match="is there already"):
        versions.pull(place, made, tmp_path / "out")


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("s4://bucket/x", "can't be opened.*s4"),
        ("s3://id:secret@bucket/x", r"s3://\.\.\.@bucket: the URL holds a key.*AWS_ACCESS_KEY_ID"),
        ("sftp://ada:secret@host/x", r"sftp://\.\.\.@host: the URL holds a key"),
        pytest.param(
            "s3://bucket/x?endpoint_override=127.0.0.1:9&scheme=http&region=us-east-1",
            "can't be reached",
            marks=pytest.mark.services,  # pyarrow tries again for six seconds
        ),
        ("", "registry is empty"),
    ],
)
def test_what_can_not_be_a_registry(url: str, said: str) -> None:
    with pytest.raises(SettingError, match=said) as error:
        open_place(url)
    assert "secret" not in str(error.value)


@pytest.mark.services
def test_a_bucket_that_is_not_there(s3_url: str) -> None:
    with pytest.raises(SettingError, match=r"there is no bucket 'nobody'"):
        open_place(f"s3://nobody/{s3_url.partition('models')[2]}")


def test_a_folder_that_can_not_be_written(tmp_path: Path, finished: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(SettingError, match=r"registry .*file: can't be reached: .*Not a directory"):
        push(open_place(tmp_path / "file"), finished)
