"""What is called INT8 runs in integers, and says nearly the same."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.contracts.conftest import call
from tests.exporting.conftest import Exported, Run

import deepen
from deepen.core.errors import ModelError
from deepen.core.files import sha256_file
from deepen.exporting import export as verb
from deepen.exporting import integers
from deepen.exporting.parity import Parity, Step, _flipped
from deepen.models.runtimes import processor

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")


def test_the_record(run_of: Run, tmp_path: Path) -> None:
    answer = call(
        "export", run_of("classification"), tmp_path / "out", "--form", "onnx-int8", "--rung", "full", "--json"
    )
    record = answer.json
    assert (record["out"], record["form"]) == (str(tmp_path / "out"), "onnx-int8")
    assert set(record["parity"]) == {"rows", "largest_gap", "flipped", "integer_matmuls", "speedup"}
    assert record["parity"]["integer_matmuls"] == 2 * 6, "two layers of six products"
    assert record["parity"]["rows"] == 40
    assert record["parity"]["largest_gap"] < 0.5
    texts = ["the film was lovely", "a broken phone", "very bad music today"]
    said, again = (deepen.load(path).predict(texts) for path in (tmp_path / "out", run_of("classification")))
    assert [one.output for one in said] == [one.output for one in again]
    about = json.loads((tmp_path / "out" / "deepen.json").read_text(encoding="utf-8"))
    assert [step["name"] for step in about["parity"]["steps"]] == ["exported", "int8"]
    assert about["runtime"]["reduced"] is not processor.adds_integers_right()
    assert call("evaluate", tmp_path / "out", _rows(tmp_path)).code == 0


def _rows(folder: Path) -> Path:
    path = folder / "rows.csv"
    path.write_text("text,label\na lovely film,good\nbroken phone,bad\n")
    return path


def test_floats_that_are_called_integers_are_refused(export_of: Exported) -> None:
    graph = export_of("classification") / "onnx" / "model.onnx"
    found = integers.census(graph)
    assert (found.integer, found.floating) == (0, 12)
    with pytest.raises(ModelError, match="12 of 12 products with weights run in floats here, so this is no INT8 model"):
        integers.check_integers(graph)


def test_integers_that_become_floats_when_they_are_read(export_of: Exported, tmp_path: Path) -> None:
    """Weights stored as integers, with a node that makes floats of them: small, and no faster."""
    from onnx import helper, numpy_helper

    model = onnx.load(str(export_of("classification") / "onnx" / "model.onnx"))
    for tensor in [one for one in model.graph.initializer if len(one.dims) == 2 and "layer.0" in one.name]:
        values = numpy_helper.to_array(tensor)
        scale = np.abs(values).max() / 127
        stored = {"stored": np.rint(values / scale).astype(np.int8), "scale": np.float32(scale)}
        model.graph.initializer.remove(tensor)
        for kind, value in stored.items():
            model.graph.initializer.append(numpy_helper.from_array(np.asarray(value), f"{tensor.name}_{kind}"))
        names = [f"{tensor.name}_{kind}" for kind in stored]
        model.graph.node.insert(0, helper.make_node("DequantizeLinear", names, [tensor.name]))
    onnx.save(model, str(tmp_path / "small.onnx"))
    with pytest.raises(ModelError, match="run in floats here"):
        integers.check_integers(tmp_path / "small.onnx")


def test_seven_bits_where_eight_overflow(
    run_of: Run, export_of: Exported, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The graph of floats is the one that another test traced: integers are made of it, and it is asked."""
    largest, model = {}, deepen.load(run_of("classification"), rung="full")
    for right in (True, False):
        monkeypatch.setattr(verb, "adds_integers_right", lambda right=right: right)
        out = Path(shutil.copytree(export_of("classification"), tmp_path / str(right)))
        runtime = verb._runtime(model, verb._exportable(model), "onnx-int8")
        integers.quantise(out / "onnx" / "model.onnx", tmp_path / "small.onnx", reduced=runtime.reduced)
        shutil.move(tmp_path / "small.onnx", out / "onnx" / "model.onnx")
        about = json.loads((out / "deepen.json").read_text(encoding="utf-8"))
        about["files"] = {name: sha256_file(out / name) for name in about["files"]}
        about["runtime"] |= {"form": "onnx-int8", "reduced": runtime.reduced}
        (out / "deepen.json").write_text(json.dumps(about), encoding="utf-8")
        tensors = onnx.load(str(out / "onnx" / "model.onnx")).graph.initializer
        weights = [onnx.numpy_helper.to_array(one) for one in tensors if one.name.endswith("_quantized")]
        largest[right] = max(int(np.abs(one.astype(np.int32)).max()) for one in weights)
        assert deepen.load(out).predict(["a lovely film"])[0].output == "good"
    assert largest == {True: 127, False: 64} or largest == {True: 127, False: 63}


@pytest.mark.parametrize(
    ("flags", "found"), [("fma avx2 avx512f", False), ("avx2 avx512_vnni", True), ("avx2 avx_vnni", True), ("", False)]
)
def test_a_processor_says_what_it_can(flags: str, found: bool) -> None:
    assert processor.has_vnni(f"processor : 0\nflags\t\t: fpu {flags}\nbogomips : 1") is found


def test_integers_that_are_slower_are_said_to_be() -> None:
    said: list[str] = []
    steps = [Step("exported", 1e-6, 0, 200.0), Step("int8", 0.1, 1, 100.0)]
    verb._tell("onnx-int8", steps, Parity(40, 0.1, 1, 12, 1.5), said.append)
    assert (
        said[-1] == "  note: INT8 is slower than floats on this machine (0.50 times their speed): --form onnx is faster"
    )
    verb._tell("onnx-int8", steps[::-1], Parity(40, 0.1, 1, 12, 1.5), said.append)
    assert "note" not in said[-1]


def test_word_vectors_have_a_scale_each() -> None:
    from onnx import TensorProto, helper, numpy_helper

    chance = np.random.default_rng(0)
    table_VD = (chance.normal(size=(2000, 8)) * chance.uniform(0.01, 10, size=(2000, 1))).astype(np.float32)
    table_VD[5] = 0
    ids = helper.make_tensor_value_info("ids", TensorProto.INT64, ["n"])
    out = helper.make_tensor_value_info("out", TensorProto.FLOAT, ["n", 8])
    node = helper.make_node("Gather", ["table", "ids"], ["out"])
    model: Any = helper.make_model(
        helper.make_graph([node], "words", [ids], [out], [numpy_helper.from_array(table_VD, "table")]),
        opset_imports=[helper.make_opsetid("", 18)],
        ir_version=10,
    )
    integers._words(model)
    import onnxruntime

    session = onnxruntime.InferenceSession(model.SerializeToString())
    [found_VD] = session.run(None, {"ids": np.arange(2000)})
    assert np.all(np.abs(found_VD - table_VD) <= np.abs(table_VD).max(1, keepdims=True) / 254 + 1e-7)
    assert model.ByteSize() < table_VD.nbytes / 2


def test_a_score_is_another_where_it_is_far_off() -> None:
    assert _flipped(("a", "b", ["x"]), ("a", "c", ["x"])) == 1
    assert _flipped((1.000001, 2.0, 3.2), (1.0, 2.000002, 3.0)) == 1
    assert _flipped((1.0, 1.00001), (1.0, 1.0)) == 0
