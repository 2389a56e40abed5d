"""A command that can't do its work: one line on stderr, an exit code, and with --json exactly one object on stdout."""

from __future__ import annotations

import io
import json
import os
import signal
import sys
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

import pytest
from tests.cli.conftest import Start

from deepen import api
from deepen.cli import main as command

ROWS = "text,label\n" + "".join(f"good film {i},a\nbad film {i},b\n" for i in range(30))
LONG, DIGITS = "x" * 300, "9" * 5000
NESTED = "[" * 3000
BOMB = "data: {path: &a0 [x, x]}\n" + "".join(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]\n" for i in range(1, 10))
FILES = {
    "t.csv": ROWS,
    "empty.csv": "",
    "one.csv": "text,label\na,b\n",
    "bad.csv": "text,label\n" + "a,b\nc,d\n,e\n" * 20,
    "list.yaml": "- 1\n",
    "bad.yaml": "a: [1\n",
    "date.yaml": "seed: 2020-13-45\n",
    "deep.yaml": "seed: " + NESTED,
    "bomb.yaml": BOMB,
    "itself.yaml": "data: &a {path: *a}\n",
    "big.yaml": "#" * 300_000,
    "ids.csv": "id\nnone\n",
    "deep.jsonl": '{"id": ' + "[" * 5000 + "\n",
    "names.yaml": BOMB,
    "names.json": "[" * 100_000,
}
TRAIN = "train t.csv --rungs majority"
CALLS: dict[str, str] = {
    "trian t.csv": "unknown command 'trian'; did you mean 'train'",
    f"{LONG} t.csv": "unknown command 'xxx",
    "train": "no data: name a file",
    "train --colums x": "no option '--colums'; did you mean '--columns'",
    "train t.csv --seed one": "it must be a whole number",
    "train t.csv --seed": "requires an argument",
    "train t.csv --out": "requires an argument",
    "train nope.csv": "nope.csv does not exist",
    "train empty.csv": "empty.csv is empty",
    "train one.csv": "one.csv",
    "train bad.csv": "bad.csv",
    f"train {LONG}.csv": "xxx",
    "train .": "line 1",
    "train t.csv --recipe nope.yaml": "recipe nope.yaml does not exist",
    "train t.csv --recipe list.yaml": "list.yaml: it must have sections",
    "train t.csv --recipe bad.yaml": "bad.yaml is not YAML: line 2",
    "train t.csv --recipe date.yaml": "date.yaml is not YAML: month",
    "train t.csv --recipe deep.yaml": "deep.yaml is not YAML: line 1: it is nested more than",
    "train t.csv --recipe bomb.yaml": "bomb.yaml is not YAML: it holds more than 100,000 values",
    "train t.csv --recipe itself.yaml": "itself.yaml is not YAML: it holds more than",
    "train t.csv --recipe big.yaml": "big.yaml has 300,000 bytes",
    "train t.csv --recipe pipe": "pipe is a named pipe, not a file",
    "train t.csv --recipe /dev/zero": "/dev/zero is a device, not a file",
    "train t.csv --recipe .": "recipe . is a folder, not a file",
    f"train t.csv --recipe {LONG}": "File name too long",
    "train t.csv --set seed": "dotted.key=value",
    "train t.csv --set seed=2020-13-45": "'seed' is '2020-13-45': it must be a whole number",
    "train t.csv --set seed=0b_": "it must be a whole number",
    "train t.csv --set seed=!!int": "it must be a whole number",
    "train t.csv --set x=1": "unknown key 'x'",
    f"train t.csv --set seed={NESTED}": "it must be a whole number",
    f"train t.csv --set data.max_labels={DIGITS}": "'data.max_labels' is '999",
    f"train t.csv --set {LONG}.y=1": "unknown key 'xxx",
    f"train t.csv --columns text={DIGITS}": "no column '999",
    "train t.csv --columns text": "write it as text=",
    "train t.csv --columns text=nope": "no column 'nope'",
    "train t.csv --task classificaton": "did you mean 'classification'",
    "train t.csv --rungs frozn": "did you mean 'frozen'",
    "train t.csv --budget 5parsecs": "write a number and s, m, h or d",
    f"train t.csv --model {LONG}": "File name too long",
    "train t.csv --model ./nope": "./nope: no such folder",
    "train t.csv --model .": "no config.json",
    f"train t.csv --out {LONG}": "File name too long",
    "train t.csv --out t.csv": "t.csv",
    "train t.csv --resume": "--resume needs --out",
    "train t.csv --resume --overwrite --out x": "exclude each other",
    f"{TRAIN} --labels pipe": "pipe is a named pipe",
    f"{TRAIN} --labels nope": "nope does not exist",
    f"{TRAIN} --labels names.yaml": "names.yaml: neither names one a line nor readable JSON or YAML",
    f"{TRAIN} --labels names.json": "names.json: neither names",
    f"{TRAIN} --validation pipe": "pipe is a named pipe",
    f"{TRAIN} --test nope.csv": "nope.csv does not exist",
    "evaluate RUN nope.csv": "nope.csv does not exist",
    "evaluate nope t.csv": "nope is not a run",
    "evaluate RUN t.csv --rung none": "no rung 'none'",
    "evaluate RUN": "missing argument 'DATA'",
    "predict nope --text x": "nope is not a run",
    f"predict {LONG} --text x": "File name too long",
    "predict RUN": "give either a file of rows (- is standard input), --text or --input",
    "predict RUN pipe": "pipe is a named pipe",
    "predict RUN --text x --out x.txt": "must end in .jsonl or .csv",
    "predict RUN --text x --set data.bad_rows=1": "data.bad_rows",
    "predict RUN --text x --weights a": "--weights goes with --compose",
    "predict RUN --text x --compose sum": "two runs or more",
    "predict RUN+RUN --text x": "a chain is a tagger and a relation model",
    "check nope.csv": "nope.csv does not exist",
    "check t.csv --model ./nope": "./nope: no such folder",
    "diagnose nope": "nope is not a run",
    "diagnose RUN --questions x": "x",
    "report RUN": "no option '--json'",
    "schema": "no option '--json'",
    "bench --mean-tokens 1": "at least 2",
    "bench --model ./nope": "./nope: no such folder",
    "models one two": "deepen models takes one model, and there are 2 words",
}


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory, tiny_model: Path) -> Path:
    folder = tmp_path_factory.mktemp("failing")
    for name, content in FILES.items():
        (folder / name).write_text(content)
    os.mkfifo(folder / "pipe")
    api.train(folder / "t.csv", model=str(tiny_model), rungs=["majority"], out=folder / "RUN")
    return folder


