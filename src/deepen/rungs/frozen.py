"""The untouched encoder's features, computed once, and a linear head on them solved to convergence."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from deepen.core.seed import derive
from deepen.core.settings import Settings
from deepen.core.types import Outputs, Targets
from deepen.data.batches import flat_positions
from deepen.data.table import Part
from deepen.finetuning.hidden_cache import Frozen, frozen_pass
from deepen.finetuning.predictor import EncoderPredictor, load_predictor, reader_of, reader_or_writer
from deepen.finetuning.solved_head import best_head, headed
from deepen.generation.writer import writer_of
from deepen.models.linear import Solved
from deepen.models.network import fresh_network
from deepen.problem.climbed import Climbed
from deepen.problem.rung import Rung
from deepen.problem.work import Work

# With fewer training units than this for each number of a feature, a head may know them by heart.
_UNITS_A_FEATURE = 10
_FITTED_ROWS = 5000


class RungSettings(Settings):
    """The head on frozen features."""

    strengths: tuple[float, ...] = (0.003, 0.01, 0.03, 0.1, 0.3, 1.0)
    """Values of C (inverse regularisation, features standardised) to choose from by the validation rows' loss."""
    max_iterations: int = 100
    """L-BFGS iterations for each C; each starts from the solution before."""
    max_units: int = 100_000
    """Of more training units (rows, or words in tagging) so many are drawn to solve the head: a few hundred numbers a
    class are known by then, and memory stays flat in the rows."""
    keep_layers: bool = True
    """Keep the hidden states below the top third of the layers too, for the rung `top_layers`."""


def climb(work: Work, settings: RungSettings, below: Path | None) -> Climbed:
    """Runs the encoder once over every row, solves the head for each C and keeps the best on validation."""
    problem = work.problem
    if problem.task.writes is not None:
        return _written(work)
    cut = work.base.first_top_layer if settings.keep_layers else None
    train = frozen_pass(work, problem.train.table, cut=cut)
    same = problem.validation.table is problem.train.table
    held = train if same else frozen_pass(work, problem.validation.table, cut=cut)
    target = problem.task.target
    if target.solve is None:
        return _untrained(work, held)
    given = {"most": settings.max_units, "seed": work.context.seed}
    scored = _scored(train, problem.train, problem.train_targets, **given)
    validation = _scored(held, problem.validation, problem.validation_targets, **given)
    how: dict[str, Any] = {"strengths": settings.strengths, "max_iterations": settings.max_iterations}
    best = best_head(problem, target.solve, scored, validation, title="frozen: solving the head", **how)
    before = target.untrained(*scored, problem.num_outputs) if target.untrained is not None else None
    predictor = headed(work, work.base.model.encoder(), best)
    return Climbed(
        predictor=predictor,
        validation=_outputs(held, problem.validation, best),
        num_trained_parameters=predictor.num_parameters,
        won={"strengths": (best.strength,)},
        before=None if before is None else _outputs(held, problem.validation, before),
        fitted=_fitted(work, train, best, len(scored[0])),
    )


def _written(work: Work) -> Climbed:
    """Where the answer is text: what the untouched network writes."""
    writer = writer_of(work)
    return Climbed(writer, writer.predict(work.problem.validation), num_trained_parameters=0)


class _Cached(EncoderPredictor):
    """A reader whose features are there already."""

    def features(self, part: Part, frozen: Frozen | None = None) -> np.ndarray:
        """As they were cached."""
        assert frozen is not None  # noqa: S101 - the climb has it
        return frozen.features_MF[flat_positions(frozen.unit_offsets(), part.rows_N)]


def _untrained(work: Work, held: Frozen) -> Climbed:
    """Where there is no head to solve: what a fresh one says, as the cosine of the untouched encoder's means."""
    predictor = reader_of(
        work, fresh_network(work.base.model.encoder(), work.form.head, work.problem.num_outputs).eval()
    )
    cached = _Cached(**vars(predictor))
    return Climbed(predictor, cached.predict(work.problem.validation, held), num_trained_parameters=0)


def _fitted(work: Work, train: Frozen, head: Solved, num_units: int) -> float | None:
    """The score on training rows; None where a deeper form reads more than the features, or the head could cram."""
    problem = work.problem
    if (
        problem.task.target.is_number
        or problem.task.deep is not None
        or num_units < _UNITS_A_FEATURE * len(head.weight_CF.T)
    ):
        return None
    chance = np.random.default_rng(derive(work.context.seed, "fitted"))
    some = problem.train.take(np.sort(chance.permutation(len(problem.train))[:_FITTED_ROWS]))
    return problem.task.score(_outputs(train, some, head), problem.targets(some))


def _features(frozen: Frozen, part: Part) -> Tensor:
    return torch.from_numpy(frozen.features_MF[flat_positions(frozen.unit_offsets(), part.rows_N)])


def _scored(frozen: Frozen, part: Part, targets: Targets, *, most: int, seed: int) -> tuple[Tensor, Tensor]:
    """Features and labels of the units that are scored; of more than `most`, so many drawn at random."""
    chosen = np.flatnonzero(targets.scored_M)
    if len(chosen) > most:
        chance = np.random.default_rng(derive(seed, "units"))
        chosen = np.sort(chance.choice(chosen, most, replace=False))
    places_M = flat_positions(frozen.unit_offsets(), part.rows_N)
    return torch.from_numpy(frozen.features_MF[places_M[chosen]]), torch.from_numpy(targets.labels_M[chosen])


def _outputs(frozen: Frozen, part: Part, head: Solved) -> Outputs:
    logits_MC = torch.addmm(head.bias_C, _features(frozen, part), head.weight_CF.T).numpy()
    counts = np.diff(frozen.unit_offsets())[part.rows_N]
    return Outputs(logits_MC, np.concatenate([[0], np.cumsum(counts)]))


RUNG = Rung(
    about=__doc__,
    order=20,
    always=True,
    warm_starts=True,
    self_trainable=True,
    settings=RungSettings,
    climb=climb,
    load=reader_or_writer(load_predictor),
    writes=True,
)
