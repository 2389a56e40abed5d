"""Rows of a run whose answers are known, by which a server sees that its model still answers as it did."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

from deepen.core.errors import ModelError
from deepen.core.files import read_jsonl
from deepen.core.run import Run
from deepen.serving.answering import FAILED, Row, Served, answered
from deepen.serving.differences import differs

_MOST = 16
_FLOATS, _INTEGERS = (
    1e-3,
    0.2,
)  # by how much a probability may be another: in floats by rounding, with 8-bit weights more
_AGREE = 0.8  # share of the rows that must be answered so at the start: what hangs on a tie may fall to either side
_ANY = "the <e1>cat</e1> sat on the <e2>mat</e2>"


class Known(NamedTuple):
    """Rows with their answers; `stored` says whether the run keeps them, or this model gave them when it started."""

    rows: list[Row]
    answers: list[dict[str, Any]]
    tolerance: float
    stored: bool


def known_rows(folder: Path, served: Served) -> Known:
    """The first rows of a run's stored predictions, after the model has been asked for them once.

    Where the model is not the one that stored them (it was trained on them later, it ranks among other documents, or it
    is a model folder without a run), its own first answers are what later ones are held against.

    Args:
        folder: What is served.
        served: Its model.

    Returns:
        The rows.

    Raises:
        ModelError: If the model does not answer as the run has stored.
    """
    names = {need["name"]: not need["optional"] for need in served.about()["inputs"]}
    stored = _stored(folder, served)
    rows = [{name: row["inputs"][name] for name in names if row["inputs"].get(name)} for row in stored]
    if not rows:
        rows = [{name: _ANY for name, needed in names.items() if needed}]
    answers = [answered(line) for line in served.answers(rows)]
    tolerance = _INTEGERS if served.about()["form"] == "onnx-int8" else _FLOATS
    if not stored or not _comparable(folder, served):
        broken = [answer for answer in answers if answer.get("skipped") == FAILED]
        if broken:
            raise ModelError(f"{folder}: the model can't answer a plain row, so it is damaged")
        return Known(rows, answers, tolerance, stored=False)
    same = [differs(answer, told, tolerance) is None for answer, told in zip(answers, stored, strict=True)]
    if sum(same) < len(same) * _AGREE:
        said = f"{folder}: the model answers {len(same) - sum(same)} of {len(same)} rows otherwise than the run stored"
        raise ModelError(f"{said} when it was trained: it is damaged, or another one")
    kept = [at for at, agrees in enumerate(same) if agrees]
    return Known([rows[at] for at in kept], [_compared(stored[at]) for at in kept], tolerance, stored=True)


def _compared(prediction: Mapping[str, Any]) -> dict[str, Any]:
    return {name: prediction[name] for name in ("output", "probabilities", "entities") if name in prediction}


def _stored(folder: Path, served: Served) -> list[dict[str, Any]]:
    path = Run(folder).rung(served.model.rung) / "predictions-validation.jsonl"
    if not path.is_file():
        return []
    return list(islice(_with_inputs(read_jsonl(path)), _MOST))


def _with_inputs(rows: Iterable[dict[str, Any]]) -> Iterable[dict[str, Any]]:
    return (row for row in rows if isinstance(row.get("inputs"), dict) and "output" in row)


def _comparable(folder: Path, served: Served) -> bool:
    """Whether the model that is served is the one whose predictions are stored."""
    ladder = Run(folder).ladder
    return served.model.task.fixed and not (ladder.refitted or (ladder.data and ladder.data.folds))
