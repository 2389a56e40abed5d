"""Every script of examples/ runs as it stands."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

SCRIPTS = sorted((Path(__file__).parents[1] / "examples").glob("*.py"))
LAST = {"reviews": "depth ", "entities": "B-PER", "pairs": "chosen: "}


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.stem)
def test_it_runs(script: Path, tiny_model: Path) -> None:
    command = [sys.executable, str(script), "--model", str(tiny_model)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr
    assert LAST[script.stem] in done.stdout
