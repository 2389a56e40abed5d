"""Whether rows are drawn as others were: what a promise rests on, which holds for rows like those that back it.

Three things are seen of a row, each of which shows what the others miss: how sure the model is of it, how long its text
is, and its words. Start with `shift`.

Shape legend: N rows.

Source:
    Rabanser et al. 2019, Failing Loudly (https://arxiv.org/abs/1810.11953): tests of what a model says, one by one, see
    most kinds of shift; Lopez-Paz and Oquab 2017 (https://arxiv.org/abs/1610.06545) for the words.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from deepen.data.words import words_of

RISK = 0.01
"""How often rows that are drawn alike are said to be others."""
_MOST, _FEWEST = 5000, 20


@dataclass(frozen=True)
class Seen:
    """What is seen of some rows: how sure a model is of its answer to each, and their texts."""

    confidences_N: np.ndarray
    texts: Sequence[str]


def shift(backing: Seen, coming: Seen, *, risk: float = RISK) -> str:
    """How rows that come differ from those that were there, if they do so by more than chance.

    A shift that leaves all three views as they are is not seen, and a few rows can't show one.

    Args:
        risk: The chance to find a difference where there is none, for all views together.

    Returns:
        What differs, in words; empty if nothing does.

    Example:
        >>> many = Seen(np.linspace(0.5, 1, 200), ["a fine film"] * 200)
        >>> unsure = Seen(many.confidences_N / 2, many.texts)
        >>> shift(many, many), shift(many, unsure).partition(" (")[0]
        ('', 'how sure the model is')
    """
    backing, coming = _some(backing), _some(coming)
    if not len(coming.texts) or not len(backing.texts):
        return ""
    views = {
        "how sure the model is": _differ(backing.confidences_N, coming.confidences_N),
        "the length of texts": _differ(*(np.array([len(text) for text in one.texts]) for one in (backing, coming))),
        "their words": _other_words(backing.texts, coming.texts),
    }
    found = [f"{name} (p = {p_value:.2g})" for name, p_value in views.items() if p_value < risk / len(views)]
    return ", ".join(found)


def _some(seen: Seen) -> Seen:
    """Rows drawn from very many, of which the test would only be slower."""
    if len(seen.texts) <= _MOST:
        return seen
    drawn = np.random.default_rng(0).choice(len(seen.texts), _MOST, replace=False)
    return Seen(np.asarray(seen.confidences_N)[drawn], [seen.texts[at] for at in drawn])


def _differ(one_N: np.ndarray, other_N: np.ndarray) -> float:
    """Kolmogorov and Smirnov's test of two samples."""
    from scipy.stats import ks_2samp

    return float(ks_2samp(one_N, other_N).pvalue)


def _other_words(one: Sequence[str], other: Sequence[str]) -> float:
    """Whether words that half of the rows of each kind teach to tell them apart do so in the other half."""
    from scipy.stats import mannwhitneyu

    if min(len(one), len(other)) < _FEWEST:
        return 1.0
    rng = np.random.default_rng(0)
    halves = []
    for texts in (one, other):
        words = [frozenset(words_of(texts[at])) for at in rng.permutation(len(texts))]
        halves.append((words[::2], words[1::2]))
    counts = [Counter(word for words in half for word in words) for half, _ in halves]
    sizes = [len(half) + 2 for half, _ in halves]
    log_odds = {
        word: np.log((counts[1][word] + 1) / sizes[1]) - np.log((counts[0][word] + 1) / sizes[0])
        for word in counts[0] | counts[1]
    }
    known, unknown = (
        [float(np.mean([log_odds.get(word, 0.0) for word in words] or [0.0])) for words in held] for _, held in halves
    )
    return float(mannwhitneyu(unknown, known, alternative="greater").pvalue)
