"""How well a decoder foresees text of no task: what training on a task takes from it is forgetting."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from deepen.core.errors import DataError, SettingError
from deepen.core.foreign import blaming
from deepen.core.places import check_file, path_of
from deepen.generation.asking import Asking
from deepen.generation.decode import Given

_MOST_BYTES, _WINDOW, _WINDOWS = 1 << 30, 256, 64


@dataclass(frozen=True)
class General:
    """The beginning of a text in windows, each foreseen from its first token on, and the bytes that are foreseen."""

    given: Given
    num_bytes: int

    def bits(self, network: Any) -> float:
        """Bits per byte."""
        return float(self.given.nats(network).sum()) / math.log(2) / self.num_bytes


def read_general(path: str, reader: Any, asking: Asking, vocabulary: int) -> General:
    """Reads a text that a network is to foresee.

    Args:
        path: A text file in UTF-8; up to 64 windows of 256 tokens of it are read.
        reader: The tokenizer of transformers.

    Raises:
        DataError: If it can't be read, or is too short.
        SettingError: If the model reads texts in an encoder, and so foresees none.
    """
    if asking.encodes:
        raise SettingError(f"tasks.{asking.task}.general: an encoder-decoder foresees no text; leave it out")
    file = path_of(path, kind=DataError)
    check_file(file, most_bytes=_MOST_BYTES, kind=DataError)
    with blaming(file, "is no text in UTF-8", kind=DataError), file.open(encoding="utf-8") as lines:
        text = lines.read(_WINDOW * _WINDOWS * 8)
    ids = reader(text, add_special_tokens=False)["input_ids"]
    windows = [ids[at : at + _WINDOW] for at in range(0, len(ids), _WINDOW)][:_WINDOWS]
    foreseen = [window[1:] for window in windows if len(window) > 1]
    num_bytes = sum(len(reader.decode(window, clean_up_tokenization_spaces=False).encode()) for window in foreseen)
    if not num_bytes:
        raise DataError(f"{path}: there is no text to foresee", file=str(file))
    prompts = [window[:1] for window in windows if len(window) > 1]
    return General(Given(prompts, foreseen, encodes=False, vocabulary=vocabulary), num_bytes)
