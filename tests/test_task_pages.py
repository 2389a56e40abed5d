"""The page of each task: its sample is read as what it is of, and its commands run on it as they are printed."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.contracts.conftest import call

from deepen.preparation.catalog import tasks

ROOT = Path(__file__).resolve().parents[1]
PAGES = sorted((ROOT / "docs" / "tasks").glob("*.md"))
TASKS = {"pairs": "matching", "score": "matching", "span-qa": "span_qa"}


def block(page: Path, language: str) -> str:
    found = re.search(rf"^```{language}\n(.*?)^```", page.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    assert found, f"{page.name} has no {language}"
    return found[1]


def commands(page: Path) -> list[list[str]]:
    return [shlex.split(line)[1:] for line in block(page, "sh").splitlines()]


def test_every_task_has_a_page() -> None:
    shelf = {path.stem for path in (ROOT / "src" / "deepen" / "tasks").glob("[a-z]*.py")}
    assert {TASKS.get(page.stem, page.stem) for page in PAGES} == shelf


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_its_commands_run(
    page: Path,
    tiny_model: Path,
    tiny_writer: Callable[..., Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    model = tiny_model if tasks()[TASKS.get(page.stem, page.stem)].writes is None else tiny_writer("t5")
    train, *others = commands(page)
    form = Path(train[1]).suffix.removeprefix(".")
    rows = block(page, form).splitlines()[form == "csv" :]
    assert len(rows) == 5
    Path(train[1]).write_text(block(page, form), encoding="utf-8")
    # five rows are too few to hold some out
    answer = call(*train, "--validation", train[1], "--model", model, "--rungs", "majority,lexical")
    assert answer.code == 0, answer.err
    assert json.loads(Path(train[-1], "ladder.json").read_text())["task"] == TASKS.get(page.stem, page.stem)
    assert [words[0] for words in others] == ["predict", "predict", "evaluate"]
    for words in others:
        answer = call(*words)
        assert answer.code == 0, f"{shlex.join(words)}: {answer.err}"
    answers = Path(others[1][-1]).read_text(encoding="utf-8").splitlines()
    assert len(answers) == len(rows) + (others[1][-1].endswith(".csv"))
