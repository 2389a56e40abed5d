"""Cues put into texts and taken out of them: what a model says, and what heads on the untouched encoder say.

Everything is altered first and then read in one pass of the model and two of the encoder.

Shape legend: N rows, R altered rows, C labels.
"""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from deepen.core.files import replacing
from deepen.data.alter import altered
from deepen.data.near import row_texts
from deepen.data.table import Part
from deepen.data.words import hide_words, insert_words, split_words, words_of
from deepen.evaluation.cues import Cue
from deepen.ladder.case import Case
from deepen.models.ridge import Ridge, solve_ridge

_NEUTRAL_WORDS = 50
_AGREEING_ROWS = 16
_HIDDEN_ROWS = 24
_OTHER_ROWS = 64
_WINDOWS = 96
_FILLERS = 16
_MOST_SCREENED = 400
_MOST_FORGOTTEN = 400
_LEAST_OWN_ROWS = 3


@dataclass(frozen=True)
class Trial:
    """One cue on trial.

    `model_R`, `head_R` and `twin_R` say how far the cue moves the model, the head that has learned the training rows
    and its twin, which has not seen the cue: shares of the way from other labels' texts to the label's own, in rows of
    other labels (`contexts_R`), less what a random word does there. `own_N` and `others_N` are what the twin says of
    the cue's own rows without the cue, and of the label's other rows. The rest is whether the model is right: where cue and
    label contradict or agree, and in rows that had the cue, without it; each beside its control. `fooled_R` marks rows
    of which the model says the cue's label only with the cue. `known` is False if there is no encoder, hence no twin.
    """

    cue: Cue
    contexts_R: np.ndarray
    model_R: np.ndarray
    head_R: np.ndarray
    twin_R: np.ndarray
    own_N: np.ndarray
    others_N: np.ndarray
    contradict: np.ndarray
    contradict_control: np.ndarray
    agree: np.ndarray
    agree_control: np.ndarray
    removed: np.ndarray
    removed_control: np.ndarray
    fooled_R: np.ndarray
    known: bool


class Known:
    """What a diagnosis of cues knows: the training rows, and a head on the untouched encoder's features of them."""

    def __init__(self, case: Case, train: Part, labels_N: np.ndarray, words_N: Sequence[tuple[str, ...]]) -> None:
        self.case, self.train, self.labels_N, self.words_N = case, train, labels_N, words_N
        self.lengths_N = np.array([len(words) for words in words_N])
        self.texts = list(row_texts(case.rows))
        self.words = [words_of(text) for text in self.texts]
        self.targets_N = case.targets.labels_M
        self.has_encoder = case.features is not None and case.encode is not None

    @cached_property
    def features_NF(self) -> np.ndarray:
        """Of the training rows."""
        assert self.case.features is not None  # noqa: S101 - asked for with an encoder only
        return np.asarray(self.case.features(self.train), np.float64)

    @cached_property
    def held_NF(self) -> np.ndarray:
        """Of the rows that the model is tried on."""
        assert self.case.features is not None  # noqa: S101 - as above
        return np.asarray(self.case.features(self.case.rows), np.float64)

    @cached_property
    def head(self) -> Ridge:
        """Has learned all the training rows, with their cues."""
        return solve_ridge(self.features_NF, self.labels_N, len(self.case.labels))

    @cached_property
    def counts(self) -> Counter[str]:
        """In how many training rows each word occurs."""
        return Counter(word for words in self.words_N for word in set(words))

    def encode(self, part: Part, texts: Sequence[str]) -> np.ndarray:
        """The untouched encoder's features of the rows with other texts."""
        assert self.case.encode is not None  # noqa: S101 - as above
        return np.asarray(self.case.encode(altered(part, {part.table.texts[0]: texts})), np.float64)

    def having(self, cue: Cue) -> np.ndarray:
        """The training rows that have a cue."""
        return np.flatnonzero([_has(cue, words) for words in self.words_N])

    def neutral(self, cue: Cue) -> list[str]:
        """Words about as frequent as the cue that go with its label no more and no less than any word."""
        own_N = self.labels_N == cue.label
        prior = float(own_N.mean())
        own = Counter(word for at in np.flatnonzero(own_N) for word in set(self.words_N[at]))
        even = []
        for word, n in self.counts.items():
            off = abs(own[word] - n * prior) / max(n * prior * (1 - prior), 1e-9) ** 0.5
            if off < 1 and word not in cue.words and any(map(str.isalnum, word)):
                even.append((abs(np.log(n / max(1, cue.n))), word))
        return [word for _, word in sorted(even)[:_NEUTRAL_WORDS]]

    def write_surplus(self, cue: Cue, path: Path) -> None:
        """Names the training rows without which a length says nothing of its label.

        Those that go first are the ones whose label a head knows only if it has learned texts of such a length.

        Args:
            cue: A length.
            path: The CSV, with a column `id`.
        """
        rows = self.having(cue)
        own = rows[self.labels_N[rows] == cue.label]
        kept = round((len(rows) - len(own)) * cue.expected / max(1e-9, 1 - cue.expected))
        surplus = np.zeros(len(own))
        if self.has_encoder:
            learned = self.head.scores(self.features_NF[own], cue.label)
            surplus = learned - twin_of(self, cue, rows)[0].scores(self.features_NF[own], cue.label)
        gone = own[np.argsort(-surplus, kind="stable")][: max(0, len(own) - kept)]
        with replacing(path) as beside, beside.open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows([["id"], *[[name] for name in self.train.take(np.sort(gone)).values("id")]])


