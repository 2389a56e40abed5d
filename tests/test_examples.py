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


@pytest.mark.services
def test_the_notebooks_run(tiny_model: Path, tmp_path: Path) -> None:
    """In a real kernel; what Deepen says on the way and what it shows are there.

    The kernel is one, which has imported what takes most of the time, and forgets all names after each notebook.
    """
    nbformat, nbclient = pytest.importorskip("nbformat"), pytest.importorskip("nbclient")
    books = {}
    for name in BOOKS:
        books[name] = nbformat.read(Path(__file__).parents[1] / "examples" / f"{name}.ipynb", as_version=4)
        [setup] = [cell for cell in books[name].cells if "MODEL = None" in cell.source]
        setup.source = setup.source.replace("MODEL = None", f"MODEL = {str(tiny_model)!r}")
        books[name].cells.append(nbformat.v4.new_code_cell("%reset -f"))
    whole = nbformat.v4.new_notebook(cells=[cell for book in books.values() for cell in book.cells])
    for number, cell in enumerate(whole.cells):
        cell.id = f"cell-{number}"
    nbclient.NotebookClient(whole, timeout=300, resources={"metadata": {"path": str(tmp_path)}}).execute()
    for name, book in books.items():
        outputs = [output for cell in book.cells if cell.cell_type == "code" for output in cell.outputs]
        said = "".join(output.text for output in outputs if output.output_type == "stream")
        assert "train " in said, name
        assert "validation" in said, name
        shown = "".join(output.data.get("text/html", "") for output in outputs if "data" in output)
        for word in BOOKS[name]:
            assert word in shown, word
