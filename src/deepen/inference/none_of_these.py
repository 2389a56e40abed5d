"""How a run tells rows that belong to none of its labels, chosen on rows when the run is made.

Scores of strangeness are weighed by what tells best rows outside from rows of a known label: rows that were given, or
rows of labels that are held out in turn. A row is refused from a threshold on: the lowest at which, by
`evaluation/bounds.py`, the share of known rows that lose their right answer is as small as was promised. Start with
`learn_to_refuse`.

Shape legend: as in `evaluation/none_of_these/`; S scores.
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
from deepen.evaluation.none_of_these import Kept, Seen, auroc, shelf
from deepen.evaluation.promises import NONE_OF_THESE
from deepen.inference.analogies import sees
from deepen.inference.model import Model
from deepen.inference.refusing import Refusing, scored, states_of, write_refusing
from deepen.preparation.none_of_these import NoneOfThese, outside_of
from deepen.preparation.rows import Rows
from deepen.shallow.tfidf import both_sides

_USUAL = "probability"
"""Where nothing tells them."""
_THRESHOLDS = np.linspace(-20.0, 60.0, 8001)
"""In standard deviations of known rows, times the weights; fixed for all data."""
_LEAST, _NEVER = 1e-6, 1e30
_MOST_KEPT, _MOST_LEARNED, _TURNS = 20_000, 5_000, 4
_STRENGTH = 30.0  # of a logistic regression on states of length 1


def learn_to_refuse(
    model: Model, rows: Rows, wish: NoneOfThese, *, seed: int, say: Callable[[str], None]
) -> Sequence[Score]:
    """Weighs the scores, finds the threshold, and keeps both with the run.

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
    by, turns = _turns(model, rows, wish, held=held, kept=kept, seed=seed)
    names = [name for name, score in shelf().items() if kept is not None or not score.needs_rows]
    numbers = [(scored(names, known, some), scored(names, others, some)) for known, others, some in turns]
    chosen = {name: _auroc(numbers, at) for at, name in enumerate(names) if turns}
    own = wish.score if wish.score in names else _USUAL
    if wish.score not in (*names, "auto"):
        say(f"  note: none_of_these.score={wish.score} compares states, and {model.rung} has none: {own} stands in")
    weights_S = _weighed(numbers) if turns and wish.score not in names else np.zeros(len(names))
    if not weights_S.any():
        weights_S[names.index(own)] = 1.0
    held_NS = scored(names, held, kept)
    weights_S, shift = _unscaled(weights_S, held_NS)
    strange_N, right_N = held_NS @ weights_S + shift, held.logits_NC.argmax(1) == labels_N
    bound = threshold(strange_N, right_N, "harm", at_most=wish.most_lost, thresholds=_THRESHOLDS)
    least = _NEVER if bound.threshold is None else bound.threshold
    weights = {name: float(weight) for name, weight in zip(names, weights_S, strict=True) if weight}
    needed = kept if any(shelf()[name].needs_rows for name in weights) else None
    refusing = Refusing(weights, shift, float(least), wish.label, model.mark, chosen, by, needed)
    write_refusing(model.run_folder, refusing, replace(bound, coverage=1 - bound.coverage))
    most = max(weights, key=lambda name: weights[name] * held_NS[:, names.index(name)].std())
    chosen_by = f", weighed by {by}" if by else ""
    lost = (
        f"{bound.coverage:.1%} of the validation rows get no answer, {bound.wrong:,} of {bound.rows:,} lose a right one"
    )
    say(f"  none of these: above all {shelf()[most].title}{chosen_by}; {lost}")
    if bound.threshold is None:
        say(f"  warning: none of these: every row will be answered, since {bound.why}")
    if rows.test is None:
        return ()
    return refusing.scores(model.predictor, rows.test, seed=seed)


Turn = tuple[Seen, Seen, Kept | None]
"""Known rows, rows outside, and the training rows of the model that sees both."""


def _turns(
    model: Model, rows: Rows, wish: NoneOfThese, *, held: Seen, kept: Kept | None, seed: int
) -> tuple[str, list[Turn]]:
    """What rows weigh the scores, in words, and those rows; none where there are no rows outside and none stand in."""
    assert rows.validation is not None  # noqa: S101 - it has been judged
    tables = {id(part.table): part.table for part in (rows.train, rows.validation)}.values()
    outside = [part for table in tables if len(part := outside_of(table, wish.label))]
    if outside:
        by = f"{sum(map(len, outside)):,} rows of '{wish.label}'"
        return by, [(held, _see(model, part, kept), kept) for part in outside]
    if kept is None or len(model.labels) < 3:
        return "", []
    labels_N = model.task.targets(rows.validation, model.labels).labels_M
    return "labels held out in turn", list(_in_turn(held, labels_N, kept, seed=seed))


