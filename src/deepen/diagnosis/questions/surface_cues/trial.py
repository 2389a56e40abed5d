"""Cues on trial: what a model says of altered texts, and what heads on the untouched encoder say.

Everything is altered first and then read at once. docs/decisions/0013-cues-and-meaning.md says why it is done so.

Shape legend: N rows, R pairs of altered rows, K training rows, C labels.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from deepen.data.table import Part
from deepen.data.words import words_of
from deepen.diagnosis.questions.surface_cues.find import Cue
from deepen.diagnosis.questions.surface_cues.ridge import Ridge
from deepen.diagnosis.questions.surface_cues.rows import Known, Plan, Texts, plan_texts

_MOST_SCREENED = 400
_MOST_FORGOTTEN = 400
_LEAST_OWN_ROWS = 3
_MOST_LENGTHS = 4


@dataclass(frozen=True)
class Trial:
    """One cue on trial, put into `contexts_R`, rows of other labels; `named` if the name of its label holds it.

    `model_R` is how far it moves the model there: the share of the way from other labels' texts to the label's own,
    less what a random word does (for a length: nothing); `head_R` the same for a head on the untouched encoder,
    `twin_R` for its twin, which learned without the cue. `own_K` is where training rows of the label that had the cue
    stand on that way without it, `others_K` where its others stand without a random word. `right` says whether the
    model is right in rows of other labels with the cue (`contradicting`), of its own (`agreeing`) and in training rows
    without it (`removed`), each with its `_control`; `fooled_R` where it says the label only with the cue; `known`
    whether there is an encoder.
    """

    cue: Cue
    named: bool
    contexts_R: np.ndarray
    model_R: np.ndarray
    head_R: np.ndarray
    twin_R: np.ndarray
    own_K: np.ndarray
    others_K: np.ndarray
    right: dict[str, np.ndarray]
    fooled_R: np.ndarray
    known: bool


def choose_cues(known: Known, cues: Sequence[Cue], num_strongest: int, num_suspects: int) -> list[Cue]:
    """The cues to try, of labels that enough rows have: the strongest, and others a head knows only as it saw them."""
    num_own_C = np.bincount(known.targets_N, minlength=len(known.case.labels))
    cues = [cue for cue in cues if num_own_C[cue.label] >= _LEAST_OWN_ROWS]
    lengths = [cue for cue in cues if not cue.words][:_MOST_LENGTHS]
    cues = [cue for cue in cues if cue.words]
    first, others = cues[:num_strongest], cues[num_strongest : num_strongest + _MOST_SCREENED]
    others = [cue for cue in others if not in_name(cue, known.case.labels[cue.label])]
    if not known.has_encoder or not others:
        return first + lengths
    alone = known.encode(known.train.take(np.zeros(len(others), np.int64)), [cue.text for cue in others])
    gaps = []
    for cue, features_F in zip(others, alone, strict=True):
        rows = known.having(cue)[:_MOST_FORGOTTEN]
        twin = known.head.score_without(features_F, known.features_NF[rows], known.labels_N[rows], cue.label)
        gaps.append(float(known.head.scores(features_F[None], cue.label)[0]) - max(twin, 0.0))
    return first + lengths + [others[at] for at in np.argsort(-np.array(gaps), kind="stable")[:num_suspects]]


def in_name(cue: Cue, name: str) -> bool:
    """Whether a label's name holds all the words of a cue: `card_arrival` or `cardArrival` hold `card`."""
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name).replace("_", " ")
    return bool(cue.words) and set(cue.words) <= set(words_of(spaced))


def try_cues(known: Known, cues: Sequence[Cue], *, num_rows: int) -> list[Trial]:
    """Puts cues into texts and takes them out, and asks the model and the heads; none for a cue all rows have."""
    plans = [plan for cue in cues if len((plan := plan_texts(known, cue, num_rows)).held[0].rows)]
    if not plans:
        return []
    held = [list(plan.held) for plan in plans]
    trained = [[plan.hidden, *plan.rest] for plan in plans]
    put = _read(known.case.rows, held, known.answer)
    taken = _read(known.train, trained, known.answer)
    if not known.has_encoder:
        return [_trial(known, *each, None) for each in zip(plans, put, taken, strict=True)]
    pairs = [some[: 2 if plan.cue.words else 4] for plan, some in zip(plans, held, strict=True)]
    pairs_seen = _read(known.case.rows, pairs, known.encode)
    hidden_seen = _read(known.train, [[plan.hidden] for plan in plans], known.encode)
    seen = [(pair, hidden) for pair, [hidden] in zip(pairs_seen, hidden_seen, strict=True)]
    return [_trial(known, *each) for each in zip(plans, put, taken, seen, strict=True)]


