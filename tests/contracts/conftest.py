"""The command as a person calls it, in this process, and one finished run."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

QUICK = ["--set", "rungs.top_layers.num_epochs=1", "--set", "rungs.full.num_epochs=1"]


@dataclass(frozen=True)
class Answer:
    """What a command said and how it ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> dict[str, Any]:
        """The one JSON object on stdout."""
        assert len(self.out.splitlines()) == 1, self.out
        return dict(json.loads(self.out))

    def failed(self, kind: str) -> str:
        """The one line of an error of that kind, with exit code 2 and nothing else said."""
        assert self.code == 2, (self.code, self.out, self.err)
        assert "Traceback" not in self.err
        [line] = [line for line in self.err.splitlines() if line.startswith(f"{kind}: ")]
        assert self.err.rstrip().endswith(line), self.err
        return line.removeprefix(f"{kind}: ")


Deepen = Callable[..., Answer]


def call(*words: object) -> Answer:
    """Runs `deepen` with these words in this process."""
    from deepen.cli.main import main

    out, err, code = io.StringIO(), io.StringIO(), 0
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
        patch.setattr(sys, "argv", ["deepen", *map(str, words)])
        try:
            main()
        except SystemExit as stop:
            code = stop.code if isinstance(stop.code, int) else int(stop.code is not None)
    return Answer(code, out.getvalue(), err.getvalue())


@pytest.fixture
def deepen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Deepen:
    """`deepen("train", "x.csv", ...)` in a fresh working folder."""
    monkeypatch.chdir(tmp_path)
    return call


@pytest.fixture
def tiny(tiny_model: Path) -> tuple[str, str]:
    """Words for a training that need not name a model: the default one may not be on the machine."""
    return "--model", str(tiny_model)


@dataclass(frozen=True)
class Finished:
    """A run that went to the top, and what the command said."""

    folder: Path
    answer: Answer
    data: Path
    model: Path


@pytest.fixture(scope="session")
def finished(two_class_csv: Path, tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Finished:
    """A thorough run with test rows; read it and leave it as it is."""
    folder = tmp_path_factory.mktemp("runs") / "finished"
    test = two_class_csv.parent / "test.csv"
    words = ["--test", test, "--model", tiny_model, "--out", folder, "--thorough", "--json", *QUICK]
    answer = call("train", two_class_csv, *words)
    assert answer.code == 0, answer.err
    return Finished(folder, answer, two_class_csv, tiny_model)
