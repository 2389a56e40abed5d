"""The arrays of a saved model, checked as they are read: a folder may come from anybody."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from deepen.core.errors import ModelError
from deepen.core.files import read_json
from deepen.core.foreign import blaming


def read_arrays(path: Path, sizes: Mapping[str, int]) -> dict[str, np.ndarray]:
    """Reads a safetensors file.

    Args:
        sizes: The arrays that must be there, and how many dimensions each has.

    Raises:
        ModelError: If it can't be read, lacks an array, or one holds what is no number.
    """
    from safetensors.numpy import load_file

    with blaming(path):
        found = dict(load_file(path))
        broken = [name for name, values in found.items() if values.dtype.kind == "f" and np.isnan(values).any()]
    if broken:
        raise ModelError(f"{path}: {broken[0]} holds values that are no numbers", file=str(path))
    for name, dimensions in sizes.items():
        if name not in found or found[name].ndim != dimensions or not found[name].size:
            raise ModelError(f"{path}: {name} is missing or has another form", file=str(path))
    return found


def read_names(path: Path, inside: Any = None) -> Any:
    """Reads the JSON that names what a model's numbers are about.

    Args:
        inside: An example of the form: `[]` for a list of texts, `{}` for an object; None for any.

    Raises:
        ModelError: If it can't be read or has another form.
    """
    found = read_json(path, kind=ModelError)
    good = inside is None or isinstance(found, type(inside))
    if not good or (isinstance(found, list) and not all(isinstance(name, str) for name in found)):
        wanted = "a list of texts" if isinstance(inside, list) else "an object"
        raise ModelError(f"{path} is damaged: it must hold {wanted}", file=str(path))
    return found


def check_shapes(path: Path, arrays: Mapping[str, np.ndarray], shapes: Mapping[str, tuple[int, ...]]) -> None:
    """Whether the arrays of a model fit one another and the names beside them.

    Args:
        arrays: What `read_arrays` gave.

    Raises:
        ModelError: If one has another.
    """
    for name, shape in shapes.items():
        found = arrays[name].shape
        if found != shape:
            said = f"{path}: {name} has the shape {list(found)}, and the files beside it tell of {list(shape)}"
            raise ModelError(said, file=str(path))
