"""Cross-validation of a rung: it learns once for each fold, and answers the rows of the fold that it has not seen.

Few rows are then all judged and, in the end, all learned from (docs/decisions/0040).

Shape legend: N validation rows, M units of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from deepen.core.seed import derive
from deepen.core.settings import Settings
from deepen.core.types import Outputs
from deepen.data.batches import flat_positions
from deepen.data.table import Part
from deepen.ladder.decide import Standing, best_of, gain_over
from deepen.ladder.judge import Climbing, fold_folder
from deepen.ladder.refit import refit
from deepen.preparation.catalog import shelf
from deepen.problem.climbed import Climbed, Dynamics
from deepen.problem.work import Work


def fold_works(state: Climbing) -> list[Work]:
    """The climb without each fold's rows, which decide in it; each has a folder of its own for checkpoints."""
    context, folds = state.work.context, range(state.recipe.data.folds)
    held_out = [state.prepared.without_fold(fold).work for fold in folds]
    return [
        replace(work, context=replace(context, folder=fold_folder(state, fold)))
        for fold, work in zip(folds, held_out, strict=True)
    ]


def forecast(state: Climbing, name: str, settings: Settings) -> float | None:
    """Seconds of a rung's training: in cross-validation one without each fold and, if it is chosen, one on all rows."""
    rung = shelf()[name]
    if not state.cross_validated:
        return rung.forecast(state.work, settings)
    each = [rung.forecast(work, _of_fold(settings, work, state.work)) for work in fold_works(state)]
    whole = rung.forecast(state.work, settings)
    return None if whole is None or None in each else whole + sum(one or 0.0 for one in each)


def climb_folds(
    state: Climbing,
    name: str,
    settings: Settings,
    *,
    start: Standing | None,
    encoders: list[Standing],
    asked: bool,
    lends: bool,
) -> Climbed | str:
    """Trains a rung without each fold; one that is cheap on all rows too, others only if they are chosen.

    Args:
        start: The rung from whose models it starts: without a fold, from that one's without the fold.
        lends: Whether a trained rung may follow that starts from its models.
        asked: Whether it is judged on every fold, even if it gains nothing on the first.

    Returns:
        The rung, with its answers to all rows; or why it was given up before.
    """
    rung, found = shelf()[name], []
    for fold, work in enumerate(works := fold_works(state)):
        below = fold_folder(state, fold) / "rungs" / start.name / "model" if start else None
        one = rung.climb(work.above(start.score if start else None), _of_fold(settings, work, state.work), below)
        if one.stopped:
            return f"{one.reason} of fold {fold + 1} of {len(works)}"
        found.append(one)
        if fold == 0 and encoders and not (asked or rung.always or rung.few_shot):
            gain, over = _first_gain(state, one, work, encoders)
            if gain <= 0:
                return f"gained {100 * gain:+.1f} points over {over} on the first of {len(works)} folds"
    state.of_folds = tuple(one.predictor for one in found[: len(found) if lends else 1])
    won = typical([one.won for one in found])
    if rung.always:
        below = state.run.rung(start.name) / "model" if start else None
        whole = refit(works[0], state.work.problem.train, rung, settings, won, below=below)
    else:  # until it is chosen, the model of the first fold stands for it
        whole = found[0]
    befores = [one.before for one in found if one.before is not None]
    problem = state.work.problem
    return replace(
        whole,
        validation=gathered([one.validation for one in found], works, problem.validation),
        ran={key: value for key, value in found[0].ran.items() if key != "max_steps"},
        won=won,
        before=gathered(befores, works, problem.validation) if len(befores) == len(found) else None,
        dynamics=_seen(found, works, problem.train),
        curve=found[0].curve,
    )


def _of_fold(settings: Settings, work: Work, whole: Work) -> Settings:
    """A rung's settings without a fold: what says how many examples go by in all says less of fewer rows."""
    seen = getattr(settings, "examples_seen", None)
    if seen is None:
        return settings
    share = len(work.problem.train) / len(whole.problem.train)
    return settings.model_copy(update={"examples_seen": max(1, round(seen * share))})


def _first_gain(state: Climbing, one: Climbed, work: Work, encoders: list[Standing]) -> tuple[float, str]:
    """What a rung gains over the best encoder below it on the rows of one fold, and that one's name."""
    problem = work.problem
    at = np.flatnonzero(np.isin(state.work.problem.validation.rows_N, problem.validation.rows_N))
    below, task = best_of(encoders), problem.task
    stats_NK = task.statistics(one.validation, problem.validation_targets)
    new = Standing(
        state.work.context.folder.name, stats_NK, task.score(one.validation, problem.validation_targets), True
    )
    old = replace(below, stats_NK=below.stats_NK[at])
    gain = gain_over(new, old, task.value_of, seed=derive(state.recipe.seed, "gain")).interval
    return gain.value, below.name


def typical(won: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """What was chosen without the folds as one choice: of each setting the middle, of two the larger.

    Example:
        >>> typical([{"strengths": (0.1,)}, {"strengths": (0.03,)}])
        {'strengths': (0.1,)}
    """
    return {key: sorted(one[key] for one in won)[len(won) // 2] for key in won[0]}


def gathered(outputs: Sequence[Outputs], works: Sequence[Work], validation: Part) -> Outputs:
    """What was said of the rows of each fold, as outputs for all of them in their order."""
    at = [np.flatnonzero(np.isin(validation.rows_N, work.problem.validation.rows_N)) for work in works]
    counts_N = np.zeros(len(validation), dtype=np.int64)
    for places, one in zip(at, outputs, strict=True):
        counts_N[places] = np.diff(one.offsets_N1)
    offsets_N1 = np.concatenate([[0], np.cumsum(counts_N)])
    values_MC = np.zeros((offsets_N1[-1], outputs[0].values_MC.shape[1]), outputs[0].values_MC.dtype)
    for places, one in zip(at, outputs, strict=True):
        values_MC[flat_positions(offsets_N1, places)] = one.values_MC
    return Outputs(values_MC, offsets_N1)


def _seen(found: Sequence[Climbed], works: Sequence[Work], train: Part) -> Dynamics | None:
    """The training records of every row, of the first of the trainings that saw it."""
    records = [one.dynamics for one in found]
    if any(one is None for one in records):
        return None
    epochs = max(len(one.margins_EN) for one in records if one)
    whole = Dynamics(*(np.full((epochs, len(train)), np.nan, np.float32) for _ in range(2)))
    for one, work in reversed(list(zip(records, works, strict=True))):
        assert one is not None  # noqa: S101 - all are there
        at = np.flatnonzero(np.isin(train.rows_N, work.problem.train.rows_N))
        for values_EN, own_EN in ((whole.margins_EN, one.margins_EN), (whole.losses_EN, one.losses_EN)):
            values_EN[:, at] = np.nan
            values_EN[: len(own_EN), at] = own_EN
    return whole
