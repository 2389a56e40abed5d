"""The command in a process of its own, with streams as a shell would give it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

Start = Callable[..., subprocess.Popen[Any]]


@pytest.fixture
def start() -> Start:
    """`start("train", "x.csv", stdout=...)`: the command, started; `env` is laid over this process's."""
    usual = "from deepen.cli.main import main; main()"

    def begin(
        *words: object, env: dict[str, str] | None = None, code: str = usual, text: bool = True, **streams: Any
    ) -> subprocess.Popen[Any]:
        return subprocess.Popen(
            [sys.executable, "-c", code, *map(str, words)],
            stdin=subprocess.DEVNULL,
            text=text,
            env={**os.environ, **(env or {})},
            # a shell without a terminal starts its background jobs deaf to Ctrl-C
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
            **({"stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | streams),
        )

    return begin
