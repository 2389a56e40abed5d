"""How much of the score is memory?

A row with a twin among the training rows, a near-duplicate or one that differs in figures only, can be answered from
memory. Such rows are compared with rows that have none, at the same length and with the same labels, so that only
having been seen differs. In tagging, names that were in the training rows are compared with new ones too.

Shape legend: N examples, M units, K sums of a score, U things compared (rows or entities), S strata, B resamples.
"""

from __future__ import annotations

import re
import shlex
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from pydantic import Field

from deepen.core.files import write_jsonl
from deepen.core.settings import Settings
from deepen.core.types import Finding, Interval, Score, Targets
from deepen.data.near import NearSettings, fold, near_duplicates, row_texts
from deepen.data.table import Part
from deepen.data.words import split_words
from deepen.diagnosis.case import Case, as_score, ends, share_of, widened
from deepen.diagnosis.question import Question, not_applicable, verdict_above
from deepen.evaluation.statistics import (
    Statistic,
    bootstrap,
    percentile_interval,
    resampled_difference,
    resampled_sums,
    share,
)
from deepen.evaluation.tagging import entities, matched, rows_of, types_of

_LONGEST_NAME = 3
_CLIP = 160
_FIGURE = re.compile(r"\d")


class QuestionSettings(Settings):
    """When memory counts, and how little is too little to say."""

    margin: float = Field(default=0.05, ge=0)
    """How much better seen rows may be answered. 0.05: where a tenth leaks, half a point of the whole score."""
    min_seen: int = Field(default=30, ge=1)
    """Fewer seen rows or names than this, with unseen ones of their kind, are too few to compare."""
    max_examples: int = 20
    """The most examples that are named."""
    max_pairs: int = 5
    """The most rows that are shown beside their twin."""


@dataclass(frozen=True)
class _Twins:
    """How each tried row is like a training row (or ""), the first one that it is like, and whether labels agree."""

    kind_N: np.ndarray
    first_N: np.ndarray
    agree_N: np.ndarray

    @property
    def seen_N(self) -> np.ndarray:
        """Which rows have a twin."""
        return np.asarray(self.kind_N != "")


@dataclass(frozen=True)
class Compared:
    """Seen things against unseen ones of the same strata, those weighted to the make-up of the seen ones."""

    seen: Interval
    unseen: Interval
    effect: Interval
    p_value: float
    num_seen: int
    num_unseen: int

    def finding(
        self, score: str, verdict: str, evidence: list[Any], *, examples: list[str], caveat: str, remedy: str
    ) -> Finding:
        """What was compared, as an answer."""
        seen, unseen = as_score(score, self.seen, self.num_seen), as_score(score, self.unseen, self.num_unseen)
        return Finding("leakage", verdict, seen, unseen, self.effect, self.p_value, evidence, examples, caveat, remedy)


def ask(case: Case, settings: QuestionSettings) -> list[Finding]:
    """Compares rows with and without a twin in training; in tagging, known names with new ones."""
    if case.train is None:
        return [not_applicable("leakage", case.missing or "the training rows can't be had")]
    twins = _twins(case, case.train)
    found = [_rows(case, case.train, twins, settings)]
    if "tokens" in case.rows.table.inputs:
        found.append(_names(case, case.train, twins, settings))
    return found


# --- rows -----------------------------------------------------------------------------------------------------------


def _twins(case: Case, train: Part) -> _Twins:
    """Copies, rows that differ in figures only (dates, results), and near-duplicates."""
    num = len(train)
    groups = near_duplicates([train, case.rows], NearSettings())
    figures = [_FIGURE.sub("0", fold(text)) for part in (train, case.rows) for text in row_texts(part)]
    alike = {"exact": groups.same_N.tolist(), "figures": figures, "near": groups.near_N.tolist()}
    learned = {kind: _places(marks[:num]) for kind, marks in alike.items()}
    taught = _keys(case.train_targets)
    kinds, firsts, agree = [], [], []
    for at, key in enumerate(_keys(case.targets)):
        there = {kind: learned[kind].get(marks[num + at], []) for kind, marks in alike.items()}
        kind = next((kind for kind in alike if there[kind]), "")
        twins = there.get(kind, [])
        kinds.append(kind)
        firsts.append(twins[0] if twins else -1)
        agree.append(bool(twins) and Counter(taught[twin] for twin in twins).most_common(1)[0][0] == key)
    return _Twins(np.array(kinds, dtype=np.str_), np.array(firsts), np.array(agree, bool))


