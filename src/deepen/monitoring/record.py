"""An answer as it is kept: who asked which model when, what it said, and of the input only a hash unless asked."""

from __future__ import annotations

import hashlib
import json
import time
import uuid
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from deepen.core.files import plain
from deepen.core.types import Prediction
from deepen.data.masking import KINDS, Kind, mask


@dataclass(frozen=True, slots=True)
class Record:
    """An answer to one row.

    Attributes:
        id: Of this record, so that it is kept once however often it is handed on.
        at: Seconds since 1970.
        who: The id of a key, never the key.
        run, model, rung: Which run, the fingerprint of its model, and what in it answered.
        input_hash: sha256 of the inputs as the server got them, or as it masked them if it masks, in hex. Who guesses a
            short input can find its hash.
        answer: JSON; with the version in a registry of what answered, if there is one.
        text: The inputs as JSON, masked; None unless it was asked for.
    """

    id: str
    at: float
    who: str
    run: str
    model: str
    rung: str
    input_hash: str
    answer: str
    text: str | None = None


def record_of(
    prediction: Prediction,
    *,
    who: str,
    run: str,
    model: str,
    inputs: Mapping[str, Any],
    version: int | None = None,
    keep_text: bool = False,
) -> Record:
    """The record of a prediction.

    Args:
        version: In the registry, of what answered; None if it came from none.
        inputs: What was asked, as it came.
        keep_text: Whether texts are kept, masked: the inputs, and answers that are pieces of them. Else an answer that
            is free text is kept as its sha256.

    Raises:
        SettingError: If texts are to be masked and python-stdnum is not installed.
    """
    return Record(
        id=uuid.uuid4().hex,
        at=time.time(),
        who=_storable(who),
        run=_storable(run),
        model=_storable(model),
        rung=prediction.rung,
        input_hash=input_hash(inputs),
        answer=json.dumps(
            _answer(prediction, keep_text=keep_text) | ({} if version is None else {"version": version}), default=plain
        ),
        text=_storable(json.dumps(masked(inputs), ensure_ascii=False, default=plain)) if keep_text else None,
    )


def input_hash(inputs: Mapping[str, Any]) -> str:
    """The sha256 of inputs by their names, whatever their order."""
    text = json.dumps(inputs, sort_keys=True, default=plain)
    return hashlib.sha256(text.encode()).hexdigest()


def _answer(prediction: Prediction, *, keep_text: bool) -> dict[str, Any]:
    if prediction.skipped is not None:
        return {"skipped": True}
    said: dict[str, Any] = {"output": prediction.output}
    if prediction.probabilities is not None:
        said["probabilities"] = prediction.probabilities
    elif isinstance(prediction.output, str):  # no label: words of the input
        said["output"] = mask(prediction.output).text if keep_text else None
        said |= {} if keep_text else {"output_hash": input_hash({"output": prediction.output})}
    if prediction.entities is not None:
        told = ({key: value for key, value in entity.items() if key != "text"} for entity in prediction.entities)
        said["entities"] = list(told)
    return said


def masked(value: Any, *, kinds: Collection[Kind] = KINDS) -> Any:
    """A value with every text in it masked."""
    if isinstance(value, str):
        return mask(value, kinds=kinds).text
    if isinstance(value, Mapping):
        return {key: masked(part, kinds=kinds) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [masked(part, kinds=kinds) for part in value]
    return value


def _storable(text: str) -> str:
    """A text that every database takes: half characters, and the character 0, as their numbers."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8").replace("\0", "\\x00")