def call(*words: str, err: io.StringIO | None = None) -> tuple[int, str, str]:
    """Runs the command in this process; what it says goes into `err`."""
    out, err, code = io.StringIO(), err or io.StringIO(), 0
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
        patch.setattr(sys, "argv", ["deepen", *words])
        try:
            command.main()
        except SystemExit as stop:
            code = int(stop.code or 0)
    return code, out.getvalue(), err.getvalue()


@pytest.mark.parametrize("words", CALLS, ids=lambda words: words[:60])
def test_one_object(here: Path, monkeypatch: pytest.MonkeyPatch, tiny_model: Path, words: str) -> None:
    monkeypatch.chdir(here)
    names_one = "--model" in words or not words.startswith(("train t.csv", "train one.csv", "train bad.csv"))
    model = [] if names_one else ["--model", str(tiny_model)]
    code, out, err = call(*words.split(), *model, "--json")
    assert code == 2, (out, err)
    error = json.loads(out)["error"]
    assert set(error) == {"kind", "message", "file", "line", "column"}
    assert CALLS[words] in error["message"]
    assert err.splitlines()[-1] == f"{error['kind']}: {error['message']}"
    assert "Traceback" not in err
    assert len(error["message"]) < 2000
    assert not [word for word in err.splitlines() if word.startswith("bug")]


PLACES = {
    "check nope.csv": ("nope.csv", None),
    "train t.csv --recipe bad.yaml": ("bad.yaml", 2),
    "train one.csv": ("one.csv", None),
    "train nope.csv": ("nope.csv", None),
    "predict nope --text x": ("nope", None),
    "train t.csv --seed one": (None, None),
    "evaluate RUN lines.csv --set data.bad_rows=error": ("lines.csv", 3),
}


