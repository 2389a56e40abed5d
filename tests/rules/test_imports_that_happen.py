"""What a command loads before it has work to do: `--help`, a usage error and `import deepen` need no torch.

Each is run as a person runs it, in a process of its own, and that process says which modules it ended with.
"""

from __future__ import annotations

import json
import os
import re
import resource
import statistics
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

HEAVY = frozenset("accelerate datasets matplotlib pandas peft scipy sklearn torch transformers".split())
CLI = Path(__file__).resolve().parents[2] / "src" / "deepen" / "cli"
VERBS = tuple(sorted(path.stem for path in CLI.glob("*.py") if re.search(r"^NAME = ", path.read_text(), re.MULTILINE)))
PROMISED_SECONDS = 0.5
LIMIT_SECONDS = 1.0  # twice the promise: a busy machine is not a broken promise, an import of torch (2.5 s) is one

COMMAND = "from deepen.cli.main import main; raise SystemExit(main())"
PROBE = """
import atexit, json, os, sys
def tell():
    with open(os.environ["MODULES_TO"], "w") as out:
        json.dump(sorted(sys.modules), out)
atexit.register(tell)
"""


@dataclass(frozen=True)
class Answer:
    exit_code: int
    text: str
    heavy: set[str]
    cpu_seconds: float


def run(code: str, *words: str, scratch: Path, first_on_path: Path | None = None) -> Answer:
    """Runs Python code with command-line words in a fresh process."""
    told = scratch / "modules.json"
    told.unlink(missing_ok=True)
    environment = {**os.environ, "MODULES_TO": str(told), "COLUMNS": "200", "TERM": "dumb"}
    if first_on_path:
        environment["PYTHONPATH"] = str(first_on_path)
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    command = [sys.executable, "-c", PROBE + code, *words]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, env=environment, stdin=subprocess.DEVNULL
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    modules = {name.partition(".")[0] for name in json.loads(told.read_text(encoding="utf-8"))}
    return Answer(done.returncode, done.stdout + done.stderr, modules & HEAVY, seconds)


def verbs(help_text: str) -> set[str]:
    """The commands that a help page lists."""
    return {verb for verb in VERBS if re.search(rf"^\W*{verb}\s", help_text, re.MULTILINE)}


def test_the_front_door_is_light(tmp_path: Path) -> None:
    answer = run("import deepen", scratch=tmp_path)
    assert answer.exit_code == 0, answer.text
    assert not answer.heavy


def test_there_are_verbs() -> None:
    assert {"train", "evaluate", "predict", "report", "models", "schema"} <= set(VERBS)


@pytest.mark.parametrize("verb", ["", *VERBS])
def test_help_is_light(verb: str, tmp_path: Path) -> None:
    answer = run(COMMAND, *filter(None, [verb, "--help"]), scratch=tmp_path)
    assert answer.exit_code == 0, answer.text
    assert not answer.heavy
    if not verb:
        assert verbs(answer.text) == set(VERBS), answer.text


@pytest.mark.parametrize("words", [("train", "--no-such-option"), ("trian",), ("predict",)], ids=" ".join)
def test_a_usage_error_is_light(words: tuple[str, ...], tmp_path: Path) -> None:
    answer = run(COMMAND, *words, scratch=tmp_path)
    assert answer.exit_code == 2, answer.text
    assert "Traceback" not in answer.text
    assert not answer.heavy


@pytest.mark.parametrize("words", [("--help",), ("train", "--no-such-option")], ids=" ".join)
def test_the_answer_comes_at_once(words: tuple[str, ...], tmp_path: Path) -> None:
    seconds = [run(COMMAND, *words, scratch=tmp_path).cpu_seconds for _ in range(4)][1:]
    median = statistics.median(seconds)
    print(f"deepen {' '.join(words)}: {median:.2f} s of CPU time, promised {PROMISED_SECONDS} s")
    assert median < LIMIT_SECONDS


def test_a_heavy_import_would_be_seen(tmp_path: Path) -> None:
    for name, text in {
        "torch/__init__.py": "",
        "deepen/__init__.py": "",
        "deepen/cli/__init__.py": "",
        "deepen/cli/main.py": "def main():\n    import torch\n    print('│ train   Climb. │')\n    return 0\n",
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    answer = run(COMMAND, "--help", scratch=tmp_path, first_on_path=tmp_path)
    assert answer.exit_code == 0, answer.text
    assert answer.heavy == {"torch"}
    assert verbs(answer.text) == {"train"}
    assert not run("import deepen", scratch=tmp_path, first_on_path=tmp_path).heavy


def test_time_spent_would_be_seen(tmp_path: Path) -> None:
    slow = "import time\nwhile time.process_time() < 1.2: pass"
    assert run(slow, scratch=tmp_path).cpu_seconds > LIMIT_SECONDS