def _see(model: Model, part: Part, kept: Kept | None) -> Seen:
    states = None if kept is None else states_of(model.predictor, part)
    return Seen(model.predictor.predict(part).values_MC, states)


def _keep(model: Model, train: Part, seed: int) -> Kept:
    if len(train) > _MOST_KEPT:
        chance = np.random.default_rng(derive(seed, NONE_OF_THESE))
        train = train.take(np.sort(chance.permutation(len(train))[:_MOST_KEPT]))
    logits_KC = model.predictor.predict(train).values_MC.astype(np.float16).astype(np.float32)
    return Kept(states_of(model.predictor, train), logits_KC, model.task.targets(train, model.labels).labels_M)


Numbers = list[tuple[np.ndarray, np.ndarray]]
"""Scores of known rows and of rows outside, each numbers_NS, for each turn."""


def _auroc(numbers: Numbers, at: int) -> float:
    """How well a score tells rows outside, in the mean of the turns."""
    both = [(np.concatenate([known[:, at], others[:, at]]), len(known)) for known, others in numbers]
    return float(np.mean([auroc(strange_N, np.arange(len(strange_N)) >= num) for strange_N, num in both]))


def _weighed(numbers: Numbers) -> np.ndarray:
    """What each score counts, in standard deviations of known rows: by a logistic regression, none below 0."""
    from sklearn.linear_model import LogisticRegression

    spread = [(known.mean(0), known.std(0) + _LEAST) for known, _ in numbers]
    parts = [(part - mean) / std for (mean, std), turn in zip(spread, numbers, strict=True) for part in turn]
    values_NS = np.concatenate(parts)
    outside_N = np.concatenate([np.full(len(part), at % 2) for at, part in enumerate(parts)])
    weights_S = np.zeros(values_NS.shape[1])
    there = np.arange(len(weights_S))
    while len(there):
        found = LogisticRegression(class_weight="balanced").fit(values_NS[:, there], outside_N).coef_[0]
        if found.min() >= 0 or len(there) == 1:
            weights_S[there] = np.abs(found)
            break
        there = np.delete(there, found.argmin())
    return weights_S


def _unscaled(weights_S: np.ndarray, known_NS: np.ndarray) -> tuple[np.ndarray, float]:
    """Weights of the scores as they are, and what is added, so that known rows have a mean of 0."""
    own_S = weights_S / (known_NS.std(0) + _LEAST)
    return own_S, float(-known_NS.mean(0) @ own_S)


def _in_turn(held: Seen, labels_N: np.ndarray, kept: Kept, *, seed: int) -> Iterator[Turn]:
    """The validation rows as a model sees them that knows only some of the labels: a head solved without the others.

    Yields:
        Rows of labels that it knows, rows of the others, and the training rows that it has.
    """
    from sklearn.linear_model import LogisticRegression

    labels = np.random.default_rng(derive(seed, NONE_OF_THESE)).permutation(np.unique(kept.labels_K))
    for gone in np.array_split(labels, min(_TURNS, len(labels))):
        there = np.flatnonzero(~np.isin(kept.labels_K, gone))
        states_KF, labels_K = kept.states_KF[there], kept.labels_K[there]
        learned = slice(None, None, -(-len(there) // _MOST_LEARNED))
        model = LogisticRegression(C=_STRENGTH, max_iter=60, tol=1e-3)
        with warnings.catch_warnings(action="ignore"):
            weight_CF, bias_C = both_sides(model.fit(states_KF[learned], labels_K[learned]))
        logits_NC = np.asarray(held.states_NF @ weight_CF.T + bias_C)
        outside_N = np.isin(labels_N, gone)
        if outside_N.any() and not outside_N.all():
            known, others = (Seen(logits_NC[at_N], held.states_NF[at_N]) for at_N in (~outside_N, outside_N))
            own_K = np.searchsorted(np.unique(labels_K), labels_K)  # as the head numbers them
            yield known, others, Kept(states_KF, np.asarray(states_KF @ weight_CF.T + bias_C), own_K)