def _read(
    part: Part, some: list[list[Texts]], reader: Callable[[Part, list[str]], np.ndarray]
) -> list[list[np.ndarray]]:
    """What a reader gives for all texts at once, laid out again by trial and purpose."""
    every = [one for each in some for one in each]
    rows = np.concatenate([one.rows for one in every]).astype(np.int64)
    values = reader(part.take(rows), [text for one in every for text in one.texts])
    parts = iter(np.split(values, np.cumsum([len(one.rows) for one in every])[:-1]))
    return [[next(parts) for _ in each] for each in some]


def _trial(
    known: Known,
    plan: Plan,
    held: list[np.ndarray],
    trained: list[np.ndarray],
    seen: tuple[list[np.ndarray], np.ndarray] | None,
) -> Trial:
    cue, label = plan.cue, plan.cue.label
    is_own = known.targets_N == label
    leads_N = _leads(known.case.outputs.values_MC, label)
    model_R = _push(leads_N, is_own, _leads(held[0], label), _leads(held[1], label))
    head_R = twin_R = np.zeros(len(model_R))
    if seen is not None:
        pairs, hidden = seen
        twin = known.without(plan.having)
        if cue.words:
            stand_for = len(plan.having) / len(plan.hidden.rows)
            twin = twin.changed(hidden, known.labels_N[plan.hidden.rows], stand_for)
        head_R, twin_R = (_head_push(known, head, label, pairs) for head in (known.head, twin))
    kept = known.labels_N[plan.hidden.rows] == label
    removed, with_cue, others = (_leads(values, label) / _unit(leads_N, is_own) for values in trained)
    targets = [known.targets_N[one.rows] for one in plan.held] + [np.full(int(kept.sum()), label)] * 2
    values = [*held, trained[0][kept], trained[1]]
    names = [f"{name}{end}" for name in ("contradicting", "agreeing", "removed") for end in ("", "_control")]
    said = held[0].argmax(1), held[1].argmax(1)
    return Trial(
        cue=cue,
        named=in_name(cue, known.case.labels[label]),
        contexts_R=plan.held[0].rows,
        model_R=model_R,
        head_R=head_R,
        twin_R=twin_R,
        own_K=removed[kept],
        others_K=others if len(others) >= _LEAST_OWN_ROWS else with_cue,
        right={name: some.argmax(1) == right for name, some, right in zip(names, values, targets, strict=True)},
        fooled_R=(said[0] == label) & (said[1] != label),
        known=known.has_encoder,
    )


def _leads(values_NC: np.ndarray, label: int) -> np.ndarray:
    """The log-odds of a label."""
    values_NC = values_NC.astype(np.float64)
    others = np.delete(values_NC, label, 1)
    highest = others.max(1, initial=-np.inf)
    return np.asarray(values_NC[:, label] - highest - np.log(np.exp(others - highest[:, None]).sum(1)))


def _unit(scores_N: np.ndarray, own_N: np.ndarray) -> float:
    """The way from other texts to the label's own; where the two are hardly told apart, the spread of all."""
    between = float(scores_N[own_N].mean() - scores_N[~own_N].mean()) if own_N.any() and not own_N.all() else 0.0
    return max(between, float(scores_N.std())) or np.inf


def _push(scores_N: np.ndarray, own_N: np.ndarray, with_cue_R: np.ndarray, control_R: np.ndarray) -> np.ndarray:
    """How much further the cue moves each row than its control does, as a share of the way."""
    return np.asarray((with_cue_R - control_R) / _unit(scores_N, own_N))


def _head_push(known: Known, head: Ridge, label: int, pairs: list[np.ndarray]) -> np.ndarray:
    """The same for a head.

    A filler dilutes what a text says, which moves it towards what a text without content would score, 1 / C of the way,
    without saying anything of the label. So where rows of the label were lengthened too, the push is read off there:
    between what the filler does to other rows, at the start of the way, and to those, at its end.
    """
    own_N = known.targets_N == label
    scores_N = head.scores(known.held_NF, label)
    scored = [head.scores(features_RF, label) for features_RF in pairs]
    push_R = _push(scores_N, own_N, scored[0], scored[1])
    if len(scored) < 4 or not len(scored[2]):
        return push_R
    at_end = np.resize(_push(scores_N, own_N, scored[2], scored[3]), len(push_R))
    return np.asarray(push_R + (at_end - push_R) / len(known.case.labels))
