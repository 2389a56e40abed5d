"""How a run is made from a recipe: prepared, climbed, and left with its card and its page."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from deepen.core.cache import trim
from deepen.core.errors import Interrupted
from deepen.core.ladder import LadderRow
from deepen.core.lock import holding
from deepen.core.run import Run
from deepen.core.types import Score
from deepen.inference.model import load_model
from deepen.inference.none_of_these import learn_to_refuse
from deepen.ladder.climb import climb
from deepen.ladder.judge import Events
from deepen.models.device import on
from deepen.preparation.environment import write_environment
from deepen.preparation.place import new_run
from deepen.preparation.prepare import Prepared, prepare
from deepen.preparation.read import Sources, infer_task
from deepen.preparation.recipe import Recipe, write_recipe
from deepen.preparation.resume import check_resumed, check_rows
from deepen.reporting.leave import leave_card, leave_page


def with_task(recipe: Recipe, sources: Sources, say: Callable[[str], None]) -> Recipe:
    """The recipe with a task: its own, or the one that the rows look like, which is said."""
    if recipe.task is not None:
        return recipe
    name, why = infer_task(recipe, sources)
    say(f"task: {name}, since {why}")
    return recipe.model_copy(update={"task": name})


def make_run(
    recipe: Recipe,
    sources: Sources,
    folder: Path,
    *,
    resume: bool,
    overwrite: bool,
    listeners: tuple[Callable[[str], None], Callable[[LadderRow], None] | None],
    began: float,
) -> Run:
    """Prepares, climbs, and leaves card and page.

    Args:
        listeners: Called with lines for the user, and with each finished row of the ladder.
        began: The moment (`time.monotonic`) from which time is counted.

    Raises:
        Interrupted: If Ctrl-C came in the middle; the run can be resumed.
    """
    say, on_row = listeners
    run = Run(folder)
    with on(recipe.device, say) as there, holding(folder) as hold:
        recipe = recipe.model_copy(update={"device": str(there)})
        if resume:
            recipe = check_resumed(folder, recipe)
        again = resume and run.complete
        if again:
            say(f"{folder} is complete already")
        else:
            trim(say)
            prepared = prepare(recipe, sources, folder, say=say)
            if resume:
                check_rows(run, prepared.mark)
            recipe = prepared.resolved(recipe)
            new_run(folder, resume=resume, overwrite=overwrite)
            hold()
            write_environment(folder, prepared, recipe)  # first, since it tells whose folder it is
            write_recipe(folder / "recipe.yaml", recipe)
            events = Events(on_row or (lambda row: None), leave_card, partial(_refuse, run, prepared, recipe, say))
            try:
                climb(recipe, prepared, run, events, began=began)
            except KeyboardInterrupt:
                raise Interrupted(folder) from None
        if not again or not (folder / "report.html").is_file():
            leave_card(run, say)
            leave_page(run, say)
    return run


def _refuse(run: Run, prepared: Prepared, recipe: Recipe, say: Callable[[str], None]) -> Sequence[Score]:
    """Lets the finished model tell rows of none of its labels, if that was asked for."""
    if not recipe.none_of_these.refuse:
        return ()
    model, seed = load_model(run.folder), recipe.seed
    return learn_to_refuse(model, prepared.rows, recipe.none_of_these, seed=seed, say=say)