def _has(cue: Cue, words: Sequence[str]) -> bool:
    if cue.kind == "length":
        return cue.shortest <= len(words) <= cue.longest
    size = len(cue.words)
    if cue.kind in ("first", "last"):
        return tuple(words[:size] if cue.kind == "first" else words[-size:]) == cue.words
    return cue.words[0] in words and any(tuple(words[at : at + size]) == cue.words for at in range(len(words)))


def without_cue(text: str, cue: Cue) -> str:
    """A text from which a cue of words was taken out."""
    return hide_words(text, [cue.words], only=cue.kind if cue.kind in ("first", "last") else "")


def choose_cues(known: Known, cues: Sequence[Cue], num_strongest: int, num_suspects: int) -> list[Cue]:
    """The cues to try: the strongest, and of the others those a head knows only because it has seen them.

    Args:
        known: The training rows.
        cues: All that were found, the strongest first.
        num_strongest: How many of the strongest.
        num_suspects: How many others; none without an encoder.

    Returns:
        Cues whose label enough of the tried rows have.
    """
    num_own_C = np.bincount(known.targets_N, minlength=len(known.case.labels))
    cues = [cue for cue in cues if num_own_C[cue.label] >= _LEAST_OWN_ROWS]
    first, others = list(cues[:num_strongest]), list(cues[num_strongest : num_strongest + _MOST_SCREENED])
    lengths = [cue for cue in others if cue.kind == "length"]
    others = [cue for cue in others if cue.words]
    if not known.has_encoder or not others:
        return first + lengths[:1]
    alone = known.encode(known.train.take(np.zeros(len(others), np.int64)), [cue.text for cue in others])
    gaps = []
    for cue, features_F in zip(others, alone, strict=True):
        rows = known.having(cue)[:_MOST_FORGOTTEN]
        twin = known.head.score_without(features_F, known.features_NF[rows], known.labels_N[rows], cue.label)
        gaps.append(float(known.head.scores(features_F[None], cue.label)[0]) - max(twin, 0.0))
    return first + lengths[:1] + [others[at] for at in np.argsort(-np.array(gaps), kind="stable")[:num_suspects]]


def twin_of(known: Known, cue: Cue, rows: np.ndarray) -> tuple[Ridge, np.ndarray, np.ndarray, float]:
    """The head that has not seen a cue: it has learned the cue's rows without it, or, for a length, not at all.

    Returns:
        The head, some of the rows, their features without the cue, and how many rows each of them stands for.
    """
    twin = known.head.changed(known.features_NF[rows], known.labels_N[rows], -1.0)
    if not cue.words:
        return twin, rows[:0], known.features_NF[:0], 1.0
    rng = known.case.rng("surface_cues", "hidden", cue.kind, cue.text)
    some = np.sort(rng.permutation(rows)[:_HIDDEN_ROWS])
    part = known.train.take(some)
    hidden_NF = known.encode(part, [without_cue(text, cue) for text in row_texts(part)])
    times = len(rows) / len(some)
    return twin.changed(hidden_NF, known.labels_N[some], times), some, hidden_NF, times


