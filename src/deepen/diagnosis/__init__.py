"""How a model gets its score: one file a question, and the function that asks them all.

Every file or folder of `questions/` has `ORDER` (its place on the page), `QUESTION` (a sentence), a class
`QuestionSettings`, and `ask(case, settings)`, which returns findings: at least one, with the verdict `not_applicable`
and the reason as its caveat where the question makes no sense. A question never changes the model, and calls a verdict
only by an effect whose interval leaves no doubt.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Sequence
from functools import cache
from types import ModuleType
from typing import Any

from pydantic import create_model

from deepen.core.errors import SettingError, nearest
from deepen.core.progress import progress
from deepen.core.settings import Settings
from deepen.core.types import Finding
from deepen.diagnosis import questions
from deepen.diagnosis.case import MAX_ROWS, Case


@cache
def shelf() -> dict[str, ModuleType]:
    """Every question there is, by name, in the order of the page."""
    names = [found.name for found in pkgutil.iter_modules(questions.__path__)]
    modules = {name: importlib.import_module(f"deepen.diagnosis.questions.{name}") for name in names}
    return dict(sorted(modules.items(), key=lambda item: item[1].ORDER))


class _Asking(Settings):
    """What may be chosen about a diagnosis; beside `max_rows`, a section for each question."""

    max_rows: int = MAX_ROWS
    """The most rows that the model is tried on."""


@cache
def settings_type() -> type[_Asking]:
    """The settings of a diagnosis, with one section for each file or folder of `questions/`."""
    fields: dict[str, Any] = {
        name: (module.QuestionSettings, module.QuestionSettings()) for name, module in shelf().items()
    }
    return create_model("Asking", __base__=_Asking, __doc__=_Asking.__doc__, **fields)


def chosen_questions(questions: Sequence[str] | str | None) -> tuple[str, ...]:
    """Checks names of questions.

    Args:
        questions: A list, or names with commas between them; None takes all.

    Returns:
        The names, in the order of the page.

    Raises:
        SettingError: If there is no such question.
    """
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
    "many": "a row has any number of right outputs: the question is about one label a row",
}


def diagnose(case: Case, names: Sequence[str], settings: Any) -> list[Finding]:
    """Asks questions about a model.

    Args:
        case: The model on trial.
        names: The questions.
        settings: A value of `settings_type()`.

    Returns:
        What was found, in the order of the questions.
    """
    kind = "scores" if case.targets.are_scores else "many" if case.targets.are_many else "labels"
    kind = "ranks" if case.task.documents is not None else kind
    findings: list[Finding] = []
    with progress("diagnosing", len(names), unit="questions") as advance:
        for name in names:
            module = shelf()[name]
            if kind in getattr(module, "TARGETS", ("labels",)):
                findings += module.ask(case, getattr(settings, name))
            else:
                findings.append(Finding(name, "not_applicable", None, None, None, None, [], [], _WHY[kind], ""))
            advance()
    return findings
