"""How the command ends when it is interrupted, when nobody reads it, and when stdout can't take what it says."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from tests.cli.conftest import Start

from deepen import api

TEXT = "评论 – a lovely film"
IN_TURN = """
import json, os, sys
from deepen.cli.main import main

for words in json.loads(sys.argv[1]):
    sys.argv = ["deepen", *words]
    try:
        main()
    except SystemExit as stop:
        sys.stdout.flush()
        os.write(1, b"-----\\n")
        os.write(2, f"ended with {stop.code}\\n".encode())
"""


@pytest.fixture(scope="module")
def run(two_class_csv: Path, tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("streams") / "run"
    api.train(two_class_csv, model=str(tiny_model), rungs=["majority"], out=folder)
    return folder


def test_ctrl_c(start: Start, two_class_csv: Path, tiny_model: Path, tmp_path: Path) -> None:
    words = ["--model", tiny_model, "--rungs", "majority,full", "--out", tmp_path / "run"]
    process = start("train", two_class_csv, *words, "--set", "rungs.full.num_epochs=5000")
    assert process.stdout is not None
    assert any("full: forecast" in line for line in process.stdout)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=300)
    assert process.returncode == 130, (out, err)
    [line] = err.splitlines()
    assert line == f"interrupted; `deepen train --out {tmp_path / 'run'} --resume` goes on from here"


@pytest.mark.parametrize("words", [["models"], ["--help"]], ids=" ".join)
def test_a_pipe_that_nobody_reads(start: Start, words: list[str]) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    process = start(*words, stdout=writer)
    os.close(writer)
    _, err = process.communicate(timeout=300)
    assert (process.returncode, err) == (0, "")


@pytest.mark.parametrize("verb", ["predict", "evaluate"])
def test_a_pipe_that_is_closed_early(start: Start, run: Path, two_class_csv: Path, verb: str) -> None:
    head = subprocess.Popen(["head", "-1"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    process = start(verb, run, two_class_csv, stdout=head.stdin)
    assert head.stdin is not None
    assert head.stdout is not None
    head.stdin.close()
    _, err = process.communicate(timeout=300)
    assert process.returncode == 0, err
    assert not [line for line in err.splitlines() if "Error" in line or line.startswith(("Traceback", "bug"))]
    assert head.stdout.read().count("\n") == 1
    head.wait(timeout=300)


def test_a_climb_goes_on_though_nobody_listens(
    start: Start, two_class_csv: Path, tiny_model: Path, tmp_path: Path
) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    folder = tmp_path / "run"
    process = start(
        *("train", two_class_csv, "--model", tiny_model, "--rungs", "majority", "--out", folder), stdout=writer
    )
    os.close(writer)
    _, err = process.communicate(timeout=300)
    assert (process.returncode, err) == (0, "")
    assert json.loads((folder / "ladder.json").read_text())["complete"]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
@pytest.mark.parametrize("words", [["schema"], ["--help"]], ids=" ".join)
def test_a_full_disk_behind_stdout(start: Start, words: list[str]) -> None:
    with open("/dev/full", "w", encoding="utf-8") as full:
        process = start(*words, stdout=full)
        _, err = process.communicate(timeout=300)
    assert (process.returncode, err) == (2, "SettingError: can't write stdout: the disk is full\n")


@pytest.mark.parametrize(
    "env",
    [
        {"PYTHONIOENCODING": "ascii"},
        {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"},
    ],
    ids=lambda env: " ".join(f"{key}={value}" for key, value in env.items()),
)
def test_letters_that_stdout_lacks(
    start: Start, run: Path, two_class_csv: Path, env: dict[str, str], tmp_path: Path
) -> None:
    """Of three commands in one process, since each would import the same for seconds."""
    data = tmp_path / "new.csv"
    data.write_text(f"text\n{TEXT}\n", encoding="utf-8")
    calls = [["predict", run, data], ["predict", run, data, "--json"], ["evaluate", run, two_class_csv]]
    words = json.dumps([[*map(str, call)] for call in calls])
    out, err = start(words, code=IN_TURN, env=env, text=False).communicate(timeout=300)
    assert err.decode("latin-1").count("ended with 0") == len(calls), err
    assert b"Traceback" not in err
    plain, record, table = out.split(b"-----\n")[:3]
    assert "a lovely film" in plain.decode("latin-1")
    assert json.loads(record.decode("utf-8"))["predictions"][0]["inputs"]["text"] == TEXT
    assert "accuracy" in table.decode("latin-1")


def test_streams_that_are_closed(start: Start, run: Path) -> None:
    command = f'"{sys.executable}" -c "from deepen.cli.main import main; main()" predict "$0" --text x >&- 2>&-'
    assert subprocess.run(["sh", "-c", command, str(run)], check=False, timeout=300).returncode == 0
