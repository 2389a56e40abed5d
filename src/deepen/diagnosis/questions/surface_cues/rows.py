"""The texts of a trial: a cue put into other rows, taken out of its own. Shape legend: N rows, F features."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from deepen.core.cells import write_csv
from deepen.data.altered import altered
from deepen.data.near import row_texts
from deepen.data.table import Part
from deepen.data.words import hide_words, insert_words, split_words, words_of
from deepen.diagnosis.case import Case
from deepen.diagnosis.questions.surface_cues.find import Cue
from deepen.diagnosis.questions.surface_cues.ridge import Ridge, solve_ridge

_NEUTRAL_WORDS = 50
_AGREEING_ROWS = 8
_HIDDEN_ROWS = 20
_WINDOWS = 96
_FILLERS = 16
_SURELY = 1.96
# A filler varies more than a word, so a length is tried on so many times more rows.
_LENGTH_TIMES = 3


class Known:
    """What a diagnosis of cues knows: the training rows, and a head on the untouched encoder's features of them."""

    def __init__(self, case: Case, train: Part, labels_N: np.ndarray, words_N: Sequence[tuple[str, ...]]) -> None:
        self.case, self.train, self.labels_N, self.words_N = case, train, labels_N, list(words_N)
        self.lengths_N = np.array([len(words) for words in words_N])
        self.texts = list(row_texts(case.rows))
        self.words = [words_of(text) for text in self.texts]
        self.targets_N = case.targets.labels_M
        self._surplus: dict[Cue, np.ndarray] = {}
        self.has_encoder = case.features is not None and case.encode is not None

    def _features(self, part: Part) -> np.ndarray:
        assert self.case.features is not None  # noqa: S101 - asked for with an encoder only
        return np.asarray(self.case.features(part), np.float64)

    @cached_property
    def features_NF(self) -> np.ndarray:
        """Of the training rows."""
        return self._features(self.train)

    @cached_property
    def held_NF(self) -> np.ndarray:
        """Of the rows that the model is tried on."""
        return self._features(self.case.rows)

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
        if not len(part):
            return self.features_NF[:0]
        return np.asarray(self.case.encode(altered(part, {part.table.texts[0]: texts})), np.float64)

    def answer(self, part: Part, texts: Sequence[str]) -> np.ndarray:
        """The logits of the model on trial for the rows with other texts."""
        if not len(part):
            return np.zeros((0, len(self.case.labels)))
        return self.case.model.predict(altered(part, {part.table.texts[0]: texts})).values_MC

    def having(self, cue: Cue) -> np.ndarray:
        """The training rows that have a cue."""
        return np.flatnonzero([_has(cue, words) for words in self.words_N])

    def neutral(self, cue: Cue) -> list[str]:
        """Words about as frequent as the cue that go with its label no more and no less than any word."""
        own_N = self.labels_N == cue.label
        prior = float(own_N.mean())
        own = Counter(word for at in np.flatnonzero(own_N) for word in set(self.words_N[int(at)]))
        even = []
        for word, n in self.counts.items():
            off = abs(own[word] - n * prior) / max(n * prior * (1 - prior), 1e-9) ** 0.5
            if off < 1 and word not in cue.words and any(map(str.isalnum, word)):
                even.append((abs(np.log(n / max(1, cue.n))), word))
        return [word for _, word in sorted(even)[:_NEUTRAL_WORDS]]

    def without(self, rows: np.ndarray) -> Ridge:
        """The head that has not learned some training rows."""
        return self.head.changed(self.features_NF[rows], self.labels_N[rows], -1.0)

    def surplus(self, cue: Cue) -> np.ndarray:
        """The training rows without which a length says nothing of its label.

        The half of the rows that the length lies in is cut into ten by length, and wherever the label is surely too
        frequent, its surplus goes: first the rows whose label a head knows only if it has learned that half. Their
        numbers, rising.
        """
        if cue not in self._surplus:
            self._surplus[cue] = self._find_surplus(cue)
        return self._surplus[cue]

    def _find_surplus(self, cue: Cue) -> np.ndarray:
        median = float(np.median(self.lengths_N))
        half = self.lengths_N > median if self.is_long(cue) else self.lengths_N < median
        rows = np.union1d(np.flatnonzero(half), self.having(cue))
        gap_N = np.zeros(len(self.labels_N))
        if self.has_encoder:
            features_NF = self.features_NF[rows]
            gap_N[rows] = self.head.scores(features_NF, cue.label)
            gap_N[rows] -= self.without(rows).scores(features_NF, cue.label)
        edges = np.unique(np.quantile(self.lengths_N[rows], np.linspace(0, 1, 11)[1:-1], method="nearest"))
        stratum = np.searchsorted(edges, self.lengths_N[rows], side="right")
        gone: list[int] = []
        for some in (rows[stratum == at] for at in range(len(edges) + 1)):
            own = some[self.labels_N[some] == cue.label]
            by_chance = (len(some) * cue.expected * (1 - cue.expected)) ** 0.5
            if len(own) - len(some) * cue.expected <= _SURELY * by_chance:
                continue
            kept = round((len(some) - len(own)) * cue.expected / max(1e-9, 1 - cue.expected))
            gone += own[np.argsort(-gap_N[own], kind="stable")][: len(own) - kept].tolist()
        return np.array(sorted(gone), np.int64)

    def write_surplus(self, cue: Cue, path: Path) -> None:
        """Names the surplus rows of a length in a CSV with a column `id`."""
        named = self.train.take(self.surplus(cue)).values("id")
        write_csv(path, [["id"], *[[name] for name in named]])

    def is_long(self, cue: Cue) -> bool:
        """Whether a length is one of long texts."""
        return cue.longest == self.lengths_N.max()

    def usually_missing(self, cue: Cue) -> int:
        """How many words a usual text lacks to be as long."""
        return max(4, cue.shortest - int(np.median(self.lengths_N)))


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