def _places(marks: Sequence[Any]) -> dict[Any, list[int]]:
    """Which rows have each mark; -1 marks a row that is like no other."""
    found: dict[Any, list[int]] = {}
    for at, mark in enumerate(marks):
        if mark != -1:
            found.setdefault(mark, []).append(at)
    return found


def _keys(targets: Targets) -> list[tuple[int, ...]]:
    """Which labels each row has; for tagging a set, so that rows with names of the same kinds are compared."""
    return [tuple(sorted(set(row.tolist()))) for row in np.split(targets.labels_M, targets.offsets_N1[1:-1])]


def _rows(case: Case, train: Part, twins: _Twins, settings: QuestionSettings) -> Finding:
    num_seen = int(twins.seen_N.sum())
    if num_seen == 0:
        return not_applicable("leakage", f"no row of {case.where} has a near-duplicate among the training rows")
    stats_NK = case.task.statistics(case.outputs, case.targets)
    lengths_N = np.array([len(split_words(text)) for text in row_texts(case.rows)])
    bins_N = np.round(2 * np.log2(np.maximum(lengths_N, 1))).astype(int).tolist()  # alike to within a factor of 1.4
    strata_N = _numbered(list(zip(_keys(case.targets), bins_N, strict=True)))
    seed = case.seed_of("leakage", "rows")
    everyone = np.arange(len(case.rows))
    found = compare(stats_NK, twins.seen_N, strata_N, everyone, case.task.value_of, seed=seed)
    if found is None or found.num_seen < settings.min_seen:
        few = f"{num_seen} of {len(case.rows):,} rows of {case.where} have a near-duplicate among the training rows"
        matched = 0 if found is None else found.num_seen
        return not_applicable(
            "leakage", f"{few}, {matched} of them beside unseen rows of like length and label: too few to say"
        )
    clean = np.flatnonzero(~twins.seen_N)
    evidence = [
        {"kind": "rows", **_counts(twins), "compared": found.num_seen, "against": found.num_unseen},
        _scored("all", case.score(stats_NK, seed=seed)),
        _scored("clean", case.score(stats_NK[clean], seed=seed)),
        _inflation(stats_NK, clean, case, seed),
        {"kind": "twin_labels", "agree": round(float(twins.agree_N[twins.seen_N].mean()), 4), "n": num_seen},
        *_pairs(case, train, twins, settings.max_pairs),
    ]
    caveat = (
        "The control is the rows without a twin, weighted to the labels and lengths of those with one. Rows "
        "that come up again may be easier for other reasons, such as set phrases; and near-duplicates are told by "
        "their letters, so a paraphrase is not found."
    )
    verdict = verdict_above(found.effect, settings.margin)
    remedy = _command(case, "clean.jsonl", clean) if verdict != "deep" else ""
    examples = case.ids_N[twins.seen_N][: settings.max_examples].tolist()
    return found.finding(case.task.score_name, verdict, evidence, examples=examples, caveat=caveat, remedy=remedy)


def _scored(kind: str, score: Score) -> dict[str, Any]:
    return {"kind": kind, "score": score.value, "low": score.low, "high": score.high, "n": score.n}


def _counts(twins: _Twins) -> dict[str, Any]:
    num, seen = len(twins.kind_N), int(twins.seen_N.sum())
    kinds = {kind: int((twins.kind_N == kind).sum()) for kind in ("exact", "figures", "near")}
    return {"leaked": seen, **kinds, "n": num, **share_of(seen, num)}


def _inflation(stats_NK: np.ndarray, clean: np.ndarray, case: Case, seed: int) -> dict[str, Any]:
    """By how much the score falls without the rows that have a twin; they may be easier too, so not all is memory."""
    of_N = np.zeros((len(stats_NK), 1))
    of_N[clean] = 1
    both = np.concatenate([stats_NK, stats_NK * of_N], axis=1)
    width = stats_NK.shape[1]
    found = bootstrap(both, lambda s: case.task.value_of(s[:, :width]) - case.task.value_of(s[:, width:]), seed=seed)
    return {"kind": "flattered", **ends(found)}


