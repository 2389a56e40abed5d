"""What answers that are text are held to, and what becomes of those that are not so."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from deepen.core.errors import SettingError
from deepen.core.types import Prediction
from deepen.problem.task import Predictor, Task

if TYPE_CHECKING:
    from deepen.generation.constraints import Constraint


@dataclass(frozen=True)
class Wanted:
    """What an answer must be, and its longest, in tokens."""

    constraint: Constraint | None
    max_new_tokens: int | None

    def on(self, predictor: Predictor, task: Task, rung: str) -> Predictor:
        """A predictor that answers so.

        Raises:
            SettingError: If it writes no text, or can't write such.
        """
        from deepen.generation.writer import Writer

        if isinstance(predictor, Writer):
            return predictor.held(self.constraint, max_new_tokens=self.max_new_tokens)
        what = "choices, a regular expression, a schema and a limit are for answers that a network writes"
        if task.writes is None:
            raise SettingError(f"{what}; {task.name} answers otherwise")
        raise SettingError(f"{what}, and the rung {rung} has none: name another, as in --rung full")


def wanted(choices: Sequence[str] | None, regex: str | None, schema: Any, max_new_tokens: int | None) -> Wanted | None:
    """What is wanted of answers, if anything is; errors as `constraint_of`."""
    if choices is None and regex is None and schema is None:
        return None if max_new_tokens is None else Wanted(None, max_new_tokens)
    from deepen.generation.constraints import constraint_of  # it loads torch, which shallow rungs do without

    return Wanted(constraint_of(choices, regex, schema), max_new_tokens)


def kept(predictions: list[Prediction], form: Wanted | None) -> list[Prediction]:
    """Predictions, without the answers that are not what they must be."""
    if form is None or form.constraint is None:
        return predictions
    holds, why = form.constraint.holds, partial(_why, constraint=form.constraint)
    return [
        one if one.skipped is not None or holds(one.output) else replace(one, output=None, skipped=why(one))
        for one in predictions
    ]


def _why(one: Prediction, constraint: Constraint) -> str:
    if one.stopped == "limit":
        return (
            f"its answer was cut at {one.num_generated} tokens, before it was whole: --max-new-tokens gives more room"
        )
    return f"its answer is not what {constraint} wants: {str(one.output)[:80]!r}"
