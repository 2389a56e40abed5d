"""Rows of a run whose answers are known, by which a server sees that its model still answers as it did."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

from deepen.core.errors import ModelError
from deepen.core.files import read_jsonl
from deepen.core.run import Run
from deepen.monitoring.record import masked
from deepen.serving.answering import FAILED, Row, Served, answered
from deepen.serving.differences import differs

_MOST, _WRITTEN = 16, 1  # rows; the latter of a network that writes
_FLOATS, _INTEGERS = 1e-3, 0.2  # how far a probability may be off: in floats by rounding, with 8-bit weights more
_HAIR = 0.01  # by so much a rung must be surer than it has to, or less, for a row to be one of these
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
    stored = list(
        islice((row for row in _stored(folder, served) if _unmasked(row, served)), _WRITTEN if served.writes else _MOST)
    )
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


def wishes(served: Served, known: Known) -> list[str]:
    """What a request may wish of the answers: `explain`, `max_error`."""
    found = [] if served.model.task.explain is None else ["explain"]
    chosen = (answer.get("output") in (answer.get("probabilities") or {}) for answer in known.answers)
    one_label = known.stored and all(isinstance(one.get("output"), str) for one in known.answers) and all(chosen)
    return [*found, "max_error"] if one_label and known.tolerance == _FLOATS else found


def _compared(prediction: Mapping[str, Any]) -> dict[str, Any]:
    return {name: prediction[name] for name in ("output", "probabilities", "entities") if name in prediction}


def _stored(folder: Path, served: Served) -> Iterator[dict[str, Any]]:
    """The stored predictions; of a cascade, of each row what the rung says that answers it."""
    cheaper = () if served.cascade is None else served.cascade.cheaper
    asked = [*((model.rung, least) for model, least in cheaper), (served.model.rung, 0.0)]
    paths = [Run(folder).rung(rung) / "predictions-validation.jsonl" for rung, _ in asked]
    if not all(path.is_file() for path in paths):
        return
    for rows in zip(*map(read_jsonl, paths), strict=False):
        if all(isinstance(row.get("inputs"), dict) and "output" in row for row in rows):
            found = _first_sure(rows, [least for _, least in asked])
            if found is not None:
                yield found


def _first_sure(rows: Sequence[dict[str, Any]], least: Sequence[float]) -> dict[str, Any] | None:
    """What the first rung says that is sure enough; None if one is so by a hair, and rounding may decide."""
    for row, enough in zip(rows[:-1], least, strict=False):
        sure = float((row.get("probabilities") or {}).get(row["output"], 0.0))
        if abs(sure - enough) < _HAIR:
            return None
        if sure > enough:
            return row
    return rows[-1]


def _unmasked(row: dict[str, Any], served: Served) -> bool:
    """Whether masking changes nothing in a row; else its answer may be another one than is stored."""
    kinds = served.model.settings.masked
    return not kinds or masked(row["inputs"], kinds=kinds) == row["inputs"]


def _comparable(folder: Path, served: Served) -> bool:
    """Whether the model that is served is the one whose predictions are stored."""
    ladder = Run(folder).ladder
    return served.model.task.fixed and not ladder.none_held_out