@pytest.mark.parametrize("words", PLACES)
def test_the_place_is_told_where_it_is_known(
    here: Path, monkeypatch: pytest.MonkeyPatch, tiny_model: Path, words: str
) -> None:
    monkeypatch.chdir(here)
    Path("lines.csv").write_text("text,label\ngood film,a\n,b\n,c\n")
    model = ["--model", str(tiny_model)] if words == "train one.csv" else []
    _, out, _ = call(*words.split(), *model, "--json")
    error = json.loads(out)["error"]
    assert (error["file"], error["line"]) == PLACES[words]


def test_a_bug_is_one_line_and_no_fault_of_the_person(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*words: Any) -> int:
        raise KeyError("x")

    monkeypatch.setattr(command, "_run", broken)
    code, out, err = call("models", "--json")
    assert code == 1
    assert json.loads(out)["error"]["kind"] == "Bug"
    assert err.startswith("bug: KeyError: 'x' at ")
    assert err.count("\n") == 1
    monkeypatch.setenv("DEEPEN_DEBUG", "1")
    assert "Traceback" in call("models")[2]


@pytest.mark.parametrize(
    ("error", "code", "kind"),
    [
        (KeyboardInterrupt(), 130, "Interrupted"),
        (MemoryError(), 2, "SettingError"),
        (PermissionError(13, "Permission denied", "/x"), 2, "SettingError"),
        (OSError(28, "No space left on device", "/x"), 2, "SettingError"),
        (FileNotFoundError(2, "No such file or directory", "/x"), 1, "Bug"),
        (RecursionError("too deep"), 1, "Bug"),
        (BaseException("a panic of another language"), 1, "Bug"),
        (SystemExit(3), 3, "Exit"),
    ],
)
def test_every_ending_is_an_object(monkeypatch: pytest.MonkeyPatch, error: BaseException, code: int, kind: str) -> None:
    def broken(*words: Any) -> int:
        raise error

    monkeypatch.setattr(command, "_run", broken)
    ended, out, err = call("models", "--json")
    assert (ended, json.loads(out)["error"]["kind"]) == (code, kind)
    assert "Traceback" not in err


def test_what_libraries_print_is_kept_from_the_object(start: Start) -> None:
    """Also what they print in C, past Python."""
    code = (
        "import os; from deepen.cli import main\n"
        "real = main._run\n"
        "def loud(words): print('noise'); os.write(1, b'more noise'); return real(words)\n"
        "main._run = loud; main.main()"
    )
    for words, good in ((["models"], True), (["modls"], False)):
        out, err = start(*words, "--json", code=code).communicate(timeout=300)
        assert ("models" in json.loads(out)) == good
        assert "noisemore noise" in err.replace("\n", "")


def test_an_interrupt_is_an_object(two_class_csv: Path, tiny_model: Path, tmp_path: Path) -> None:
    """A real signal, sent as soon as the longest rung is announced; test_streams sends one to a process."""

    class Announced(io.StringIO):
        def write(self, text: str) -> int:
            if "full: forecast" in text:
                signal.raise_signal(signal.SIGINT)
            return super().write(text)

    words = ["--model", str(tiny_model), "--rungs", "majority,full", "--out", str(tmp_path / "run"), "--json"]
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        code, out, _ = call("train", str(two_class_csv), *words, "--set", "rungs.full.num_epochs=5000", err=Announced())
    finally:
        signal.signal(signal.SIGINT, before)
    assert code == 130
    assert json.loads(out)["error"]["kind"] == "Interrupted"


def test_nobody_reads_the_object(start: Start) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    process = start("modls", "--json", stdout=writer)
    os.close(writer)
    _, err = process.communicate(timeout=300)
    [line] = err.splitlines()
    assert (process.returncode, line[:40]) == (2, "SettingError: unknown command 'modls'; d")


def test_an_escape_in_a_name_is_not_obeyed() -> None:
    code, _, err = call("check", "no\x1b[31m\u202e.csv")
    assert code == 2
    assert err.splitlines()[-1] == r"DataError: no\x1b[31m\u202e.csv does not exist"
