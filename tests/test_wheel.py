"""The wheel is the whole program: it works without the checkout that it was built from."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from tests.contracts import golden
from tests.worlds import WORLDS

ROOT = Path(__file__).parents[1]


@pytest.mark.services
def test_a_wheel_trains_and_answers(tmp_path: Path, tiny_model: Path) -> None:
    source, site = tmp_path / "source", tmp_path / "site"
    source.mkdir()
    for name in ("src", "pyproject.toml", "README.md", "LICENSE"):
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, source / name)
    build = [sys.executable, "-m", "pip", "--disable-pip-version-check", "-q", "wheel", "--no-deps"]
    subprocess.run([*build, "--no-build-isolation", "-w", str(tmp_path), str(source)], check=True, timeout=300)
    [wheel] = tmp_path.glob("deepen-*.whl")
    with zipfile.ZipFile(wheel) as packed:
        packed.extractall(site)
        names = packed.namelist()
    assert {"deepen/py.typed", "deepen/reporting/page.html.jinja", "deepen/prompting/prompts.yaml"} <= set(names)
    assert not [name for name in names if name.startswith("tests")]
    rows = [json.dumps(row) for row in WORLDS["classification"](80)]
    (tmp_path / "rows.jsonl").write_text("\n".join(rows), encoding="utf-8")
    environment = dict(os.environ) | {"PYTHONPATH": str(site)}

    def deepen(*words: str) -> str:
        command = [sys.executable, "-m", "deepen", *words]
        done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stderr
        return done.stdout

    where = [sys.executable, "-c", "import deepen; print(deepen.__file__)"]
    found = subprocess.run(where, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True)
    assert found.stdout.startswith(str(site))
    quick = ["--rungs", "majority,frozen,full", "--set", "rungs.full.num_epochs=1", "--json"]
    said = deepen("train", "rows.jsonl", "--model", str(tiny_model), *quick, "--out", "run")
    assert len(said.splitlines()) == 1, "one object, whatever libraries print"
    assert set(json.loads(said)) == golden.TRAIN
    assert (tmp_path / "run" / "report.html").is_file()
    assert "a film" in deepen("predict", "run", "--text", "a film", "--rung", "majority")