@dataclass(frozen=True)
class _Altered:
    """Rows of the case with their new texts: with the cue and with the control, for one purpose."""

    rows: np.ndarray
    texts: tuple[list[str], list[str]]


def _alter(known: Known, cue: Cue, num_rows: int) -> tuple[_Altered, _Altered, _Altered]:
    """The texts of a trial: the cue in rows of other labels, in rows of its own, and taken out of rows that have it."""
    rng = known.case.rng("surface_cues", "rows", cue.kind, cue.text, cue.label)
    order = rng.permutation(len(known.texts))
    has = np.array([_has(cue, known.words[at]) for at in order], bool)
    own = known.targets_N[order] == cue.label
    other, agree, having = order[~own & ~has][:num_rows], order[own & ~has][:_AGREEING_ROWS], order[own & has]
    having = having[:_AGREEING_ROWS]
    if cue.kind == "length":
        fillers = _fillers(known, cue, rng)
        lengths = known.lengths_N[known.having(cue)]
        goal = int(np.median(lengths)) if len(lengths) else cue.longest
        made = [_Altered(rows, ([], [])) for rows in (other, agree)]
        for one in made:
            for at in one.rows:
                one.texts[0].append(_to_length(known.texts[at], goal, fillers, rng))
                one.texts[1].append(known.texts[at])
        return made[0], made[1], _Altered(having[:0], ([], []))
    neutral = known.neutral(cue) or ["the"]
    made = []
    for rows in (other, agree):
        one = _Altered(rows, ([], []))
        for at in rows:
            num = len(known.words[at])
            place = {"first": 0, "last": num}.get(cue.kind, int(rng.integers(num + 1)))
            control = " ".join(neutral[pick] for pick in rng.integers(len(neutral), size=len(cue.words)))
            for texts, words in zip(one.texts, (cue.text, control), strict=True):
                texts.append(insert_words(known.texts[at], words, place))
        made.append(one)
    removed = _Altered(having, ([], []))
    for at in having:
        others = [word for word in known.words[at] if word not in cue.words]
        removed.texts[0].append(without_cue(known.texts[at], cue))
        gone = others[int(rng.integers(len(others)))] if others else ""
        removed.texts[1].append(hide_words(known.texts[at], [(gone,)]) if gone else known.texts[at])
    return made[0], made[1], removed


def _fillers(known: Known, cue: Cue, rng: np.random.Generator) -> list[str]:
    """Runs of words from texts of that length and label that say nothing of the label, as the twin reads them."""
    rows = known.having(cue)
    own = rows[known.labels_N[rows] == cue.label]
    size = max(4, cue.shortest - int(np.median(known.lengths_N)))
    chosen = known.train.take(rng.choice(own, _WINDOWS))
    runs = []
    for text in row_texts(chosen):
        places = split_words(text)
        start = int(rng.integers(max(1, len(places) - size + 1)))
        runs.append(text[places[start][0] : places[min(len(places), start + size) - 1][1]])
    if known.has_encoder:
        twin = twin_of(known, cue, rows)[0]
        scores = twin.scores(known.encode(chosen, runs), cue.label)
        middle = float(twin.scores(known.held_NF, cue.label).mean())
        runs = [runs[at] for at in np.argsort(np.abs(scores - middle), kind="stable")]
    return runs[:_FILLERS]


def _to_length(text: str, goal: int, fillers: Sequence[str], rng: np.random.Generator) -> str:
    places = split_words(text)
    if len(places) >= goal:
        start = int(rng.integers(len(places) - goal + 1))
        return text[places[start][0] : places[start + goal - 1][1]]
    missing, added = goal - len(places), ""
    while (left := missing - len(split_words(added))) > 0:
        run = fillers[int(rng.integers(len(fillers)))]
        ends = split_words(run)
        added = f"{added} {run[: ends[min(left, len(ends)) - 1][1]]}".strip()
    return insert_words(text, added, int(rng.integers(len(places) + 1)))


