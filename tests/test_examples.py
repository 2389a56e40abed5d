"""Every script of examples/ runs as it stands."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

import pytest

SCRIPTS = sorted((Path(__file__).parents[1] / "examples").glob("*.py"))
LAST = {"reviews": "depth ", "entities": "B-PER", "pairs": "chosen: "}


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.stem)
def test_it_runs(
    script: Path, tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """With a namespace of its own, in this process, which has imported what takes most of the time."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", [str(script), "--model", str(tiny_model)])
    runpy.run_path(str(script), run_name="__main__")
    assert LAST[script.stem] in capsys.readouterr().out
    assert not list(tmp_path.iterdir()), "an example leaves nothing behind"


BOOKS = {
    "first_hour": ("lexical *", "frozen", "p_good", "most similar training rows", "kettle"),
    "scores": ("lexical", "spare part", "recall", "f1", "loss"),
}


@pytest.mark.parametrize("name", BOOKS)
def test_a_notebook_runs(name: str, tiny_model: Path, tmp_path: Path) -> None:
    """In a real kernel; what Deepen says on the way and what it shows are there."""
    nbformat, nbclient = pytest.importorskip("nbformat"), pytest.importorskip("nbclient")
    book = nbformat.read(Path(__file__).parents[1] / "examples" / f"{name}.ipynb", as_version=4)
    [setup] = [cell for cell in book.cells if "MODEL = None" in cell.source]
    setup.source = setup.source.replace("MODEL = None", f"MODEL = {str(tiny_model)!r}")
    nbclient.NotebookClient(book, timeout=300, resources={"metadata": {"path": str(tmp_path)}}).execute()
    outputs = [output for cell in book.cells if cell.cell_type == "code" for output in cell.outputs]
    said = "".join(output.text for output in outputs if output.output_type == "stream")
    assert "train " in said
    assert "validation" in said
    shown = "".join(output.data.get("text/html", "") for output in outputs if "data" in output)
    for word in BOOKS[name]:
        assert word in shown, word
