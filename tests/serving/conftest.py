"""Real servers on loopback with tiny runs of every task behind them, and a client. Each server is started once."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest
from tests.worlds import WORLDS

import deepen
from deepen.serving.keys import create

collect_ignore_glob = [] if importlib.util.find_spec("uvicorn") else ["test_*.py"]  # without the extra serve
START_SECONDS, CHANGE_SECONDS = 300.0, 120.0
RUNGS = {"classification": ["frozen"]}
QUICK = ["data.validation_at_least=20"]
SERVER = "from deepen.cli.main import main; main()"


@pytest.fixture(scope="session")
def runs(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A run of every task, most of them of the rung `lexical`; read them and leave them as they are."""
    folder = tmp_path_factory.mktemp("served")
    return {
        kind: deepen.train(
            rows(80), task=kind, model=tiny_model, settings=QUICK, out=folder / kind, rungs=RUNGS.get(kind, ["lexical"])
        ).folder
        for kind, rows in WORLDS.items()
    }


def until(what: Callable[[], Any], seconds: float = CHANGE_SECONDS) -> Any:
    """What a function gives, once it is true."""
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        found = what()
        if found:
            return found
        time.sleep(0.1)
    raise AssertionError(f"{what} was not true within {seconds} s")


@dataclass
class Server:
    """`deepen serve` in a process of its own, and all that it prints."""

    words: list[str]
    key: str | None = None
    lines: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-u", "-c", SERVER, "serve", *self.words],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        until(lambda: self._url() or self.process.poll() is not None, START_SECONDS)
        assert self._url(), self.text
        self.url = self._url() or ""

    def _read(self) -> None:
        assert self.process.stdout is not None
        self.lines.extend(self.process.stdout)

    def _url(self) -> str | None:
        found = re.search(r"serving at (\S+),", self.text)
        return found and found[1]

    @property
    def text(self) -> str:
        """All it printed."""
        return "".join(self.lines)

    @property
    def pids(self) -> list[int]:
        """Its model processes."""
        told = subprocess.run(
            ["ps", "-ww", "-o", "pid=,args=", "--ppid", str(self.process.pid)], capture_output=True, text=True
        )
        return [int(line.split()[0]) for line in told.stdout.splitlines() if "spawn_main" in line]

    def client(self, key: str | None = None) -> httpx2.Client:
        """A client that shows a key: this one, or the server's first."""
        shown = key or self.key
        headers = {"Authorization": f"Bearer {shown}"} if shown else {}
        return httpx2.Client(base_url=self.url, headers=headers, timeout=60, verify=False)

    def answers(self, run: str, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """What it answers rows of a run."""
        with self.client() as client:
            answer = client.post(f"/v1/runs/{run}/predict", json={"rows": rows})
        assert answer.status_code == 200, answer.text
        return list(answer.json()["answers"])

    def status(self, path: str = "/health/ready") -> int:
        """The status of a page."""
        with self.client() as client:
            return client.get(path).status_code

    def __enter__(self) -> Server:
        return self

    def __exit__(self, *error: object) -> None:
        """However a test ends, nothing of it stays: without their front, model processes end by themselves."""
        self.process.kill()
        self.process.wait()

    def stop(self) -> int:
        """Sends SIGTERM; the exit code."""
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(60)
        self._reader.join(10)
        return code


@pytest.fixture(scope="session")
def keys_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("keys") / "keys.json"


@pytest.fixture(scope="session")
def server(runs: dict[str, Path], keys_file: Path) -> Iterator[Server]:
    """Two model processes with a run of every task, for those who have a key."""
    made = create(keys_file, scopes=["predict", "metrics"], expires=timedelta(days=1))
    named = [f"{folder}={kind}" for kind, folder in runs.items()]
    limits = ["--set", "stuck_seconds=30", "--set", "body_seconds=3", "--set", "request_seconds=120"]
    limits += ["--set", "export=false"]
    with Server([*named, "--port", "0", "--workers", "2", "--keys", str(keys_file), *limits], made.text) as started:
        yield started
        code = started.stop()
    assert code == 0, started.text
    assert "Traceback" not in started.text


def as_record(prediction: Any) -> dict[str, Any]:
    """What a server says of a prediction."""
    record = deepen.core.types.to_json(prediction)  # type: ignore[attr-defined]
    names = ("output", "probabilities", "entities", "rung", "num_tokens", "truncated", "skipped")
    return json.loads(json.dumps({name: record[name] for name in names if name in record}))
