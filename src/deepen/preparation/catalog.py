"""What is on the shelves that a climb takes from: rungs, tasks and tunings, by name."""

from __future__ import annotations

import importlib
import pkgutil
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

    found: dict[str, Rung] = values(deepen.rungs, "RUNG")
    return dict(sorted(found.items(), key=lambda item: item[1].order))


@cache
def tasks() -> tuple[str, ...]:
    """Every task there is: the files of the folder `tasks`."""
    import deepen.tasks

    return tuple(sorted(found.name for found in pkgutil.iter_modules(deepen.tasks.__path__)))


@cache
def tunings() -> dict[str, Method]:
    """Every fine-tuning method there is, by name: the files of the folder `tuning`."""
    import deepen.tuning

    return values(deepen.tuning, "METHOD")


def load_task(name: str, settings: Any = None) -> Task:
    """The task of that name: the value `TASK` of its file, or what its `configured` makes of settings.

    Args:
        settings: Its settings, as the recipe or deepen.json has them; None takes the defaults.

    Returns:
        The task.
    """
    module = importlib.import_module(f"deepen.tasks.{name}")
    if settings is None or not hasattr(module, "TaskSettings"):
        task: Task = module.TASK
        return task
    values = settings.model_dump() if isinstance(settings, Settings) else settings
    made: Task = module.configured(parse(module.TaskSettings, values, where=f"tasks.{name}"))
    return made
