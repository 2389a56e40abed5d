"""What did each rung add, and for whom?

An example's depth is the lowest rung from which on every rung is right about it, up to the model on trial. What surface
words answer needed no depth; what only the tuned layers answer did; what no rung answers is too hard or labelled wrong.

Shape legend: N examples, M units, R rungs.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from deepen.core.seed import derive
from deepen.core.settings import Settings
from deepen.core.types import Finding, Interval, Outputs, Targets
from deepen.data.near import row_texts
from deepen.data.words import words_of
from deepen.diagnosis.case import Case, owners, share_of
from deepen.diagnosis.question import Question, not_applicable
from deepen.evaluation.statistics import paired_bootstrap

_SHALLOW = ("majority", "lexical")


class QuestionSettings(Settings):
    """When depth counts as real."""

    margin: float = 0.02
    """Deeper layers that surely add less than this share of the deciding score count as adding nothing."""
    max_examples: int = 20
    """The most examples that are named."""
    max_labels: int = 100
    """The most labels that are listed one by one."""


def ask(case: Case, settings: QuestionSettings) -> list[Finding]:
    """Compares the model with the best rung that knows surface words only."""
    outputs = case.ladder
    names = list(outputs)[: list(outputs).index(case.rung) + 1]
    shallow = [name for name in names if name in _SHALLOW]
    if len(names) > 1:  # what is right by saying the most frequent label every time was not understood
        names = [name for name in names if name != "majority"]
    if not shallow:
        return [not_applicable("depth", "the run has no rung on surface words: add `majority,lexical` to --rungs")]
    right_RN = np.stack([_right(outputs[name], case.targets) for name in names])
    depth_N = depths(right_RN)
    scores = {name: case.task.score(outputs[name], case.targets) for name in shallow}
    base = max(shallow, key=scores.__getitem__)
    mine_NK, base_NK = (case.task.statistics(outputs[name], case.targets) for name in (case.rung, base))
    found = paired_bootstrap(mine_NK, base_NK, case.task.value_of, seed=case.seed_of("depth"))
    verdict = _verdict(case.rung, found.interval, settings.margin)
    never_N = np.logical_not(right_RN.any(0))
    seed = derive(case.seed, "diagnosis", "score")
    evidence = [
        *_shares(names, depth_N, never_N),
        *_changed(names, right_RN, case.rung),
        *_length_and_rarity(case, depth_N, names),
        *_labels(case, depth_N, names, settings.max_labels),
    ]
    return [
        Finding(
            question="depth",
            verdict=verdict,
            observed=case.score(mine_NK, seed=seed),
            control=case.score(base_NK, seed=seed),
            effect=found.interval,
            p_value=found.p_value,
            evidence=evidence,
            examples=_suspects(case.ids_N, never_N, outputs[case.rung], case.targets)[: settings.max_examples],
            caveat=f"The control is the rung `{base}`. Depth is what these rungs needed, with this much data; an "
            "example may be right by luck, and rows that no rung has right may be labelled wrong or not be decidable.",
            remedy=_remedy(case, verdict, base),
        )
    ]


def depths(right_RN: np.ndarray) -> np.ndarray:
    """The place of the first rung from which on an example stays right; the number of rungs if the deepest is wrong.

    Example:
        >>> depths(np.array([[True, True, False], [True, False, False], [True, True, False]])).tolist()
        [0, 2, 3]
    """
    kept_RN = np.cumprod(right_RN[::-1], axis=0)[::-1]
    return np.asarray(len(right_RN) - kept_RN.sum(0))


def _right(outputs: Outputs, targets: Targets) -> np.ndarray:
    """An example is right if each of its scored units is."""
    wrong_M = (outputs.values_MC.argmax(1) != targets.labels_M) & (targets.labels_M >= 0)
    return np.bincount(owners(targets), weights=wrong_M, minlength=len(targets)) == 0


def _verdict(rung: str, effect: Interval, margin: float) -> str:
    if rung in _SHALLOW or effect.high < margin:
        return "shallow"
    return "deep" if effect.low > 0 else "unclear"


def _shares(names: Sequence[str], depth_N: np.ndarray, never_N: np.ndarray) -> list[dict[str, Any]]:
    """How many examples became right for good at each rung, were right once and lost, and were never right."""
    rows: list[tuple[dict[str, Any], np.ndarray]] = [
        *(({"kind": "first_right", "rung": name}, depth_N == place) for place, name in enumerate(names)),
        ({"kind": "lost"}, (depth_N == len(names)) & ~never_N),
        ({"kind": "never_right"}, never_N),
    ]
    return [{**row, **share_of(float(of_N.sum()), len(of_N)), "n": int(of_N.sum())} for row, of_N in rows]


def _changed(names: Sequence[str], right_RN: np.ndarray, rung: str) -> list[dict[str, Any]]:
    """What tuning put right and broke, against the same head on the untouched encoder."""
    if "frozen" not in names or rung == "frozen":
        return []
    before_N, after_N = right_RN[names.index("frozen")], right_RN[names.index(rung)]
    fixed, broken = int((after_N & ~before_N).sum()), int((before_N & ~after_N).sum())
    return [{"kind": "tuning", "against": "frozen", "fixed": fixed, "broken": broken, "n": len(after_N)}]


def _length_and_rarity(case: Case, depth_N: np.ndarray, names: Sequence[str]) -> list[dict[str, Any]]:
    """Whether longer examples, or those of rarer words, needed more depth: rank correlations with their intervals."""
    words_N = [words_of(text) for text in row_texts(case.rows)]
    measures = {"length": np.array([len(words) for words in words_N], float)}
    if case.train is not None:
        measures["rarity"] = _rarity(words_N, case.train)
    reached_N = depth_N < len(names)
    return [
        {"kind": name, "n": int(reached_N.sum()), **_correlation(depth_N[reached_N], values_N[reached_N])}
        for name, values_N in measures.items()
        if reached_N.sum() > 3
    ]


def _rarity(words_N: Sequence[Sequence[str]], train: Any) -> np.ndarray:
    """Mean bits of an example's words under their frequencies in training, one added to every count."""
    counts = Counter(word for text in row_texts(train) for word in words_of(text))
    total = sum(counts.values()) + len(counts) + 1
    return np.array([np.mean([-np.log2((counts[word] + 1) / total) for word in words]) for words in words_N])