def _pairs(case: Case, train: Part, twins: _Twins, most: int) -> list[dict[str, Any]]:
    """Rows beside their twin, first those that are not mere copies."""
    order = np.flatnonzero(twins.seen_N)
    order = order[np.argsort(twins.kind_N[order] == "exact", kind="stable")][:most]
    here, there = case.rows.take(order), train.take(twins.first_N[order])
    columns = (here.values("id"), row_texts(here), there.values("id"), row_texts(there), twins.agree_N[order].tolist())
    return [
        {"kind": "pair", "id": a, "text": text[:_CLIP], "train_id": b, "train_text": other[:_CLIP], "same_labels": same}
        for a, text, b, other, same in zip(*columns, strict=True)
    ]


def _command(case: Case, name: str, rows: np.ndarray) -> str:
    """Writes some of the rows into a file, and the command that scores the model on them."""
    if case.folder is None:
        return "deepen check TRAIN --test TEST"
    inputs = [name for name in case.task.inputs if name in case.rows.table.inputs]
    path = case.folder / "diagnosis" / name
    examples = case.rows.take(rows).examples()
    write_jsonl(path, ({**{key: one.inputs[key] for key in inputs}, "label": one.target} for one in examples))
    columns = ",".join(f"{key}={key}" for key in (*inputs, "label"))
    return f"deepen evaluate {case.named} {shlex.quote(str(path))} --columns {columns}"


# --- names ----------------------------------------------------------------------------------------------------------


def _names(case: Case, train: Part, twins: _Twins, settings: QuestionSettings) -> Finding:
    """Recall of the names that training rows hold against that of new ones, in rows that have no twin."""
    gold = entities(case.targets.labels_M, case.targets.offsets_N1)
    owner_E = rows_of(gold.starts_E, case.targets.offsets_N1)
    kept = np.flatnonzero(~twins.seen_N[owner_E])
    forms = _forms(case.rows, case.targets)
    learned = _forms(train, case.train_targets)
    known = {form for form, _ in learned}
    typed = set(learned)
    seen_U = np.array([forms[at][0] in known for at in kept], bool)
    right_E = _found(case)
    strata = [(int(gold.types_E[at]), min(int(gold.ends_E[at] - gold.starts_E[at]), _LONGEST_NAME)) for at in kept]
    stats_UK = np.stack([right_E[kept], np.ones(len(kept))], axis=1)
    seed = case.seed_of("leakage", "names")
    found = compare(stats_UK, seen_U, _numbered(strata), owner_E[kept], _recall, seed=seed) if len(kept) else None
    if found is None or found.num_seen < settings.min_seen:
        few = f"{int(seen_U.sum())} of {len(kept):,} names in rows without a twin are in the training rows"
        return not_applicable("leakage", f"{few}: too few to compare with unseen ones of like type and length")
    same_type = np.array([forms[at] in typed for at in kept])[seen_U].mean()
    new = kept[~seen_U]
    only_new = np.setdiff1d(owner_E[new], owner_E[kept[seen_U]])
    about = {"seen": int(seen_U.sum()), "n": len(kept), "share": round(float(seen_U.mean()), 4)}
    against = {"compared": found.num_seen, "against": found.num_unseen, "same_type": round(float(same_type), 4)}
    evidence = [
        {"kind": "names", **about, **against},
        *_by_type(case, gold.types_E[kept], seen_U, right_E[kept]),
    ]
    caveat = (
        "The control is the names that no training row holds, weighted to the types and lengths of the known "
        "ones; rows with a twin are left out. Knowing a name is no fault, but where the names will be others, expect "
        "the control's score. Rare names are harder for other reasons too."
    )
    verdict = verdict_above(found.effect, settings.margin)
    remedy = _command(case, "new-names.jsonl", only_new) if verdict != "deep" and len(only_new) else ""
    missed = list(dict.fromkeys(case.ids_N[owner_E[new[right_E[new] == 0]]].tolist()))[: settings.max_examples]
    return found.finding("entity_recall", verdict, evidence, examples=missed, caveat=caveat, remedy=remedy)


def _forms(part: Part, targets: Targets) -> list[tuple[str, int]]:
    """What each entity says, without case, and its type."""
    found = entities(targets.labels_M, targets.offsets_N1)
    words = [word for row in part.values("tokens") for word in row]
    bounds = zip(found.starts_E.tolist(), found.ends_E.tolist(), found.types_E.tolist(), strict=True)
    return [(" ".join(map(fold, words[start:end])), kind) for start, end, kind in bounds]


