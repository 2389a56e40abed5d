"""The head of a GGUF file, walked before a library believes it: no length in it may be more than the file holds.

The form is told in https://github.com/ggml-org/ggml/blob/master/docs/gguf.md.
"""

from __future__ import annotations

import math
import mmap
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

from deepen.core.errors import ModelError
from deepen.core.foreign import blaming

_NUMBERS = dict(enumerate(("B", "b", "H", "h", "I", "i", "f", "?"))) | {10: "Q", 11: "q", 12: "d"}
_STRING, _ARRAY = 8, 9
_BLOCKS = "block_count"
_SIZES = {  # of the settings, and the tensor that has it as one of its sizes
    "embedding_length": "token_embd.weight",
    "feed_forward_length": "blk.0.ffn_up.weight",
}


def check_header(path: Path) -> None:
    """Whether a GGUF file is whole, and its settings are those of its tensors.

    Raises:
        ModelError: If it is cut short, or tells of sizes that its tensors don't have.
    """
    with (
        blaming(path, "the file is cut short or no GGUF"),
        path.open("rb") as file,
        mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data,
    ):
        if data[:4] != b"GGUF":
            raise ModelError(f"{path}: it is no GGUF file, for it does not begin with GGUF", file=str(path))
        settings, tensors = _walked(data)
        told = {name.rpartition(".")[2]: value for name, value in settings.items()}
        least = sum(math.prod(sizes) for sizes in tensors.values()) // 8  # no form has less than a bit a number
        if least > len(data):
            raise ValueError(f"its tensors take {least:,} bytes or more, and it has {len(data):,}")
        blocks = {name.split(".")[1] for name in tensors if name.startswith("blk.")}
        if told.get(_BLOCKS) is not None and told[_BLOCKS] != len(blocks):
            raise ValueError(f"{_BLOCKS} is {told[_BLOCKS]}, and there are {len(blocks)}")
        for name, tensor in _SIZES.items():
            if name in told and tensor in tensors and told[name] not in tensors[tensor]:
                raise ValueError(f"{name} is {told[name]}, and {tensor} has the sizes {tensors[tensor]}")


def _walked(data: Any) -> tuple[dict[str, Any], dict[str, tuple[int, ...]]]:
    """The settings that are single numbers, and the sizes of the tensors."""
    at = 4

    def number(form: str) -> Any:
        (value,) = struct.unpack(f"<{form}", skipped(struct.calcsize(f"<{form}")))
        return value

    def skipped(size: int) -> bytes:
        nonlocal at
        if size > len(data) - at:
            raise ValueError(f"it ends within {size:,} bytes")
        at += size
        return bytes(data[at - size : at])

    version = number("I")
    if version not in (2, 3):
        raise ValueError(f"its version is {version}; versions 2 and 3 are read")
    num_tensors, num_settings = number("Q"), number("Q")
    settings, tensors = {}, {}
    for _ in range(num_settings):
        name = _text(skipped, number)
        value = _value(number("I"), skipped, number)
        if isinstance(value, int):
            settings[name] = value
    for _ in range(num_tensors):
        name = _text(skipped, number)
        sizes = tuple(number("Q") for _ in range(min(number("I"), 8)))
        number("I"), number("Q")
        tensors[name] = sizes
    return settings, tensors


def _text(skipped: Callable[[int], bytes], number: Callable[[str], Any]) -> str:
    return skipped(number("Q")).decode("utf-8", "replace")


def _value(kind: int, skipped: Callable[[int], bytes], number: Callable[[str], Any]) -> Any:
    """A number; None for a text or an array, which is passed over."""
    if kind in _NUMBERS:
        return number(_NUMBERS[kind])
    if kind == _STRING:
        skipped(number("Q"))
    elif kind == _ARRAY:
        inner, length = number("I"), number("Q")
        if inner in _NUMBERS:
            skipped(length * struct.calcsize(f"<{_NUMBERS[inner]}"))
        elif inner == _STRING:
            for _ in range(length):
                skipped(number("Q"))
        else:
            raise ValueError(f"an array of kind {inner}")
    else:
        raise ValueError(f"a value of kind {kind}")
    return None
