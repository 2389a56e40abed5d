"""What a question of a diagnosis is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from deepen.core.settings import Settings
from deepen.core.types import Finding, Interval
from deepen.diagnosis.case import Case

Kind = Literal["labels", "many", "scores", "ranks"]


@dataclass(frozen=True)
class Question:
    """A question about how a model gets its score, for these `kinds` of targets. It never changes the model.

    `ask` gives at least one finding, with the verdict `not_applicable` and the reason as its caveat where it makes no
    sense. A verdict is called only by an effect whose interval leaves no doubt.
    """

    order: int
    title: str
    settings: type[Settings]
    ask: Callable[[Case, Any], list[Finding]]
    kinds: tuple[Kind, ...] = ("labels",)


def not_applicable(question: str, why: str, evidence: Sequence[Any] = ()) -> Finding:
    """The answer to a question that makes no sense here."""
    return Finding(question, "not_applicable", None, None, None, None, list(evidence), [], why, "")


def verdict_above(effect: Interval, margin: float) -> str:
    """Shallow if an effect is surely above the margin, deep if surely below."""
    if effect.low > margin:
        return "shallow"
    return "deep" if effect.high < margin else "unclear"
