"""A network out of an ONNX file, run by ONNX Runtime on the CPU."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from deepen.core.errors import ModelError, SettingError
from deepen.core.foreign import blaming
from deepen.core.places import check_file
from deepen.models.runtimes.form import FILE, Runtime
from deepen.models.runtimes.processor import adds_integers_right

_LARGEST = 2 << 30  # bytes: what a file of this format can have
_QUIET = 3  # only errors, which are raised as well
_EXACT = "session.x64quantprecision"


def num_threads() -> int:
    """Of one computation: as torch has it, and without torch as it would."""
    if "torch" in sys.modules:
        import torch

        return torch.get_num_threads()
    told = os.environ.get("OMP_NUM_THREADS", "")
    return int(told) if told.isdecimal() and int(told) else 0  # 0: ONNX Runtime takes the cores that there are


def open_session(path: Path, *, reduced: bool = True, optimized: Path | None = None) -> Any:
    """Reads a graph and makes it ready to run.

    Args:
        reduced: Whether its integers, if it has any, fit on any CPU; if not, one without VNNI works slower and right.
        optimized: Where to write the graph as it will really run.

    Raises:
        ModelError: If the file is no ONNX graph, or is damaged.
        SettingError: If ONNX Runtime is not installed.
    """
    try:
        import onnxruntime
    except ImportError:
        raise SettingError("an export runs in ONNX Runtime: pip install 'deepen[export]'") from None
    check_file(path, most_bytes=_LARGEST, kind=ModelError)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = _QUIET
    options.intra_op_num_threads = num_threads()
    if not reduced and not adds_integers_right():
        options.add_session_config_entry(_EXACT, "1")
    if optimized is not None:
        options.optimized_model_filepath = str(optimized)
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_EXTENDED
    with blaming(path, "not a graph that can be run, so it is damaged or made for another program"):
        return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


class OnnxNetwork:
    """An exported network: arrays in, arrays out."""

    def __init__(self, folder: Path, runtime: Runtime) -> None:
        self.path, self.runtime = folder / FILE, runtime
        self.session = open_session(self.path, reduced=runtime.reduced or runtime.form == "onnx")
        for what, wanted, nodes in (
            ("reads", runtime.inputs, self.session.get_inputs()),
            ("gives", runtime.outputs, self.session.get_outputs()),
        ):
            there = sorted(node.name for node in nodes)
            if there != sorted(wanted):
                said = f"{self.path} {what} {', '.join(there)[:200]}, and deepen.json tells of {', '.join(wanted)}"
                raise ModelError(said, file=str(self.path))

    def run(self, arrays: Mapping[str, np.ndarray]) -> list[np.ndarray]:
        """What the graph gives.

        Args:
            arrays: What it reads, by name.

        Returns:
            The arrays of `Runtime.outputs`, in that order.

        Raises:
            ModelError: If it can't be run with what it says that it reads.
        """
        with blaming(self.path, "the graph can't be run"):
            found = self.session.run(list(self.runtime.outputs), dict(arrays))
        if any(array.shape[-1:] != (self.runtime.width,) for array in found):
            shape = list(found[0].shape)
            said = f"{self.path} gives numbers of the shape {shape}, not {self.runtime.width} for each"
            raise ModelError(said, file=str(self.path))
        return [np.asarray(array, np.float32) for array in found]
