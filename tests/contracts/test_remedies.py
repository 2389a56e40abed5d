"""What a message tells a person to do works when it is done: each remedy of the source is printed here and followed."""

from __future__ import annotations

import re
import shlex
import tomllib
from pathlib import Path
from typing import Any

import pytest
from tests.contracts.conftest import Deepen
from tests.contracts.remedies import SOURCE, remedies
from tests.contracts.remedy_cases import CHECKS, ELSEWHERE, Case, Files

from deepen.models.find import DEFAULT_MODEL, packaged

_EXTRA = re.compile(r"pip install '?deepen\[(\w+)\]")


@pytest.mark.parametrize("case", CHECKS, ids=lambda case: case.told[0][:50])
def test_a_remedy_works_when_it_is_followed(case: Case, deepen: Deepen, tmp_path: Path, tiny_model: Path) -> None:
    def run(words: str) -> Any:
        return deepen(*[tiny_model if word == "MODEL" else word for word in shlex.split(words)])

    if "--model" in case.printed and packaged(DEFAULT_MODEL) is None:
        pytest.skip("the default model is not on this machine")
    _write(tmp_path, case.files)
    for words in case.before:
        assert run(words).code == 0, words
    answer = run(case.words)
    said = " ".join((answer.out + answer.err).split())
    found = re.search(case.printed, said)
    assert found, said
    _write(tmp_path, case.more)
    for words in case.then:
        after = run(words.replace("REMEDY", found.groupdict().get("remedy") or ""))
        assert after.code in case.ok, (words, after.out, after.err)


def _write(folder: Path, files: Files) -> None:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())


def test_every_remedy_is_followed_here_or_named_with_its_test() -> None:
    followed = [piece for case in CHECKS for piece in case.told]
    named = [piece for pieces in ELSEWHERE.values() for piece in pieces]
    found = remedies()
    assert len(found) > 100
    left = [
        f"{file}: {text[:150]}"
        for file, text in found
        if not _EXTRA.search(text) and not any(piece in text for piece in (*followed, *named))
    ]
    assert not left, "\n".join(left)
    stale = [piece for piece in (*followed, *named) if not any(piece in text for _, text in found)]
    assert not stale, stale
    tests = Path(__file__).resolve().parents[1]
    assert [file for file in ELSEWHERE if not (tests / file).is_file()] == []


def test_packages_that_a_message_names_are_extras() -> None:
    extras = tomllib.loads((SOURCE.parents[1] / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    named = {match[1] for _, text in remedies() if (match := _EXTRA.search(text))}
    assert named
    assert named <= extras["optional-dependencies"].keys()


def test_a_new_remedy_would_be_seen(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text('def f(x):\n    """Not --this one."""\n    raise E(f"{x}: --set new.key=1 helps")\n')
    monkeypatch.setattr("tests.contracts.remedies.SOURCE", tmp_path)
    assert remedies() == (("a.py", "{}: --set new.key=1 helps"),)
