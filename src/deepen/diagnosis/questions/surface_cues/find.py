"""Surface cues in data: words, runs of words, marks, first and last words and lengths that go with a label.

Shape legend: N rows, C labels, F patterns, P pairs of a row and a pattern.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from deepen.data.words import join_words

_MOST_CUTS = 60
_MOST_PATTERNS = 50_000


@dataclass(frozen=True, slots=True)
class Cue:
    """A pattern, or a range of lengths, that goes with a label in `share` of its `n` rows; by chance in `expected`."""

    kind: str
    words: tuple[str, ...]
    label: int
    n: int
    share: float
    expected: float
    z: float
    q_value: float
    shortest: int = 0
    longest: int = 0

    @property
    def text(self) -> str:
        """How the cue is called."""
        if self.kind == "length":
            return f"{self.shortest} to {self.longest} words"
        return join_words(self.words)[0]


def patterns(words: Sequence[str], max_ngram: int) -> list[tuple[str, ...]]:
    """Runs of words in a row's text, and its first and last word, which begin with an empty word and `^` or `$`.

    Each once and in the text's order, so that equal cues stand in the same order in every process.
    """
    found = [tuple(words[at : at + n]) for n in range(1, max_ngram + 1) for at in range(len(words) - n + 1)]
    if words:
        found += [("", "^", words[0]), ("", "$", words[-1])]
    return list(dict.fromkeys(found))


def find_cues(
    words_N: Sequence[Sequence[str]],
    labels_N: np.ndarray,
    num_labels: int,
    *,
    rate: float = 0.01,
    min_rows: int = 5,
    max_ngram: int = 2,
) -> list[Cue]:
    """The patterns that go with a label more often than they would by chance, whatever they mean.

    Every pattern is tested for the label it goes with most (the binomial's upper tail, times the number of labels),
    against the share that the label has anyway: with labels of one size that is the balanced prior. A run of words is
    tested against the best of its parts, so that it is named only where it says more. False discoveries among all the
    patterns are held at `rate`. That a cue is found says nothing against it: words that mean the label are cues too.
    The strongest (largest z) come first; `rate` is the expected share of false ones, `words_N` are lower case.

    Source:
        Gardner et al. 2021, https://aclanthology.org/2021.emnlp-main.135, section 3; Benjamini and Hochberg 1995.
    """
    from scipy.special import bdtrc
    from scipy.stats import false_discovery_control

    names, rows_P, patterns_P = _pairs(words_N, min_rows, max_ngram)
    ranges, in_RN = _lengths(words_N)
    num = len(names) + len(ranges)
    at_range, at_row = np.nonzero(in_RN)
    rows_P = np.concatenate([rows_P, at_row])
    patterns_P = np.concatenate([patterns_P, len(names) + at_range])
    keys, counts = np.unique(patterns_P * num_labels + labels_N[rows_P], return_counts=True)
    of, label = keys // num_labels, keys % num_labels
    n_F = np.bincount(patterns_P, minlength=num)
    prior_C = np.bincount(labels_N, minlength=num_labels) / max(1, len(labels_N))
    share = counts / n_F[of]
    expected = np.maximum(prior_C[label], _of_parts(names, of, label, share, num_labels))
    p_values = bdtrc(counts - 1, n_F[of], np.minimum(expected, 1 - 1e-9))
    z = (share - expected) / np.sqrt(np.maximum(expected * (1 - expected), 1e-9) / n_F[of])
    p_values[(n_F[of] < min_rows) | (share <= expected)] = 1.0
    order = np.lexsort((-z, p_values, of))
    best = order[np.unique(of[order], return_index=True)[1]]
    q_values = false_discovery_control(np.minimum(1.0, p_values[best] * num_labels)) if len(best) else np.zeros(0)
    found = []
    for at, q in zip(best, q_values, strict=True):
        if q > rate:
            continue
        named = of[at] < len(names)
        kind, words = _named(names[of[at]]) if named else ("length", ())
        low, high = (0, 0) if named else ranges[of[at] - len(names)]
        told = float(share[at]), float(expected[at]), float(z[at]), float(q)
        found.append(Cue(kind, words, int(label[at]), int(n_F[of[at]]), *told, low, high))
    return _one_length(sorted(found, key=lambda cue: -cue.z))


def _pairs(
    words_N: Sequence[Sequence[str]], min_rows: int, max_ngram: int
) -> tuple[list[tuple[str, ...]], np.ndarray, np.ndarray]:
    counts = Counter(pattern for words in words_N for pattern in patterns(words, max_ngram))
    names = [name for name, count in counts.most_common(_MOST_PATTERNS) if count >= min_rows]
    number = {name: at for at, name in enumerate(names)}

    def each() -> Iterator[tuple[int, int]]:
        for row, words in enumerate(words_N):
            for pattern in patterns(words, max_ngram):
                if pattern in number:
                    yield row, number[pattern]

    pairs_P2 = np.array(list(each()), np.int64).reshape(-1, 2)
    return names, pairs_P2[:, 0], pairs_P2[:, 1]


def _lengths(words_N: Sequence[Sequence[str]]) -> tuple[list[tuple[int, int]], np.ndarray]:
    """Ranges of lengths, from the shortest to some length and from some to the longest, and which rows are in them."""
    lengths_N = np.array([len(words) for words in words_N])
    found = np.unique(lengths_N)
    low, high = int(found[0]), int(found[-1])
    places = np.unique(np.linspace(0, len(found) - 1, _MOST_CUTS).round().astype(int))
    cuts = [int(cut) for cut in found[places]]
    ranges = [(cut, high) for cut in cuts if cut > low] + [(low, cut) for cut in cuts if cut < high]
    in_RN = np.array([(lengths_N >= first) & (lengths_N <= last) for first, last in ranges], bool)
    in_RN = in_RN.reshape(len(ranges), len(lengths_N))
    few = np.flatnonzero(in_RN.mean(1) <= 0.5)  # what most rows are is no cue, but the want of one
    return [ranges[at] for at in few], in_RN[few]


def _of_parts(
    names: list[tuple[str, ...]], of: np.ndarray, label: np.ndarray, share: np.ndarray, num_labels: int
) -> np.ndarray:
    """For runs and places, the largest share of the label among rows with one of the parts; 0 for a word."""
    number = {name: at for at, name in enumerate(names)}
    shares = dict(zip((of * num_labels + label).tolist(), share.tolist(), strict=True))
    out = np.zeros(len(of))
    for at, (pattern, one) in enumerate(zip(of.tolist(), label.tolist(), strict=True)):
        if pattern >= len(names) or len(names[pattern]) == 1:
            continue
        name = names[pattern]
        parts = [name[2:]] if name[0] == "" else [name[:-1], name[1:], *((word,) for word in name)]
        out[at] = max(shares.get(number.get(part, -1) * num_labels + one, 0.0) for part in parts)
    return out


def _named(pattern: tuple[str, ...]) -> tuple[str, tuple[str, ...]]:
    if pattern[0] == "":
        return ("first" if pattern[1] == "^" else "last"), pattern[2:]
    if len(pattern) > 1:
        return "ngram", pattern
    return ("word" if any(map(str.isalnum, pattern[0])) else "punctuation"), pattern


def _one_length(cues: list[Cue]) -> list[Cue]:
    """Of the ranges of lengths, which hold each other, the strongest for each label."""
    seen = set()
    out = []
    for cue in cues:
        if cue.kind != "length" or cue.label not in seen:
            out.append(cue)
        if cue.kind == "length":
            seen.add(cue.label)
    return out
