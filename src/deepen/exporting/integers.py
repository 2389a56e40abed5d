"""A graph whose weights are 8-bit integers, and a look at what of it really runs so.

Activations become integers as they come (dynamic), weights a scale a column, word vectors a scale a word. The head
stays as it is: it is small, and decides.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from deepen.core.errors import ModelError
from deepen.core.foreign import blaming
from deepen.exporting.graph import HEAD, silent
from deepen.models.runtimes.onnx import open_session

_INTEGER = ("MatMulInteger", "MatMulIntegerToFloat", "DynamicQuantizeMatMul", "QLinearMatMul", "QGemm")
_FLOAT = ("MatMul", "Gemm", "FusedMatMul", "FusedGemm")
_WORDS = 1000  # rows of a table that is worth it


@dataclass(frozen=True)
class Census:
    """How many products with weights a graph has as it runs, in integers and in floats, those of the head aside."""

    integer: int
    floating: int


def quantise(source: Path, target: Path, *, reduced: bool) -> None:
    """Writes a graph with the same inputs and outputs, and integers for weights; `reduced` ones fit any CPU."""
    import onnx
    from onnxruntime.quantization import QuantType, quantize_dynamic

    with blaming(source, "its weights can't be made integers"), silent():
        model = onnx.load(str(source))
        _words(model)
        names = [node.name for node in model.graph.node if node.name.startswith(HEAD)]
        quantize_dynamic(
            model,
            str(target),
            op_types_to_quantize=["MatMul"],
            per_channel=True,
            reduce_range=reduced,
            weight_type=QuantType.QInt8,
            nodes_to_exclude=[*names, *(f"{name}_MatMul" for name in names)],  # what a Gemm becomes on the way
        )


def _words(model: Any) -> None:
    """Makes the table of word vectors one of integers with a scale a word: a quarter of its size, on disk and off."""
    from onnx import TensorProto, helper, numpy_helper

    tables = {tensor.name: tensor for tensor in model.graph.initializer}
    nodes = []
    for node in model.graph.node:
        table = tables.get(node.input[0]) if node.op_type == "Gather" else None
        if table is None or len(table.dims) != 2 or table.dims[0] < _WORDS or table.data_type != TensorProto.FLOAT:
            nodes.append(node)
            continue
        values_VD = numpy_helper.to_array(table)
        scale_V1 = np.maximum(np.abs(values_VD).max(1, keepdims=True), 1e-12).astype(np.float32) / 127
        rounded_VD = np.rint(values_VD / scale_V1).astype(np.int8)
        model.graph.initializer.remove(table)
        names = {kind: f"{table.name}_{kind}" for kind in ("integers", "scales")}
        model.graph.initializer.extend(
            [numpy_helper.from_array(rounded_VD, names["integers"]), numpy_helper.from_array(scale_V1, names["scales"])]
        )
        out = node.output[0]
        nodes += [
            helper.make_node("Gather", [names["integers"], node.input[1]], [f"{out}_integers"]),
            helper.make_node("Gather", [names["scales"], node.input[1]], [f"{out}_scales"]),
            helper.make_node("Cast", [f"{out}_integers"], [f"{out}_floats"], to=TensorProto.FLOAT),
            helper.make_node("Mul", [f"{out}_floats", f"{out}_scales"], [out]),
        ]
    del model.graph.node[:]
    model.graph.node.extend(nodes)


def census(path: Path) -> Census:
    """Counts products with weights in a graph as ONNX Runtime runs it here, after its own rewriting.

    A file may hold integers that are made floats again when it is read; then it is small, and no faster.
    """
    import onnx

    with tempfile.TemporaryDirectory() as folder, silent():
        seen = Path(folder) / "optimized.onnx"
        open_session(path, optimized=seen)
        with blaming(path):
            graph = onnx.load(str(seen)).graph
    weights = {tensor.name for tensor in graph.initializer if len(tensor.dims) == 2}
    floating = sum(
        node.op_type in _FLOAT and not node.name.startswith(HEAD) and bool(weights & set(node.input))
        for node in graph.node
    )
    return Census(sum(node.op_type in _INTEGER for node in graph.node), floating)


def check_integers(path: Path) -> int:
    """How many products with weights of a graph run in integers; ModelError if one of the encoder's does not."""
    found = census(path)
    if not found.integer or found.floating:
        total = found.integer + found.floating
        said = f"{found.floating} of {total} products with weights run in floats here"
        raise ModelError(f"{said}, so this is no INT8 model; nothing was written")
    return found.integer
