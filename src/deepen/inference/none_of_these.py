"""How a run tells rows that belong to none of its labels, chosen on rows when the run is made.

The score is that which tells best rows outside from rows of a known label: rows that were given, or rows of labels that
are held out in turn. A row is refused from a threshold on: the lowest at which, by `evaluation/bounds.py`, the share of
known rows that lose their right answer is as small as was promised. Start with `learn_to_refuse`.

Shape legend: as in `evaluation/none_of_these/`.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import numpy as np

from deepen.core.seed import derive
from deepen.core.types import Score
from deepen.data.table import Part
from deepen.evaluation.bounds import threshold
from deepen.evaluation.none_of_these import Kept, Seen, Strangeness, auroc, shelf
from deepen.inference.analogies import sees
from deepen.inference.model import Model
from deepen.inference.refusing import NAME, Refusing, states_of, write_refusing
from deepen.preparation.none_of_these import NoneOfThese, outside_of
from deepen.preparation.rows import Rows
from deepen.shallow.tfidf import both_sides

_USUAL = "probability"
"""Where nothing chooses."""
_MOST_KEPT, _MOST_LEARNED, _TURNS = 20_000, 5_000, 4
_STRENGTH = 30.0  # of a logistic regression on states of length 1


def learn_to_refuse(
    model: Model, rows: Rows, wish: NoneOfThese, *, seed: int, say: Callable[[str], None]
) -> Sequence[Score]:
    """Chooses the score and the threshold, and keeps them with the run.

    Args:
        model: The run's model.
        rows: What the run was made of.
        seed: Which training rows are compared with where there are many, and which labels are held out together.

    Returns:
        The scores of the test rows that `Model.evaluate` adds; none without test rows.
    """
    assert model.run_folder is not None  # noqa: S101 - it has just been trained
    assert rows.validation is not None  # noqa: S101 - and judged
    kept = _keep(model, rows.train, seed) if sees(model.predictor) else None
    held = _see(model, rows.validation, kept)
    labels_N = model.task.targets(rows.validation, model.labels).labels_M
    tables = {id(part.table): part.table for part in (rows.train, rows.validation)}.values()
    outside = [part for table in tables if len(part := outside_of(table, wish.label))]
    if outside:
        by, turns = (
            f"{sum(map(len, outside)):,} rows of '{wish.label}'",
            [(held, _see(model, part, kept), kept) for part in outside],
        )
    elif kept is not None and len(model.labels) > 2:
        by, turns = "labels held out in turn", list(_in_turn(held, labels_N, kept, seed))
    scores = {name: score for name, score in shelf().items() if kept is not None or not score.needs_states}
    chosen = {name: float(np.mean([_auroc(score, *turn) for turn in turns])) for name, score in scores.items() if turns}
    name = wish.score if wish.score in scores else max(chosen or {_USUAL: 1.0}, key=lambda name: chosen.get(name, 0.0))
    score = scores[name]
    strange_N, right_N = score.of(held, kept), held.logits_NC.argmax(1) == labels_N
    bound = threshold(strange_N, right_N, "harm", at_most=wish.most_lost, thresholds=score.thresholds)
    least = score.most if bound.threshold is None else bound.threshold
    refusing = Refusing(name, least, wish.label, model.mark, chosen, by, kept if score.needs_states else None)
    write_refusing(model.run_folder, refusing, replace(bound, coverage=1 - bound.coverage))
    chosen_by = f", chosen by {by}" if by else ""
    lost = (
        f"{bound.coverage:.1%} of the validation rows get no answer, {bound.wrong:,} of {bound.rows:,} lose a right one"
    )
    say(f"  none of these: {score.title}{chosen_by}; {lost}")
    if rows.test is None:
        return ()
    return refusing.scores(model.predictor, rows.test, seed=seed)


def _see(model: Model, part: Part, kept: Kept | None) -> Seen:
    states = None if kept is None else states_of(model.predictor, part)
    return Seen(model.predictor.predict(part).values_MC, states)


def _keep(model: Model, train: Part, seed: int) -> Kept:
    if len(train) > _MOST_KEPT:
        chance = np.random.default_rng(derive(seed, NAME))
        train = train.take(np.sort(chance.permutation(len(train))[:_MOST_KEPT]))
    return Kept(states_of(model.predictor, train), model.task.targets(train, model.labels).labels_M)


def _auroc(score: Strangeness, known: Seen, outside: Seen, kept: Kept | None) -> float:
    strange = [score.of(seen, kept) for seen in (known, outside)]
    return auroc(np.concatenate(strange), np.arange(sum(map(len, strange))) >= len(strange[0]))


def _in_turn(held: Seen, labels_N: np.ndarray, kept: Kept, seed: int) -> Iterator[tuple[Seen, Seen, Kept]]:
    """The validation rows as a model sees them that knows only some of the labels: a head solved without the others.

    Yields:
        Rows of labels that it knows, rows of the others, and the training rows that it has.
    """
    from sklearn.linear_model import LogisticRegression

    labels = np.random.default_rng(derive(seed, NAME)).permutation(np.unique(kept.labels_K))
    for gone in np.array_split(labels, min(_TURNS, len(labels))):
        there = np.flatnonzero(~np.isin(kept.labels_K, gone))
        some = Kept(kept.states_KF[there], kept.labels_K[there])
        learned = slice(None, None, -(-len(there) // _MOST_LEARNED))
        model = LogisticRegression(C=_STRENGTH, max_iter=60, tol=1e-3)
        with warnings.catch_warnings(action="ignore"):
            weight_CF, bias_C = both_sides(model.fit(some.states_KF[learned], some.labels_K[learned]))
        logits_NC = np.asarray(held.states_NF @ weight_CF.T + bias_C)
        outside_N = np.isin(labels_N, gone)
        if outside_N.any() and not outside_N.all():
            known, others = (Seen(logits_NC[at_N], held.states_NF[at_N]) for at_N in (~outside_N, outside_N))
            yield known, others, some
