"""One process at a time in a run folder, and none that has died."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from deepen.core.errors import SettingError
from deepen.core.lock import holding
from deepen.preparation.place import new_run

HOLD = """
import sys, time
from pathlib import Path
from deepen.core.lock import holding
with holding(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(600)
"""


def other(folder: Path) -> subprocess.Popen[str]:
    process = subprocess.Popen([sys.executable, "-c", HOLD, str(folder)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def test_a_second_process_is_refused_until_the_first_is_gone(tmp_path: Path) -> None:
    process = other(tmp_path)
    try:
        with pytest.raises(SettingError, match=f"another process is training in {tmp_path}"), holding(tmp_path):
            pass
    finally:
        process.kill()
        process.wait()
    with holding(tmp_path):
        pass
    assert not list(tmp_path.iterdir()), "no lock file is left"


def test_a_folder_is_locked_when_it_is_made(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    with holding(folder) as hold:
        folder.mkdir()
        hold()
        with pytest.raises(SettingError, match="another process"), holding(folder):
            pass
    with holding(folder):
        pass


def test_a_run_is_replaced_in_the_folder_that_is_locked(tmp_path: Path) -> None:
    (tmp_path / "rungs" / "full").mkdir(parents=True)
    for name in ("recipe.yaml", "rungs/full/training.jsonl"):
        (tmp_path / name).touch()
    (tmp_path / "ladder.json").write_text('{"task": "classification", "rungs": []}')
    with holding(tmp_path):
        new_run(tmp_path, resume=False, overwrite=True)
        assert not list(tmp_path.iterdir())
        with pytest.raises(SettingError, match="another process"), holding(tmp_path):
            pass
