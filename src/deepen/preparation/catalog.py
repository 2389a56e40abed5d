"""What is on the shelves that a climb takes from: rungs, tasks and tunings, by name."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from deepen.core.settings import Settings, parse
from deepen.core.shelf import value, values
from deepen.problem.rung import Rung
from deepen.problem.task import Task

if TYPE_CHECKING:
    from deepen.models.adapters import Method


@cache
def shelf() -> dict[str, Rung]:
    """Every rung there is, by name, from shallow to deep: the files of the folder `rungs`."""
    import deepen.rungs

    return dict(sorted(values(deepen.rungs, Rung).items(), key=lambda item: item[1].order))


@cache
def tasks() -> dict[str, Task]:
    """Every task there is, by name, with the defaults of its settings: the files of the folder `tasks`."""
    import deepen.tasks

    return values(deepen.tasks, Task)


@cache
def tunings() -> dict[str, Method]:
    """Every fine-tuning method there is, by name: the files of the folder `tuning`."""
    import deepen.tuning
    from deepen.models.adapters import Method

    return values(deepen.tuning, Method)


def load_rung(name: str) -> Rung:
    """The rung of that name; KeyError if there is none."""
    return value("deepen.rungs", name, Rung)


def load_task(name: str, settings: Any = None) -> Task:
    """The task of that name, as settings want it.

    Args:
        settings: Its settings, as the recipe or deepen.json has them; None takes the defaults.
    """
    task = value("deepen.tasks", name, Task)
    if settings is None or task.settings is None or task.configured is None:
        return task
    chosen = settings.model_dump() if isinstance(settings, Settings) else settings
    return task.configured(parse(type(task.settings), chosen, where=f"tasks.{name}"))
