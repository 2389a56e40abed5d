"""An export that lies in the run is what answers, if it is of the run's model, and faster."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

import deepen
from deepen.core.errors import ModelError
from deepen.core.files import read_object, write_json
from deepen.serving.answering import open_served
from deepen.serving.known import known_rows


def test_an_export_in_the_run_answers(runs: dict[str, Path], tmp_path: Path) -> None:
    run = Path(shutil.copytree(runs["classification"], tmp_path / "run"))
    deepen.export(run, run / "export")
    about = read_object(run / "export" / "deepen.json")
    rows = [{"text": "the film was good today"}, {"text": "a broken phone"}]
    [*wanted] = deepen.load(run).predict(rows, columns={"text": "text"})
    for speedup, form in ((2.0, "onnx"), (0.5, "deepen")):
        about["parity"]["speedup"] = speedup
        write_json(run / "export" / "deepen.json", about)
        served = open_served(run)
        assert served.about()["form"] == form
        assert known_rows(run, served).stored
        for line, prediction in zip(served.answers(rows), wanted, strict=True):
            assert json.loads(line)["probabilities"] == pytest.approx(prediction.probabilities, abs=1e-4)

    about["labels"] = about["labels"][::-1]
    write_json(run / "export" / "deepen.json", about)
    with pytest.raises(ModelError, match="make it anew") as caught:
        open_served(run)
    assert f"`deepen export {run} {run / 'export'}`" in str(caught.value)
    shutil.rmtree(run / "export")
    deepen.export(run, run / "export")
    assert read_object(run / "export" / "deepen.json")["labels"] == read_object(run / "model" / "deepen.json")["labels"]
