"""The weights of a model folder: one safetensors file, or shards that an index names. A pickle is never among them."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from deepen.core.errors import ModelError
from deepen.core.files import read_object, sha256_file
from deepen.core.foreign import blaming
from deepen.core.places import check_file

if TYPE_CHECKING:
    from torch import Tensor

WEIGHTS, INDEX = "model.safetensors", "model.safetensors.index.json"
_PICKLES = ("*.bin", "*.pt", "*.pth")
_LARGEST_INDEX = 1 << 26  # bytes


class Form(NamedTuple):
    """What a file says of one of its tensors."""

    shape: list[int]
    kind: str


def weight_files(folder: Path) -> list[Path]:
    """The files that hold a folder's weights, in order of their names.

    Raises:
        ModelError: If there are none, or the index names what is not there or is not in the folder.
    """
    if (folder / WEIGHTS).is_file():
        return [folder / WEIGHTS]
    index = folder / INDEX
    if not index.is_file():
        pickled = next((path for mark in _PICKLES for path in sorted(folder.glob(mark))), None)
        cause = "there is no model.safetensors"
        if pickled is not None:
            cause = f"{pickled.name} is a pickle, which can run code when it is read"
        cure = f"; deepen models convert {folder} NEW makes safetensors of it" if pickled is not None else ""
        raise ModelError(f"{folder}: {cause}; only safetensors weights are read{cure}")
    check_file(index, most_bytes=_LARGEST_INDEX, kind=ModelError)
    named = read_object(index, kind=ModelError).get("weight_map")
    if not isinstance(named, dict) or not named or not all(isinstance(name, str) for name in named.values()):
        raise ModelError(f"{index}: weight_map must name the file of each tensor", file=str(index))
    files = [folder / name for name in sorted(set(named.values()))]
    for path in files:
        if path.parent != folder or path.suffix != ".safetensors":
            raise ModelError(f"{index}: '{path.name}' is no safetensors file of this folder", file=str(index))
        if not path.is_file():
            raise ModelError(f"{path} is missing, and {INDEX} says that weights are in it; download the model again")
    return files


def forms(folder: Path) -> dict[str, Form]:
    """Shape and kind of number of every tensor of a folder, by its name; no weights are read."""
    from safetensors import safe_open

    found: dict[str, Form] = {}
    for path in weight_files(folder):
        with (
            blaming(path, "the weights can't be read, so they are cut short or no safetensors"),
            safe_open(path, "np") as file,
        ):
            slices = {key: file.get_slice(key) for key in file.keys()}  # noqa: SIM118 - not a dict
            found |= {key: Form(list(one.get_shape()), str(one.get_dtype())) for key, one in slices.items()}
    return found


def fingerprint_of(folder: Path) -> str:
    """A key of a folder's weights."""
    sums = [sha256_file(path) for path in weight_files(folder)]
    return (sums[0] if len(sums) == 1 else hashlib.sha256("".join(sums).encode()).hexdigest())[:16]


def tensor_named(folder: Path, name: str) -> Tensor:
    """One tensor of a folder.

    Raises:
        ModelError: If it is not there or can't be read.
    """
    from safetensors import safe_open

    files = weight_files(folder)
    for path in files:
        with blaming(path, "the weights can't be read"), safe_open(path, "pt") as file:
            if name in set(file.keys()):
                found: Tensor = file.get_tensor(name)
                return found
    raise ModelError(f"{files[0]}: it has no tensor {name}", file=str(files[0]))
