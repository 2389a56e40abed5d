"""Scores of answers that are text: BLEU, chrF, ROUGE, and what says whether an answer is one at all.

Each score but `distinct_n` follows from sums over examples, so that its interval and the difference of two models come
from the one bootstrap.

Shape legend: N examples, K sums, B resamples.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from typing import Any

import numpy as np

from deepen.core.errors import SettingError
from deepen.core.types import Score, Texts, TextTargets
from deepen.data.words import mostly_chinese
from deepen.evaluation.statistics import resampled_score, resampled_sums, share

_WORD = re.compile(r"[\u3400-\u9fff\uf900-\ufaff]|[^\W_\u3400-\u9fff\uf900-\ufaff]+")
_CHRF = 18  # three counts for each length of n-gram, up to six characters
_BLEU = 10  # right and all n-grams of one to four words, words said and words of the reference
_NAMES = ("rouge1", "rouge2", "rougeL", "exact", "n", "supported", "words", "nats", "tokens", "bytes")
_PLACE = {name: _BLEU + _CHRF + at for at, name in enumerate(_NAMES)}


def _sacrebleu() -> Any:
    try:
        import sacrebleu.metrics as found
    except ImportError:
        raise SettingError("scores of texts need sacrebleu: pip install deepen[generate]") from None
    return found


def words(text: str) -> list[str]:
    """The words of a text as ROUGE compares them: small letters and digits; Chinese character by character.

    Example:
        >>> words("It's 3 films, 好片!")
        ['it', 's', '3', 'films', '好', '片']
    """
    return _WORD.findall(text.lower())


def longest_common(one: Sequence[str], two: Sequence[str]) -> int:
    """The length of the longest subsequence of words that both have, bit by bit.

    Example:
        >>> longest_common("a b c d".split(), "b x d a".split())
        2

    Source:
        Hyyro 2004, Bit-parallel LCS-length computation revisited.
    """
    places: dict[str, int] = {}
    for at, word in enumerate(one):
        places[word] = places.get(word, 0) | 1 << at
    row = every = (1 << len(one)) - 1
    for word in two:
        both = row & places.get(word, 0)
        row = (row + both | row - both) & every
    return len(one) - row.bit_count()


def _f1(shared: int, one: int, two: int) -> float:
    return 2 * shared / (one + two) if shared else 0.0


def _ngrams(items: Sequence[str], n: int) -> Counter[tuple[str, ...]]:
    return Counter(zip(*(items[at:] for at in range(n)), strict=False))


def rouge(answer: Sequence[str], reference: Sequence[str]) -> tuple[float, float, float]:
    """ROUGE-1, -2 and -L (F1) of words, no stemming.

    Source:
        Lin 2004, https://aclanthology.org/W04-1013
    """
    found = []
    for n in (1, 2):
        one, two = _ngrams(answer, n), _ngrams(reference, n)
        found.append(_f1((one & two).total(), one.total(), two.total()))
    return found[0], found[1], _f1(longest_common(answer, reference), len(answer), len(reference))


@cache
def _metrics(chinese: bool) -> tuple[Any, Any]:
    found = _sacrebleu()
    return found.BLEU(tokenize="zh" if chinese else "13a"), found.CHRF()


def _sacre(metric: Any, answers: Sequence[str], references: Sequence[Sequence[str]]) -> np.ndarray:
    """The counts of each answer, as the library sums them up."""
    most = max(map(len, references))
    streams = [[row[at] if at < len(row) else None for row in references] for at in range(most)]
    return np.array(metric._extract_corpus_statistics(list(answers), streams), np.float64)


def text_statistics(outputs: Texts, targets: TextTargets) -> np.ndarray:
    """What all scores are made of, sums_NK; of several references BLEU takes all and the others the best."""
    bleu, chrf = _metrics(mostly_chinese(row[0] for row in targets.references[:200]))
    made = np.zeros((len(outputs), _BLEU + _CHRF + len(_NAMES)))
    said = _sacre(bleu, outputs.texts, targets.references)  # words said, words of the reference, right, all
    made[:, :_BLEU] = np.roll(said, -2, axis=1)
    made[:, _BLEU : _BLEU + _CHRF] = _sacre(chrf, outputs.texts, targets.references)
    for row, answer, source, references in zip(made, outputs.texts, targets.sources, targets.references, strict=True):
        own = words(answer)
        row[_PLACE["rouge1"] : _PLACE["exact"]] = np.max([rouge(own, words(one)) for one in references], axis=0)
        there = set(words(source))
        row[_PLACE["exact"]] = any(answer.strip() == one.strip() for one in references)
        row[_PLACE["supported"]] = sum(word in there for word in own)
        row[_PLACE["words"]], row[_PLACE["n"]] = len(own), 1
        row[_PLACE["bytes"]] = len(references[0].encode())
    made[:, _PLACE["nats"]], made[:, _PLACE["tokens"]] = outputs.nats_N, outputs.scored_N
    return made


def _bleu(sums_BK: np.ndarray) -> np.ndarray:
    """BLEU in [0, 1], smoothed as sacreBLEU does (`exp`): each length without a match counts half of the one before."""
    right, every = sums_BK[:, :4].copy(), sums_BK[:, 4:8]
    halved = np.ones(len(sums_BK))
    for n in range(4):
        none = (right[:, n] == 0) & (every[:, n] > 0)
        halved = np.where(none, halved / 2, halved)
        right[:, n] = np.where(none, halved, right[:, n])
    with np.errstate(divide="ignore", invalid="ignore"):
        logs = np.log(np.where(every > 0, right / every, 0.0)).mean(axis=1)
        short = np.minimum(0.0, 1 - sums_BK[:, 9] / sums_BK[:, 8])
        return np.nan_to_num(np.exp(logs + short), nan=0.0)


def _chrf(sums_BK: np.ndarray) -> np.ndarray:
    """ChrF in [0, 1], as sacreBLEU has it: precision and recall meaned over lengths of n-grams that both have."""
    said, true, right = sums_BK[:, _BLEU : _BLEU + _CHRF].reshape(-1, 6, 3).transpose(2, 0, 1)
    both = (said > 0) & (true > 0)
    many = np.maximum(both.sum(axis=1), 1)
    precision = (share(right, said) * both).sum(axis=1) / many
    recall = (share(right, true) * both).sum(axis=1) / many
    return share(5 * precision * recall, 4 * precision + recall)


def _mean(name: str) -> Callable[[np.ndarray], np.ndarray]:
    return lambda sums_BK: sums_BK[:, _PLACE[name]] / sums_BK[:, _PLACE["n"]]


VALUES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "bleu": _bleu,
    "chrf": _chrf,
    **{name: _mean(name) for name in ("rouge1", "rouge2", "rougeL")},
    "exact_match": _mean("exact"),
}
"""Scores that may decide between rungs, from sums_BK to fractions."""


def _distinct(answers: Sequence[str], n: int) -> Score:
    """Of all runs of n words that were said, the share that is different: low where every answer is the same."""
    found: Counter[tuple[str, ...]] = Counter()
    for answer in answers:
        found.update(_ngrams(words(answer), n))
    total = found.total()
    return Score(f"distinct_{n}", len(found) / total if total else 0.0, len(answers))


def text_scores(outputs: Texts, targets: TextTargets, *, names: Sequence[str], support: bool, seed: int) -> list[Score]:
    """Every score, `names` first.

    Args:
        names: The overlap scores of the task, the first of which decides.
        support: Whether an answer is in the words of its source, so that the share of those says something.

    Returns:
        The scores. Perplexity and bits per byte are left out where the model gives no probabilities.
    """
    sums = resampled_sums(text_statistics(outputs, targets), seed=seed)
    num = len(outputs)
    chinese = mostly_chinese(row[0] for row in targets.references[:200])
    signed = dict(zip(("bleu", "chrf"), _metrics(chinese), strict=True))
    made = []
    for name in names:
        metric = signed.get(name)
        values = VALUES[name](sums) * (100 if metric else 1)
        score = resampled_score(name, values, num, unit="points" if metric else "fraction")
        made.append(_signed(score, metric, max(map(len, targets.references))) if metric else score)
    made += _others(sums, num, support=support)
    return [*made, *(_distinct(outputs.texts, n) for n in (1, 2))]


def _others(sums: np.ndarray, num: int, *, support: bool) -> Iterator[Score]:
    def total(name: str) -> np.ndarray:
        return np.asarray(sums[:, _PLACE[name]])

    yield resampled_score("length_ratio", share(sums[:, 8], sums[:, 9]), num, unit="ratio")
    if support:
        yield resampled_score("support", share(total("supported"), total("words")), num)
    if sums[0, _PLACE["tokens"]] > 0:
        per_token = np.exp(np.minimum(share(total("nats"), total("tokens")), 700.0))
        bits = share(total("nats"), total("bytes")) / math.log(2)
        yield resampled_score("perplexity", per_token, num, unit="perplexity", higher_is_better=False)
        yield resampled_score("bits_per_byte", bits, num, unit="bits", higher_is_better=False)


def _signed(score: Score, metric: Any, num_references: int) -> Score:
    import dataclasses

    metric.num_refs = num_references
    return dataclasses.replace(score, signature=str(metric.get_signature()))