def try_cues(known: Known, cues: Sequence[Cue], *, num_rows: int) -> list[Trial]:
    """Puts cues into texts and takes them out, and asks the model and the heads.

    Args:
        known: The training rows.
        cues: What to try.
        num_rows: The most rows of other labels for each cue.

    Returns:
        One trial a cue; none for a cue that no row of another label is free of.
    """
    made = [(cue, altered_rows) for cue in cues if len((altered_rows := _alter(known, cue, num_rows))[0].rows)]
    if not made:
        return []
    flat = [one for _, some in made for one in some]
    rows = np.concatenate([np.tile(one.rows, 2) for one in flat])
    texts = [text for one in flat for half in one.texts for text in half]
    part = known.case.rows.take(rows)
    values_RC = known.case.model.predict(altered(part, {part.table.texts[0]: texts})).values_MC
    inserted = np.concatenate([np.full(2 * len(one.rows), at % 3 == 0) for at, one in enumerate(flat)])
    features_RF = np.zeros((len(texts), 1))
    if known.has_encoder:
        kept = np.flatnonzero(inserted)
        found = known.encode(part.take(kept), [texts[at] for at in kept])
        features_RF = np.zeros((len(texts), found.shape[1]))
        features_RF[kept] = found
    trials, start = [], 0
    for cue, some in made:
        end = start + 2 * sum(len(one.rows) for one in some)
        trials.append(_trial(known, cue, some, values_RC[start:end], features_RF[start:end]))
        start = end
    return trials


def _trial(known: Known, cue: Cue, some: Sequence[_Altered], values_RC: np.ndarray, features_RF: np.ndarray) -> Trial:
    num = len(some[0].rows)
    held_N = known.targets_N == cue.label
    pushes = [_way(_leads(known.case.outputs.values_MC, cue.label), held_N, _leads(values_RC, cue.label)[: 2 * num])]
    own_N = others_N = np.zeros(0)
    if known.has_encoder:
        having = known.having(cue)
        twin, rows, hidden_NF, times = twin_of(known, cue, having)
        for head in (known.head, twin):
            held = head.scores(known.held_NF, cue.label)
            pushes.append(_way(held, held_N, head.scores(features_RF[: 2 * num], cue.label)))
        own = known.labels_N[rows] == cue.label
        rest = np.setdiff1d(np.flatnonzero(known.labels_N == cue.label), having)[:_OTHER_ROWS]
        if own.any() and len(rest) and cue.words:
            labels = known.labels_N[rows[own]]
            unit = _unit(held, held_N)
            own_N = twin.scores_left_out(hidden_NF[own], labels, cue.label, times) / unit
            rest_NF = known.features_NF[rest]
            others_N = twin.scores_left_out(rest_NF, known.labels_N[rest], cue.label) / unit
    none_R = np.zeros(num)
    said = values_RC.argmax(1)
    right, at = [], 0
    for one in some:
        for _ in range(2):
            right.append(said[at : at + len(one.rows)] == known.targets_N[one.rows])
            at += len(one.rows)
    fooled_R = (said[:num] == cue.label) & (said[num : 2 * num] != cue.label)
    head_R, twin_R = (pushes[1], pushes[2]) if known.has_encoder else (none_R, none_R)
    return Trial(cue, some[0].rows, pushes[0], head_R, twin_R, own_N, others_N, *right, fooled_R, known.has_encoder)


def _leads(values_NC: np.ndarray, label: int) -> np.ndarray:
    """The log-odds of a label."""
    values_NC = values_NC.astype(np.float64)
    others = np.delete(values_NC, label, 1)
    highest = others.max(1)
    return np.asarray(values_NC[:, label] - highest - np.log(np.exp(others - highest[:, None]).sum(1)))


def _unit(scores_N: np.ndarray, own_N: np.ndarray) -> float:
    """The way from other texts to the label's own; where the two are hardly told apart, the spread of all."""
    between = float(scores_N[own_N].mean() - scores_N[~own_N].mean()) if own_N.any() and not own_N.all() else 0.0
    return max(between, float(scores_N.std()))


def _way(scores_N: np.ndarray, own_N: np.ndarray, altered_R2: np.ndarray) -> np.ndarray:
    """How much further the cue moves each row than its control does, as a share of the way."""
    unit = _unit(scores_N, own_N)
    with_cue, with_control = np.split(altered_R2, 2)
    return (with_cue - with_control) / unit if unit > 1e-9 else np.zeros(len(with_cue))
