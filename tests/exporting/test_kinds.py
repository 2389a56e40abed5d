"""An export of every kind says what the rung says, in Deepen and without it."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from ast import literal_eval
from pathlib import Path
from typing import Any

import pytest
from tests.exporting.conftest import KINDS, Exported, Run
from tests.worlds import some

import deepen

pytest.importorskip("onnxscript")
pytest.importorskip("onnxruntime")
_HEAVY = "deepen, torch, transformers, sentence_transformers".split(", ")


@pytest.mark.parametrize("kind", some(KINDS, "classification", "ranking", "score", "tagging"))
def test_an_export_says_the_same(kind: str, run_of: Run, export_of: Exported, tmp_path: Path) -> None:
    _in_deepen(kind, run_of, export_of)
    _without_deepen(kind, export_of(kind), tmp_path)


def _in_deepen(kind: str, run_of: Run, export_of: Exported) -> None:
    """Rows that it was not compared on, of other numbers and lengths, one by one and together."""
    rows = KINDS[kind][1](190)[160:]
    trained, exported = deepen.load(run_of(kind), rung="full"), deepen.load(export_of(kind))
    said, again = trained.predict(rows), exported.predict(rows)
    assert _near([one.output for one in again], [one.output for one in said])
    assert [one.num_tokens for one in again] == [one.num_tokens for one in said]
    one = [exported.predict([row])[0] for row in rows[:2]]
    if kind != "ranking":  # there the other rows are what a query is ranked against
        assert _near([found.output for found in one], [found.output for found in said[:2]])
    for first, second in zip(said, again, strict=True):
        assert second.probabilities == pytest.approx(first.probabilities, abs=1e-4)
    scores = [[(score.name, score.label, score.value) for score in m.evaluate(rows)] for m in (trained, exported)]
    for (name, label, value), (_, _, other) in zip(*scores, strict=True):
        assert other == pytest.approx(value, abs=1e-4), (name, label)


def _alone(folder: Path, tmp_path: Path, lines: str) -> str:
    """What the README's program prints with other rows, in a process that has only what it imports."""
    page = (folder / "README.md").read_text(encoding="utf-8")
    [program] = re.findall(r"^```python\n(.*?)^```", page, re.DOTALL | re.MULTILINE)
    assert len([line for line in program.splitlines() if line]) <= 17, program
    program, found = re.subn(
        r"^(texts|rows|words|question, context) = .*$", lambda _: lines, program, flags=re.MULTILINE
    )
    assert found == 1
    program = program.replace("FOLDER", str(folder))
    script = tmp_path / "program.py"
    watch = f"import sys\nassert not {{*{_HEAVY!r}}} & set(sys.modules), sorted(sys.modules)\n"
    script.write_text(program + watch, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-I", str(script)], capture_output=True, text=True, check=False, cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def _near(one: list[Any], other: list[Any]) -> bool:
    """Scores to four digits, all else exactly."""
    return one == (pytest.approx(other, abs=1e-4) if isinstance(other[0], float) else other)


def _without_deepen(kind: str, folder: Path, tmp_path: Path) -> None:
    """The README's program, with other rows in it."""
    rows = KINDS[kind][1](166)[160:]
    said = deepen.load(folder).predict(rows)
    if kind == "tagging":
        found = literal_eval(_alone(folder, tmp_path, f"words = {rows[0]['tokens']!r}"))
        assert found == said[0].output  # the most probable tags make sense by themselves here
    elif kind == "span_qa":
        for row, one in list(zip(rows, said, strict=True))[:2]:
            text = _alone(folder, tmp_path, f"question, context = {row['question']!r}, {row['context']!r}")
            assert text == one.output
    elif kind == "ranking":
        texts = [rows[0]["query"], *(row["answer"] for row in rows)]
        [logits] = literal_eval(_alone(folder, tmp_path, f"texts = {texts!r}"))
        assert rows[logits.index(max(logits))]["answer"] == said[0].output
    elif kind == "matching":
        pairs = [(row["sentence1"], row["sentence2"]) for row in rows]
        assert literal_eval(_alone(folder, tmp_path, f"rows = {pairs!r}")) == [one.output for one in said]
    else:
        texts = [row["text"] for row in rows]
        if kind == "relation":
            texts = [re.sub(r"<e1>(.*)</e1>(.*)<e2>(.*)</e2>", r"@ \1 @\2# \3 #", text) for text in texts]
        found = literal_eval(_alone(folder, tmp_path, f"texts = {texts!r}"))
        assert _near(found, [one.output for one in said])


def test_what_is_in_the_folder(export_of: Exported, run_of: Run) -> None:
    folder = export_of("classification")
    names = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert {"onnx/model.onnx", "tokenizer.json", "config.json", "labels.json", "deepen.json", "README.md"} <= names
    assert not any(name.endswith((".data", ".safetensors", "floats.onnx")) for name in names)
    about = json.loads((folder / "deepen.json").read_text(encoding="utf-8"))
    assert about["parity"]["largest_gap"] < 1e-4
    assert about["parity"]["flipped"] == 0
    graph = (folder / "onnx" / "model.onnx").read_bytes()
    for told in (b"site-packages", b"exporting/graph.py", str(run_of("classification")).encode()):
        assert told not in graph, "a file that is shipped tells nothing of the machine that it was made on"