@dataclass(frozen=True)
class Texts:
    """Rows of a part with their new texts."""

    rows: np.ndarray
    texts: list[str]


@dataclass(frozen=True)
class Plan:
    """All the texts of one trial; `having` are the training rows that the twin does not learn as they are."""

    cue: Cue
    having: np.ndarray
    held: tuple[Texts, Texts, Texts, Texts]
    hidden: Texts
    rest: tuple[Texts, Texts]


def plan_texts(known: Known, cue: Cue, num_rows: int) -> Plan:
    """Writes the texts of one trial. Without rows of other labels there is nothing to try."""
    rng = known.case.rng("surface_cues", "rows", cue.kind, cue.text, cue.label)
    order = rng.permutation(len(known.texts))
    has = np.array([_has(cue, known.words[at]) for at in order], bool)
    own = known.targets_N[order] == cue.label
    most_other, most_own = (num_rows, _AGREEING_ROWS) if cue.words else (_LENGTH_TIMES * num_rows,) * 2
    other, agree = order[~own & ~has][:most_other], order[own & ~has][:most_own]
    having = known.having(cue)
    if not cue.words:
        none, fillers = Texts(having[:0], []), _fillers(known, cue, having, rng)
        goal = int(np.median(known.lengths_N[having]))
        plain = [known.texts[at] for at in [*other, *agree]]
        made = [_to_length(text, goal, fillers, rng) for text in plain]
        return Plan(cue, known.surplus(cue), _pairs(other, agree, made, plain), none, (none, none))
    neutral = known.neutral(cue) or ["the"]
    made, plain = [], []
    for at in [*other, *agree]:
        num = len(known.words[at])
        place = {"first": 0, "last": num}.get(cue.kind, int(rng.integers(num + 1)))
        control = " ".join(neutral[pick] for pick in rng.integers(len(neutral), size=len(cue.words)))
        made.append(insert_words(known.texts[at], cue.text, place))
        plain.append(insert_words(known.texts[at], control, place))
    some = np.sort(rng.permutation(having)[:_HIDDEN_ROWS])
    hidden = Texts(some, [without_cue(text, cue) for text in row_texts(known.train, some)])
    labelled = np.flatnonzero(known.labels_N == cue.label)
    others = rng.permutation(np.setdiff1d(labelled, having))[:_HIDDEN_ROWS]
    kept = some[known.labels_N[some] == cue.label]
    rest = (_less_a_word(known, cue, kept, rng), _less_a_word(known, cue, others, rng))
    return Plan(cue, having, _pairs(other, agree, made, plain), hidden, rest)


def _pairs(
    other: np.ndarray, agree: np.ndarray, made: list[str], plain: list[str]
) -> tuple[Texts, Texts, Texts, Texts]:
    num = len(other)
    return (Texts(other, made[:num]), Texts(other, plain[:num]), Texts(agree, made[num:]), Texts(agree, plain[num:]))


def _less_a_word(known: Known, cue: Cue, rows: np.ndarray, rng: np.random.Generator) -> Texts:
    """Training rows without a random word that is not of the cue."""
    texts = []
    for row, text in zip(rows.tolist(), row_texts(known.train, rows), strict=True):
        words = [word for word in known.words_N[row] if word not in cue.words]
        texts.append(hide_words(text, [(words[int(rng.integers(len(words)))],)]) if words else text)
    return Texts(rows, texts)


def run_of(text: str, places: Sequence[tuple[int, int]], start: int, size: int) -> str:
    """So many words of a text from one of them on, or as many as there are, with what stands between them."""
    return text[places[start][0] : places[min(len(places), start + size) - 1][1]]


def _fillers(known: Known, cue: Cue, having: np.ndarray, rng: np.random.Generator) -> list[str]:
    """Runs of words from texts of that length and label that say nothing of the label, as the twin reads them."""
    own = having[known.labels_N[having] == cue.label]
    size = known.usually_missing(cue)
    chosen = known.train.take(rng.choice(own, _WINDOWS))
    runs = []
    for text in row_texts(chosen):
        places = split_words(text)
        start = int(rng.integers(max(1, len(places) - size + 1)))
        runs.append(run_of(text, places, start, size))
    if known.has_encoder:
        twin = known.without(known.surplus(cue))
        scores = twin.scores(known.encode(chosen, runs), cue.label)
        middle = float(twin.scores(known.held_NF, cue.label).mean())
        runs = [runs[at] for at in np.argsort(np.abs(scores - middle), kind="stable")]
    return runs[:_FILLERS]


def _to_length(text: str, goal: int, fillers: Sequence[str], rng: np.random.Generator) -> str:
    """A text cut to so many words, or with fillers put in as one run."""
    places = split_words(text)
    if len(places) >= goal:
        start = int(rng.integers(len(places) - goal + 1))
        return run_of(text, places, start, goal)
    missing, added = goal - len(places), ""
    while (left := missing - len(split_words(added))) > 0:
        run = fillers[int(rng.integers(len(fillers)))]
        added = f"{added} {run_of(run, split_words(run), 0, left)}".strip()
    return insert_words(text, added, int(rng.integers(len(places) + 1)))
