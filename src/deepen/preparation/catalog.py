"""What is on the shelves that a climb takes from: rungs, tasks and tunings, by name."""

from __future__ import annotations

from functools import cache
from typing import Any

from deepen.core.settings import Settings, parse
from deepen.core.shelf import values
from deepen.models.adapters import Method
from deepen.problem.rung import Rung
from deepen.problem.task import Task


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

    return values(deepen.tuning, Method)


def load_task(name: str, settings: Any = None) -> Task:
    """The task of that name, as settings want it.

    Args:
        settings: Its settings, as the recipe or deepen.json has them; None takes the defaults.

    Returns:
        The task.
    """
    task = tasks()[name]
    if settings is None or task.settings is None or task.configured is None:
        return task
    chosen = settings.model_dump() if isinstance(settings, Settings) else settings
    return task.configured(parse(type(task.settings), chosen, where=f"tasks.{name}"))
