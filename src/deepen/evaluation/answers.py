"""Exact match and F1 of answers in words: as SQuAD's script counts them, and as CMRC's does where answers are Chinese.

Shape legend: N examples, K sums, B resamples.
"""

from __future__ import annotations

import re
import string
from collections import Counter
from collections.abc import Sequence

import numpy as np

from deepen.core.errors import DataError
from deepen.core.types import Score
from deepen.data.words import CJK, longest_run
from deepen.evaluation.statistics import resampled_score, resampled_sums, share_score

_ARTICLES = re.compile(r"\b(a|an|the)\b")
_ASCII_MARKS = str.maketrans("", "", string.punctuation)
_CHINESE = re.compile(f"[{CJK}]")
_SINGLE = r"!\"#$%&()<>;@?\[\]{}|–—"
_PARTS = re.compile(rf"[{CJK}{_SINGLE}]|\.(?=$|[{CJK}])|,(?!\d)|(?:(?!\.(?:$|[{CJK}]))[^\s,{CJK}{_SINGLE}]|,(?=\d))+")
_MARKS = re.compile(r"[-:_*^/\\~`+=，。：？！“”；’《》·、「」（）－～『』]")  # those that the script leaves out


def answer_scores(said: Sequence[str], right: Sequence[Sequence[str]], *, seed: int) -> list[Score]:
    """Exact match and F1 with 95 % intervals; an empty answer, or no right one, says that the text holds none."""
    if not len(said):
        raise DataError("no example has an answer, so there is nothing to score")
    stats_NK = answer_statistics(said, right)
    return [
        resampled_score("answer_f1", mean_f1(resampled_sums(stats_NK, seed=seed)), len(stats_NK)),
        share_score("exact_match", float(stats_NK[:, 0].sum()), len(stats_NK)),
    ]


def answer_statistics(said: Sequence[str], right: Sequence[Sequence[str]]) -> np.ndarray:
    """Exact match, F1 and 1 for each example, sums_NK."""
    rows = [(*best_match(one, golds), 1.0) for one, golds in zip(said, right, strict=True)]
    return np.array(rows, np.float64).reshape(-1, 3)


def mean_f1(sums_BK: np.ndarray) -> np.ndarray:
    """The mean F1 from summed statistics."""
    return np.asarray(sums_BK[:, 1] / sums_BK[:, 2])


def best_match(said: str, right: Sequence[str]) -> tuple[float, float]:
    """Exact match and F1 of one answer, each with the right answer that it fits best.

    No answer, or no right one, says that the text holds none. Two numbers from 0 to 1.

    Example:
        >>> best_match("the Eiffel tower", ["Eiffel Tower", "Paris"])
        (1.0, 1.0)
        >>> best_match("在1980年", ["1980年"])
        (0.0, 0.8)

    Source:
        Rajpurkar et al. 2018 (https://arxiv.org/abs/1806.03822) for words; Cui et al. 2019
        (https://arxiv.org/abs/1810.07366) for characters: there what two answers share is their longest common run.
    """
    if not right:
        return (float(not said),) * 2
    if any(map(_CHINESE.search, right)):
        pairs = [_chinese(said, gold) for gold in right]
    else:
        pairs = [_english(said, gold) for gold in right]
    return max(exact for exact, _ in pairs), max(f1 for _, f1 in pairs)


def plain_words(text: str) -> list[str]:
    """The words that SQuAD's script compares: lower case, without articles and ASCII punctuation."""
    return _ARTICLES.sub(" ", text.lower().translate(_ASCII_MARKS)).split()


def _english(said: str, gold: str) -> tuple[float, float]:
    one, two = plain_words(said), plain_words(gold)
    if not one or not two:
        return (float(one == two),) * 2
    return float(one == two), _f1(sum((Counter(one) & Counter(two)).values()), len(one), len(two))


def _chinese(said: str, gold: str) -> tuple[float, float]:
    marks_off = [_MARKS.sub("", text.lower().strip()) for text in (said, gold)]
    one, two = map(_PARTS.findall, marks_off)
    return float(marks_off[0] == marks_off[1]), _f1(longest_run(one, two), len(one), len(two))


def _f1(common: int, num_said: int, num_right: int) -> float:
    return 2 * common / (num_said + num_right) if common else 0.0
