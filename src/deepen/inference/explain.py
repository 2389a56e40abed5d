"""Why a model gave an answer: how deep it had to look, which words carried it, and what it had learned that is like it.

Shape legend: M units, Q answers, A analogies of an answer.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import Field

from deepen.core.errors import DataError, SettingError
from deepen.core.progress import progress
from deepen.core.run import open_run
from deepen.core.seed import derive
from deepen.core.settings import Settings
from deepen.core.types import Analogy, ExplainedAnswer, Explanation, Outputs, RungAnswer, WordShare
from deepen.data.table import Part
from deepen.problem.task import Decision, Explainable, Predictor, Task

if TYPE_CHECKING:
    from deepen.inference.analogies import Memory

_ANALOGIES = 3


class ExplainSettings(Settings):
    """What `deepen predict --explain` shows."""

    sure: float = Field(default=0.75, gt=0, le=1)
    """The calibrated confidence from which a rung counts as saying the answer. Of two labels one has 0.5 by a coin, so
    0.75 is half of the way from a guess to certainty; of many, three in four such answers are right."""
    max_answers: int = Field(default=10, ge=1)
    """The most entities of one text that are explained; each costs an encoder about a hundred passes."""


@dataclass(frozen=True)
class Asked:
    """A model that is asked why.

    Attributes:
        task: The task.
        labels: The label table.
        rung: The rung that answers.
        predictor: Its model.
        settings: What to show.
        mark: A key of the model.
        run: The run folder; None for a model by itself.
        rungs: Every rung of the run, from shallow to deep; read when they are needed.
    """

    task: Task
    labels: tuple[str, ...]
    rung: str
    predictor: Predictor
    settings: ExplainSettings
    mark: str
    run: Path | None
    rungs: Mapping[str, Callable[[], Predictor]]


def explain(asked: Asked, part: Part) -> list[Explanation]:
    """Explains the answers to rows.

    Returns:
        One explanation a row, in order.

    Raises:
        SettingError: If the task can't be explained, or captum is missing.
    """
    if asked.task.explain is None:
        raise SettingError(f"--explain: {asked.task.name} has no explanations")
    outputs = asked.predictor.predict(part)
    chosen, more = _chosen(asked, asked.task.explain, outputs, part)
    said = _said(asked, asked.task.explain, outputs, part)
    analogies, notes = _analogies(asked, outputs, part, chosen)
    if asked.run is None:
        notes = ["the model is by itself, without its run: there are no other rungs and no training rows", *notes]
    answers: list[list[ExplainedAnswer]] = [[] for _ in range(len(part))]
    texts = list(part.values("text"))
    with progress("explaining", len(chosen), unit="answers") as advance:
        for decision, alike in zip(chosen, analogies, strict=True):
            row = part.take(np.array([decision.row]))
            answers[decision.row].append(_explained(asked, row, texts[decision.row], decision, said, alike))
            advance()
    return [
        Explanation(name, asked.rung, asked.settings.sure, found, [*notes, *_left_out(found, more.get(row, 0))])
        for row, (name, found) in enumerate(zip(part.values("id"), answers, strict=True))
    ]


def _chosen(asked: Asked, how: Explainable, outputs: Outputs, part: Part) -> tuple[list[Decision], dict[int, int]]:
    """The answers to explain, and how many more each row has."""
    chosen, counts = [], dict.fromkeys(range(len(part)), 0)
    for decision in how.decisions(outputs, part, asked.labels):
        counts[decision.row] += 1
        if counts[decision.row] <= asked.settings.max_answers:
            chosen.append(decision)
    return chosen, {row: max(0, count - asked.settings.max_answers) for row, count in counts.items()}


def _left_out(found: list[ExplainedAnswer], more: int) -> list[str]:
    if not found:
        return ["there is no entity in it to explain"]
    return [f"{more} more are not explained (--set explain.max_answers={more + len(found)})"] if more else []


Said = dict[str, dict[tuple[int, int | None, int | None], Decision]]


def _said(asked: Asked, how: Explainable, outputs: Outputs, part: Part) -> Said:
    """What each rung says, by row and place."""
    found = {}
    for name, make in asked.rungs.items():
        own = outputs if name == asked.rung else make().predict(part)
        found[name] = {(one.row, one.start, one.end): one for one in how.decisions(own, part, asked.labels)}
    return found


def _explained(
    asked: Asked, row: Part, text: str, decision: Decision, said: Said, analogies: list[Analogy]
) -> ExplainedAnswer:
    from deepen.inference.attribution import attribute

    assert asked.task.explain is not None  # noqa: S101 - `explain` has looked
    rungs = [_rung_answer(name, found, decision) for name, found in said.items()]
    depth = next((one.rung for one in rungs if one.same and (one.confidence or 0) >= asked.settings.sure), None)
    carried = attribute(asked.predictor, asked.task.explain, row, decision)
    words = [
        WordShare(start, end, text[start:end], round(float(value), 6))
        for (start, end), value in zip(carried.places, carried.values_W, strict=True)
    ]
    total, error = (None if value is None else round(value, 6) for value in (carried.total, carried.error))
    return ExplainedAnswer(
        output=decision.output,
        confidence=decision.confidence,
        start=decision.start,
        end=decision.end,
        depth=depth,
        rungs=rungs,
        method=carried.method,
        words=words,
        total=total,
        error=error,
        analogies=analogies,
    )


def _rung_answer(
    name: str, found: dict[tuple[int, int | None, int | None], Decision], decision: Decision
) -> RungAnswer:
    own = found.get((decision.row, decision.start, decision.end))
    if own is None:
        return RungAnswer(name, None, None, False)
    return RungAnswer(name, own.output, own.confidence, own.output == decision.output)


def _analogies(
    asked: Asked, outputs: Outputs, part: Part, chosen: list[Decision]
) -> tuple[list[list[Analogy]], list[str]]:
    """The training rows nearest to each answer, and what is to be said about them."""
    from deepen.inference.analogies import nearest

    nothing: list[list[Analogy]] = [[] for _ in chosen]
    if asked.run is None or not chosen:
        return nothing, []
    memory, missing = remembered(asked)
    if memory is None:
        return nothing, [f"no analogies: {missing}"]
    features_MF: Any = asked.predictor.features(part)  # type: ignore[attr-defined]
    units_Q = np.array([outputs.offsets_N1[one.row] + one.unit for one in chosen])
    units_QA, cosines_QA = nearest(memory, features_MF[units_Q], _ANALOGIES)
    found = [
        [_analogy(asked, memory, one, int(unit), float(cosine)) for unit, cosine in zip(units, cosines, strict=True)]
        for one, units, cosines in zip(chosen, units_QA, cosines_QA, strict=True)
    ]
    return [[one for one in some if one.similarity > 0] for some in found], [memory.note] if memory.note else []


def _analogy(asked: Asked, memory: Memory, decision: Decision, unit: int, cosine: float) -> Analogy:
    at = int(np.searchsorted(memory.offsets_N1, unit, side="right")) - 1
    row = memory.part.take(np.array([at]))
    text, label = next(row.values("text")), int(memory.labels_K[unit])
    start, end = None, None
    if decision.start is not None and asked.task.explain is not None:
        start, end = asked.task.explain.words(row)[unit - int(memory.offsets_N1[at])]
    return Analogy(
        id=next(row.values("id")),
        text=text,
        label=asked.labels[label],
        similarity=round(cosine, 4),
        agrees=label == decision.logit,
        start=start,
        end=end,
    )


def remembered(asked: Asked) -> tuple[Memory | None, str]:
    """The training rows as the model sees them: made at the first call, read from the cache at later ones.

    Returns:
        The rows, or None and why they can't be had, in a sentence.
    """
    from deepen.inference.analogies import memory_folder, read_memory, sees, write_memory
    from deepen.preparation.reopen import recipe_of, reopened, rows_mark

    if asked.run is None:
        return None, "there is no run"
    if not sees(asked.predictor):
        return None, f"{asked.rung} makes nothing of a text that another could be near to"
    run = open_run(asked.run)
    folder = memory_folder(rows_mark(run), asked.mark)
    memory = read_memory(folder)
    if memory is not None:
        return memory, ""
    recipe = recipe_of(run)
    prepared, missing = reopened(run, recipe)
    if prepared is None:
        return None, missing
    seed = derive(recipe.seed, "analogies")
    write_memory(folder, asked.predictor, asked.task, prepared.work.problem.train, asked.labels, seed)
    memory = read_memory(folder)
    if memory is None:
        raise DataError(f"{folder} was written and can't be read back; is the cache on a broken disk?")
    return memory, ""
