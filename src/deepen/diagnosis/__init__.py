"""How a model gets its score: each file or folder of `questions/` has a value `QUESTION`; `diagnose` asks them all."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

from pydantic import create_model

from deepen.core.errors import SettingError, nearest
from deepen.core.progress import progress
from deepen.core.settings import Settings
from deepen.core.shelf import values
from deepen.core.types import Finding
from deepen.diagnosis import questions as room
from deepen.diagnosis.case import MAX_ROWS, Case
from deepen.diagnosis.question import Question, not_applicable


@cache
def shelf() -> dict[str, Question]:
    """Every question there is, by name, in the order of the page."""
    return dict(sorted(values(room, Question).items(), key=lambda item: item[1].order))


class _Asking(Settings):
    """What may be chosen about a diagnosis; beside `max_rows`, a section for each question."""

    max_rows: int = MAX_ROWS
    """The most rows that the model is tried on."""


@cache
def settings_type() -> type[_Asking]:
    """The settings of a diagnosis, with one section for each file or folder of `questions/`."""
    fields: dict[str, Any] = {name: (question.settings, question.settings()) for name, question in shelf().items()}
    return create_model("Asking", __base__=_Asking, __doc__=_Asking.__doc__, **fields)


def chosen_questions(questions: Sequence[str] | str | None) -> tuple[str, ...]:
    """Checks names of questions, a list or with commas between; None takes all. In the order of the page."""
    if questions is None:
        return tuple(shelf())
    asked = questions.split(",") if isinstance(questions, str) else list(questions)
    names = {str(name).strip() for name in asked} - {""}
    for name in names:
        if name not in shelf():
            raise SettingError(f"unknown question '{name}'; {nearest(name, shelf())}")
    if not names:
        raise SettingError("name at least one question")
    return tuple(name for name in shelf() if name in names)


_WHY = {
    "scores": "a score is neither right nor wrong: the question is about labels",
    "ranks": "a right document is not a label that other rows share: the question is about those",
    "texts": "an answer is text, which is near to the right one or far from it: the question is about labels",
    "many": "a row has any number of right outputs: the question is about one label a row",
}


def diagnose(case: Case, names: Sequence[str], settings: Any) -> list[Finding]:
    """Asks questions about a model. `settings` is a value of `settings_type()`."""
    kind = case.task.target.name
    findings: list[Finding] = []
    with progress("diagnosing", len(names), unit="questions") as advance:
        for name in names:
            if kind in shelf()[name].kinds:
                findings += shelf()[name].ask(case, getattr(settings, name))
            else:
                findings.append(not_applicable(name, _WHY[kind]))
            advance()
    return findings
