"""What a climb leaves on disk, and in which form."""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, cast

import numpy as np

from deepen.core.errors import DataError
from deepen.core.files import read_jsonl, write_jsonl
from deepen.core.ladder import GainRecord, ScoreRecord
from deepen.core.slices import Slicing, write_slicing
from deepen.core.types import WRITTEN, Interval, Outputs, Prediction, Score, outputs_of, to_json
from deepen.data.settings import DataSettings
from deepen.data.table import Part
from deepen.data.unread import unread_columns
from deepen.preparation.prepare import Prepared
from deepen.problem.climbed import Dynamics
from deepen.problem.early import answered_by
from deepen.problem.reading import tokens_read
from deepen.problem.task import Predictor, Task
from deepen.problem.work import Work

_TIMED_ROWS = 100


def predictions(
    task: Task,
    part: Part,
    outputs: Outputs,
    *,
    labels: tuple[str, ...],
    rung: str,
    seconds: float,
    predictor: Predictor,
) -> Iterator[dict[str, Any]]:
    """Outputs as prediction records, streamed.

    Args:
        seconds: What one row took.
        predictor: The model that said it, which counts the tokens it reads.

    Yields:
        Prediction records as JSON values.
    """
    decoded = task.decode(outputs, part, labels)
    sizes, by = tokens_read(predictor, part), answered_by(outputs, rung)
    for example, answer, (num_tokens, truncated), layer in zip(part.examples(), decoded, sizes, by, strict=True):
        yield to_json(
            Prediction(
                id=example.id,
                output=answer["output"],
                rung=rung,
                inputs=example.inputs,
                target=example.target,
                probabilities=answer.get("probabilities"),
                entities=answer.get("entities"),
                **{name: answer.get(name) for name in WRITTEN},
                num_tokens=num_tokens,
                truncated=truncated,
                seconds=round(seconds, 7),
                answered_by=layer,
            )
        )


def read_outputs(path: Path, num_examples: int) -> Outputs:
    """Reads the outputs of a rung that were kept as a numpy archive.

    Raises:
        DataError: If the file is damaged.
    """
    try:
        with np.load(path) as kept:
            outputs = outputs_of(kept)
        if len(outputs) != num_examples:
            raise ValueError("it holds other rows than were saved")
    except Exception as error:  # numpy and zipfile have many kinds of them
        said = " ".join(str(error).split())
        raise DataError(f"{path} is damaged: {said}; without the file --resume computes it again") from None
    return outputs


def write_dynamics(path: Path, part: Part, dynamics: Dynamics) -> None:
    """Writes training.jsonl: margin and loss of every training example in every epoch.

    Args:
        part: The training rows, in the order of the arrays.
    """

    def rows() -> Iterator[dict[str, Any]]:
        for epoch, (margins_N, losses_N) in enumerate(zip(dynamics.margins_EN, dynamics.losses_EN, strict=True)):
            for name, margin, loss in zip(part.values("id"), margins_N.tolist(), losses_N.tolist(), strict=True):
                if loss == loss:  # not yet seen in an epoch that was cut short
                    yield {"id": name, "epoch": epoch, "margin": round(margin, 5), "loss": round(loss, 5)}

    write_jsonl(path, rows())


def seconds_per_row(predictor: Predictor, part: Part) -> float:
    """Measured seconds for one row, over the first hundred.

    Args:
        part: Rows like those it will see.

    Returns:
        Seconds.
    """
    if (known := getattr(predictor, "seconds_per_row", None)) is not None:
        return float(known)  # its answers are dear, and it has timed them
    few = part.take(np.arange(min(_TIMED_ROWS, len(part))))
    began = time.perf_counter()
    predictor.predict(few)
    return (time.perf_counter() - began) / max(1, len(few))


def peak_memory_bytes() -> int:
    """The most memory this process has held so far."""
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return int(peak if sys.platform == "darwin" else peak * 1024)


def score_of(scores: list[Score], name: str) -> ScoreRecord:
    """The overall score of that name as a record."""
    found = next(score for score in scores if score.name == name and score.label is None)
    return as_record(found)


def as_record(score: Score) -> ScoreRecord:
    """A score as JSON has it."""
    return cast(ScoreRecord, to_json(score))


def interval_record(interval: Interval | None) -> GainRecord | None:
    """An interval as a record."""
    if interval is None:
        return None
    return GainRecord(value=round(interval.value, 6), low=round(interval.low, 6), high=round(interval.high, 6))


def write_slices(run: Path, work: Work, prepared: Prepared, settings: DataSettings) -> None:
    """Writes slices.json: the training rows of each label, and the cells of columns that nothing was learned from."""
    problem, rows = work.problem, prepared.rows
    known, counts = set(problem.labels), Counter[str]()
    for target in problem.train.values("target") if problem.train.table.has_target else ():
        counts.update(label for label in (target if isinstance(target, list) else [target]) if label in known)
    part, columns = rows.test or problem.validation, {}
    if rows.scored is not None:
        try:
            columns = unread_columns(part, rows.scored, problem.task.needs, settings, rows.columns)
        except DataError as error:  # it was read before: somebody took it away or changed it
            work.context.say(
                f"  note: the report tells no rows apart by the columns that are not learned from: {error}"
            )
    write_slicing(run, Slicing(training_rows=dict(counts), columns=columns))


def append_metrics(path: Path, rung: str, rows: tuple[dict[str, Any], ...]) -> None:
    """Adds the curve of a rung to metrics.jsonl, in place of what an interrupted climb of it left."""
    kept = []
    if path.is_file():
        with suppress(DataError):  # a damaged curve is no reason to lose a rung
            kept = [row for row in read_jsonl(path) if row.get("rung") != rung]
    write_jsonl(path, [*kept, *({"rung": rung} | row for row in rows)])