def _found(case: Case) -> np.ndarray:
    """Which of the true entities the model has, with both ends and the type."""
    numbers = {label: number for number, label in enumerate(case.labels)}
    tags = (tag for row in case.task.decode(case.outputs, case.rows, case.labels) for tag in row["output"])
    decided_M = np.fromiter((numbers[tag] for tag in tags), np.int64)
    said, gold = (entities(labels_M, case.targets.offsets_N1) for labels_M in (decided_M, case.targets.labels_M))
    return matched(gold, said).astype(np.float64)


def _recall(sums_BK: np.ndarray) -> np.ndarray:
    return share(sums_BK[:, 0], sums_BK[:, 1])


def _by_type(case: Case, types_U: np.ndarray, seen_U: np.ndarray, right_U: np.ndarray) -> list[dict[str, Any]]:
    rows = []
    for number, kind in enumerate(types_of(case.labels)):
        row: dict[str, Any] = {"kind": "type", "label": kind}
        for name, chosen_U in (("seen", seen_U), ("unseen", ~seen_U)):
            of_U = (types_U == number) & chosen_U
            row |= {f"num_{name}": int(of_U.sum()), name: round(float(right_U[of_U].mean()), 4) if of_U.any() else None}
        rows.append(row)
    return rows


# --- comparing ------------------------------------------------------------------------------------------------------


def compare(
    stats_UK: np.ndarray,
    seen_U: np.ndarray,
    strata_U: np.ndarray,
    owner_U: np.ndarray,
    value_of: Statistic,
    *,
    seed: int,
    repeats: int = 1000,
) -> Compared | None:
    """The score of seen things less that of unseen ones of the same strata, with a bootstrap over rows.

    Each thing has the sums that a score is made of, and its row as owner. Unseen things get the weights that give each
    stratum the share it has among the seen ones; strata that lack one or the other are left out. Every resample weights
    anew. None if no stratum has both.

    Source:
        Rubin 1973, https://doi.org/10.2307/2529684, on matching; Efron and Tibshirani 1993, chapter 6.
    """
    num_strata = int(strata_U.max(initial=-1)) + 1
    per_2S = np.zeros((2, num_strata), np.int64)
    np.add.at(per_2S, (seen_U.astype(int), strata_U), 1)
    both_S = (per_2S[0] > 0) & (per_2S[1] > 0)
    if not both_S.any():
        return None
    place_S = np.cumsum(both_S) - 1
    kept = np.flatnonzero(both_S[strata_U])
    width = stats_UK.shape[1] + 1
    _, row_U = np.unique(owner_U[kept], return_inverse=True)
    cells = np.zeros((int(row_U.max()) + 1, 2, int(both_S.sum()), width))
    counted = np.concatenate([stats_UK[kept], np.ones((len(kept), 1))], axis=1)
    np.add.at(cells, (row_U, seen_U[kept].astype(int), place_S[strata_U[kept]]), counted)
    flat = cells.reshape(len(cells), -1)
    sums = resampled_sums(flat, seed=seed, repeats=repeats)
    unseen, seen = _weighted(sums.reshape(-1, *cells.shape[1:]), value_of)
    gain = resampled_difference(seen - unseen)
    num_seen, num_unseen = (int(per_2S[which][both_S].sum()) for which in (1, 0))
    effect = widened(gain.interval, num_seen)
    intervals = percentile_interval(seen), percentile_interval(unseen)
    return Compared(*intervals, effect, gain.p_value, num_seen, num_unseen)


def _weighted(sums: np.ndarray, value_of: Statistic) -> tuple[np.ndarray, np.ndarray]:
    """Scores of the unseen and the seen, from sums of shape (B, 2, S, K + 1), the last of which counts things."""
    unseen, seen = sums[:, 0], sums[:, 1]
    both = (unseen[..., -1] > 0) & (seen[..., -1] > 0)
    weights = np.divide(seen[..., -1], unseen[..., -1], out=np.zeros(both.shape), where=both)
    score_unseen = value_of((unseen[..., :-1] * weights[..., None]).sum(1))
    return score_unseen, value_of((seen[..., :-1] * both[..., None]).sum(1))


def _numbered(keys: Sequence[Any]) -> np.ndarray:
    places: dict[Any, int] = {}
    return np.array([places.setdefault(key, len(places)) for key in keys], np.int64)


QUESTION = Question(30, "How much of the score is memory?", QuestionSettings, ask)
