"""What can't be exported or read is one clear line, and leaves nothing behind."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest
from tests.contracts.conftest import Answer, call
from tests.exporting.conftest import Exported, Run

import deepen
from deepen.core.errors import ModelError
from deepen.core.files import sha256_file
from deepen.exporting import export as verb

pytest.importorskip("onnxscript")
pytest.importorskip("onnxruntime")


@pytest.fixture
def export(run_of: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """`export(*words)` in a fresh folder, for the run of `classification`."""
    monkeypatch.chdir(tmp_path)
    return lambda *words: call("export", run_of("classification"), *words)


def _failed(answer: Answer, kind: str) -> str:
    assert os.listdir() == [], "nothing half-written"
    return answer.failed(kind)


def test_a_rung_without_a_network_names_those_with_one(export: Any, export_of: Exported) -> None:
    line = _failed(export("out", "--rung", "lexical"), "ModelError")
    why = "the rung 'lexical' can't be exported, since it has no network"
    assert line == f"{why}: name another with --rung; choose from: frozen, full"
    assert export_of("classification").is_dir(), "which has the rung full"


def test_a_tagger_has_other_files_and_names_the_same_rungs(run_of: Run, tmp_path: Path) -> None:
    line = call("export", run_of("tagging"), tmp_path / "out", "--rung", "lexical").failed("ModelError")
    assert line.endswith("name another with --rung; choose from: frozen, full")


def test_what_is_asked_is_not_there(export: Any) -> None:
    assert "did you mean 'onnx-int8'?" in _failed(export("out", "--form", "onnx_int8"), "SettingError")
    assert "did you mean 'full'?" in _failed(export("out", "--rung", "ful"), "ModelError")
    assert "is not a run" in _failed(call("export", "nowhere", "out"), "DataError")


def test_an_empty_folder_stays_where_nothing_is_written(export: Any, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    export("empty", "--rung", "lexical").failed("ModelError")
    assert (tmp_path / "empty").is_dir()


def test_a_place_that_is_taken(export: Any, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine.txt").write_text("x")
    assert "out is there already" in export("out", "--rung", "full").failed("SettingError")
    assert os.listdir("out") == ["mine.txt"]


def test_a_model_folder_and_an_export(export: Any, run_of: Run, export_of: Exported, tmp_path: Path) -> None:
    alone = run_of("classification") / "rungs" / "full" / "model"
    assert "so name the run" in _failed(call("export", alone, "out"), "SettingError")
    assert "is an export already" in _failed(call("export", export_of("classification"), "out"), "ModelError")
    answer = call("predict", export_of("classification"), "--text", "a film", "--rung", "full")
    assert "leave --rung out" in answer.failed("ModelError")


def test_learned_words_before_texts(run_of: Run, tmp_path: Path) -> None:
    run = run_of("classification", tuning="soft_prompt")
    with pytest.raises(
        ModelError, match=r"its tuning puts vectors before each text: name another with --rung; .* frozen"
    ):
        deepen.export(run, tmp_path / "out", rung="full")


def test_a_graph_that_says_something_else_is_not_written(
    export: Any, export_of: Exported, monkeypatch: pytest.MonkeyPatch
) -> None:
    import onnx

    model = onnx.load(str(export_of("classification") / "onnx" / "model.onnx"))  # traced already
    for tensor in [one for one in model.graph.initializer if len(one.dims) == 2]:
        tensor.CopyFrom(onnx.numpy_helper.from_array(1.01 * onnx.numpy_helper.to_array(tensor), tensor.name))
    monkeypatch.setattr(verb, "write_graph", lambda network, runtime, path: onnx.save(model, str(path)))
    line = _failed(export("out", "--rung", "full"), "ModelError")
    assert line.startswith("the exported graph does not say what the model says: logits differ by up to ")


def test_a_package_that_is_missing(export: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "onnxscript", None)
    assert "pip install 'deepen[export]'" in _failed(export("out", "--rung", "full"), "SettingError")


@pytest.fixture
def copied(export_of: Exported, tmp_path: Path) -> Path:
    """An export that may be spoilt."""
    return Path(shutil.copytree(export_of("classification"), tmp_path / "copied"))


def _reseal(folder: Path, **runtime: Any) -> None:
    """Makes deepen.json believe in what is there, as a stranger could."""
    about = json.loads((folder / "deepen.json").read_text(encoding="utf-8"))
    about["files"] = {name: sha256_file(folder / name) for name in about["files"]}
    about["runtime"] |= runtime
    (folder / "deepen.json").write_text(json.dumps(about), encoding="utf-8")


def _said(folder: Path) -> str:
    return call("predict", folder, "--text", "a film").failed("ModelError")


def test_a_damaged_file(copied: Path) -> None:
    graph = copied / "onnx" / "model.onnx"
    content = graph.read_bytes()
    graph.write_bytes(content[:-9])
    assert "model.onnx is damaged" in _said(copied)
    for broken in (content[: len(content) // 2], b"", b"\x08\x0a" * 99, content[:200] + b"\xff" * 90 + content[290:]):
        graph.write_bytes(broken)
        _reseal(copied)
        assert "model.onnx: not a graph that can be run" in _said(copied)
    graph.unlink()
    assert "model.onnx is missing" in _said(copied)


def test_a_graph_of_something_else(copied: Path, export_of: Exported) -> None:
    graph = copied / "onnx" / "model.onnx"
    for words, line in (
        ({"width": 3}, "model.onnx gives numbers of the shape [1, 2], not 3 for each"),
        ({"segments": False}, "and deepen.json tells of input_ids, attention_mask"),
        ({"per": "text"}, "model.onnx gives logits, and deepen.json tells of queries, documents"),
        ({"per": "nothing"}, "deepen.json is damaged"),
    ):
        kept = (copied / "deepen.json").read_bytes()
        _reseal(copied, **words)
        assert line in _said(copied)
        (copied / "deepen.json").write_bytes(kept)
    shutil.copyfile(export_of("tagging") / "onnx" / "model.onnx", graph)
    _reseal(copied)
    assert "model.onnx gives numbers of the shape" in _said(copied)


def test_an_export_of_another_program(copied: Path) -> None:
    (copied / "deepen.json").unlink()
    assert "is not what `deepen export` writes: there is no deepen.json beside onnx/model.onnx" in _said(copied)