def _correlation(depth_K: np.ndarray, values_K: np.ndarray) -> dict[str, Any]:
    """Spearman's rank correlation with its interval by Fisher's z (Bonett and Wright 2000)."""
    from scipy.stats import rankdata

    ranks = rankdata(depth_K), rankdata(values_K)
    if min(np.ptp(ranks[0]), np.ptp(ranks[1])) == 0:
        return {"correlation": 0.0, "low": -1.0, "high": 1.0}
    found = float(np.clip(np.corrcoef(*ranks)[0, 1], -0.999999, 0.999999))
    half = 1.96 * np.sqrt((1 + found**2 / 2) / (len(depth_K) - 3))
    low, high = np.tanh(np.arctanh(found) - half), np.tanh(np.arctanh(found) + half)
    return {"correlation": round(found, 4), "low": round(float(low), 4), "high": round(float(high), 4)}


def _labels(case: Case, depth_N: np.ndarray, names: Sequence[str], most: int) -> list[dict[str, Any]]:
    """For each label, the share that each rung first has right; an example counts for every label of its units."""
    owner_M = owners(case.targets)
    rows = []
    for number, label in enumerate(case.labels):
        chosen = np.unique(owner_M[case.targets.labels_M == number])
        if len(chosen):
            counts_R = np.bincount(depth_N[chosen], minlength=len(names) + 1)
            shares = {name: round(count / len(chosen), 4) for name, count in zip(names, counts_R[:-1], strict=True)}
            rows.append({"kind": "label", "label": label, "n": len(chosen), "first_right": shares})
    return sorted(rows, key=lambda row: -int(row["n"]))[:most]  # type: ignore[call-overload]


def _suspects(ids: np.ndarray, never_N: np.ndarray, outputs: Outputs, targets: Targets) -> list[str]:
    """Examples that no rung has right, first those where the model is surest of something else."""
    values_MC = outputs.values_MC - outputs.values_MC.max(1, keepdims=True)
    losses_M = np.log(np.exp(values_MC).sum(1)) - values_MC[np.arange(len(values_MC)), np.maximum(targets.labels_M, 0)]
    worst_N = np.zeros(len(targets))
    np.maximum.at(worst_N, owners(targets), np.where(targets.labels_M >= 0, losses_M, 0))
    order = np.argsort(-worst_N, kind="stable")
    return [str(name) for name in ids[order][never_N[order]]]


def _remedy(case: Case, verdict: str, base: str) -> str:
    if verdict == "shallow" and case.rung not in _SHALLOW:
        return f"deepen predict {case.named} DATA --rung {base}"
    # the recipe of a run names the rungs that ran, which are all that would be climbed again
    return f"{case.retrain} --set ladder.rungs=null --thorough" if verdict == "unclear" else ""


QUESTION = Question(0, "What did each rung add, and for whom?", QuestionSettings, ask)
