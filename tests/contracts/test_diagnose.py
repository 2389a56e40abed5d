"""`deepen diagnose` adds to the page and to the model card, and touches nothing else of the run."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from tests.contracts.conftest import Deepen, Finished

ADDED = {"diagnosis.json", "report.html", "model/README.md"}


def state(folder: Path) -> dict[str, tuple[int, bytes]]:
    """Every file of a run with what it is and holds."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): (path.stat().st_ino, path.read_bytes()) for path in files}


def test_the_page_and_the_card_tell_it(finished: Finished, deepen: Deepen, tmp_path: Path) -> None:
    run = tmp_path / "run"
    shutil.copytree(finished.folder, run, copy_function=os.link)  # as rungs share their files
    before, original = state(run), state(finished.folder)
    answer = deepen("diagnose", run, "--questions", "depth")
    assert answer.code == 0, answer.err
    after = state(run)
    assert {name for name in after if before.get(name) != after[name]} == ADDED
    assert state(finished.folder) == original, "files that are linked elsewhere are replaced, not written into"
    card = after["model/README.md"][1].decode()
    assert "## How it gets its score" in card
    assert "What did each rung add, and for whom?" in card
    assert 'id="diagnosis"' in after["report.html"][1].decode()
    assert deepen("predict", run, "--text", "a film").code == 0, "the model folder is still what was saved"


def test_a_card_that_a_person_edited_is_kept(finished: Finished, deepen: Deepen, tmp_path: Path) -> None:
    run = tmp_path / "run"
    shutil.copytree(finished.folder, run)
    card = run / "model" / "README.md"
    card.write_text(card.read_text().replace("# ", "# Ours: ", 1))
    edited = card.read_bytes()
    answer = deepen("diagnose", run, "--questions", "depth")
    assert "was edited, or is of an earlier version, and is kept; without it a new one is written" in answer.err
    assert card.read_bytes() == edited
    card.unlink()
    answer = deepen("diagnose", run, "--questions", "depth")
    assert "and is kept" not in answer.err
    assert "## How it gets its score" in card.read_text()
    assert "and is kept" not in deepen("diagnose", run, "--questions", "depth").err
