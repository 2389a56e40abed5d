"""Which training rows are easy, ambiguous, hard or wrong?

Two records are read. What the trained rungs noted in every epoch draws the map: rows that were soon known,
rows that wavered, rows that stayed hard. What a model says that has not seen a row's label tells which labels are
likely wrong, and how many: see `deepen.diagnosis.questions.data_map.label_noise`.

Shape legend: N training rows, M their units, C labels, F features, E epochs, K of the units.
"""

from __future__ import annotations

import csv
import io
import shlex
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from pydantic import Field
from torch.nn.functional import cross_entropy

from deepen.core.cells import guarded
from deepen.core.files import write_text
from deepen.core.progress import progress
from deepen.core.settings import Settings
from deepen.core.types import Finding, Interval
from deepen.data.near import NearSettings, near_duplicates, row_texts
from deepen.data.targets.tags import is_tag, to_iob2
from deepen.diagnosis.case import Case, as_score, owners, rounded
from deepen.diagnosis.question import Question, not_applicable, verdict_above
from deepen.diagnosis.questions.data_map.label_noise import noise_floor
from deepen.evaluation.calibration import fit_temperature, log_softmax
from deepen.models.linear import solve_path
from deepen.problem.climbed import Dynamics

_STRENGTHS = (0.003, 0.01, 0.03, 0.1)
_ITERATIONS = 40
_EASY, _HARD = 0.75, 0.25
_FEWEST = 10
_LEAST = 1e-6
_COLUMNS = ("id", "label", "label_given", "confidence", "reason", "text")


class QuestionSettings(Settings):
    """How wrong labels are looked for."""

    out_of_fold: Literal["frozen", "full"] = "frozen"
    """Who ranks the suspects: `frozen` is a head on the untouched encoder's features, fitted on the other folds; `full`
    asks the trained rungs too, by what they said of each row before they learned from it, and the model on trial, if
    it met each row once, which costs a pass over the training rows. The share of wrong labels is told by `frozen`."""
    folds: int = Field(default=5, ge=2)
    """Parts that the rows are cut into; each is judged by a head that was fitted on the others."""
    max_fitted: int = Field(default=20_000, ge=1)
    """The most units that a head is fitted on; a linear head gains little by more. All are judged."""
    margin: float = Field(default=0.03, ge=0, lt=0.5)
    """The share of wrong labels up to which data counts as sound: what the field's own test sets have on average."""
    max_suspects: int | None = Field(default=None, ge=1)
    """How many suspects are listed; None lists as many as may be wrong: the upper end of the estimate."""
    max_examples: int = 20
    """The most suspects that the finding names."""


@dataclass(frozen=True)
class _Judged:
    """What was said of each unit by who had not learned its label.

    `leads_M` is the log-odds of the given label against the best other answer, `others_M` is that answer (-1: not
    known), `confidence_M` the probability of the best answer; NaN where nobody judged. `issues_M` marks what confident
    learning takes for wrong.
    """

    by: str
    confidence_M: np.ndarray
    leads_M: np.ndarray
    others_M: np.ndarray
    issues_M: np.ndarray


def ask(case: Case, settings: QuestionSettings) -> list[Finding]:
    """Estimates the share of wrong labels, and lists the suspects."""
    if case.train is None:
        return [not_applicable("data_map", f"there are no training rows to map: {case.missing}")]
    judged = _judged(case, settings)
    if isinstance(judged, str):
        return [not_applicable("data_map", judged)]
    scored = np.flatnonzero(np.isfinite(judged.leads_M))
    telling = _telling(case, judged, scored)
    if len(telling) < _FEWEST:
        return [not_applicable("data_map", f"{len(telling)} labels are too few to judge")]
    seed = case.seed_of("data_map", "control")
    floor = noise_floor(judged.confidence_M[telling], judged.leads_M[telling] >= 0, len(case.labels), seed=seed)
    over = floor.control.value  # what is found where nothing is wrong
    effect = Interval(floor.share.value - over, floor.share.low - over, floor.share.high - over)
    verdict = verdict_above(effect, settings.margin)
    leads_M = _with_deeper(case, judged.leads_M) if settings.out_of_fold == "full" else judged.leads_M
    wanted = settings.max_suspects or int(np.ceil(floor.share.high * len(telling)))
    units = scored[np.argsort(leads_M[scored], kind="stable")][:wanted]
    units = units[leads_M[units] < 0]
    rows = list(dict.fromkeys(owners(case.train_targets)[units].tolist()))
    file = _write(case, judged, leads_M, units, rows) if case.folder is not None and rows else None
    suspects = {"kind": "suspects", "n": len(rows), "file": file.name if file else None}
    return [
        Finding(
            question="data_map",
            verdict=verdict,
            observed=as_score("wrong_labels", floor.share, len(telling), higher_is_better=False),
            control=as_score("wrong_labels", floor.control, len(telling), higher_is_better=False),
            effect=rounded(effect, 6),
            p_value=floor.p_value,
            evidence=[*_map(case), {"kind": "confident_learning", "n": int(judged.issues_M.sum())}, suspects],
            examples=list(case.train.take(np.array(rows[: settings.max_examples], int)).values("id")),
            caveat=_caveat(case, judged, settings),
            remedy=f"{case.retrain} --drop {shlex.quote(str(file))}" if file and verdict == "shallow" else "",
        )
    ]


def _telling(case: Case, judged: _Judged, scored: np.ndarray) -> np.ndarray:
    """The units that tell how many labels are wrong; of words those in sight of an entity, as most others are easy."""
    if _one_each(case):
        return scored
    labels_K = case.train_targets.labels_M[scored]
    answers_K = np.where(judged.leads_M[scored] < 0, judged.others_M[scored], labels_K)
    return scored[answers_K != np.bincount(labels_K, minlength=1).argmax()] if len(scored) else scored


def _one_each(case: Case) -> bool:
    return len(case.train_targets.labels_M) == len(case.train_targets)


# --- who judges a label ---------------------------------------------------------------------------------------------


def _judged(case: Case, settings: QuestionSettings) -> _Judged | str:
    """By a head on frozen features, out of fold; without features by the first epochs of a rung; or why by nobody."""
    if case.features is None:
        if not case.dynamics or not _one_each(case):
            return "nobody can judge the labels: there are neither an encoder's features nor first epochs of each label"
        return _by_epochs(case)
    try:
        from cleanlab.filter import find_label_issues
    except ImportError:
        return "cleanlab is not installed: pip install deepen[diagnosis]"
    labels_M = case.train_targets.labels_M
    logits_MC = _out_of_fold(case, settings)
    scored = np.flatnonzero((labels_M >= 0) & np.isfinite(logits_MC).all(1))
    confidence_M, leads_M = np.full((2, len(labels_M)), np.nan)
    others_M, issues_M = np.full(len(labels_M), -1), np.zeros(len(labels_M), bool)
    judged = _Judged("frozen features, out of fold", confidence_M, leads_M, others_M, issues_M)
    if len(scored) < _FEWEST:
        return judged
    given_K, logits_KC = labels_M[scored], logits_MC[scored]
    logs_KC = log_softmax(logits_KC / fit_temperature(logits_KC, given_K))
    confidence_M[scored] = np.exp(logs_KC.max(1))
    issues_M[scored] = find_label_issues(given_K, np.exp(logs_KC), filter_by="confident_learning", n_jobs=1)
    leads_M[scored], others_M[scored] = _leads(logs_KC, given_K)
    return judged


def _out_of_fold(case: Case, settings: QuestionSettings) -> np.ndarray:
    """What a linear head on frozen features says of each unit; it was fitted on the rows of the other folds."""
    assert case.features is not None  # noqa: S101 - asked before
    features_MF = torch.from_numpy(np.array(case.features(case.learned), np.float32))
    labels_M = torch.from_numpy(case.train_targets.labels_M)
    fold_M = _folds(case, settings.folds)[owners(case.train_targets)]
    chance = case.rng("data_map", "fitted")
    logits_MC = np.full((len(labels_M), len(case.labels)), np.nan)
    strengths: tuple[float, ...] = _STRENGTHS
    with progress("data_map: judging labels", settings.folds, unit="folds") as advance:
        for fold in range(settings.folds):
            fit = np.flatnonzero((fold_M != fold) & (case.train_targets.labels_M >= 0))
            fit = np.sort(chance.permutation(fit)[: settings.max_fitted])
            held = np.flatnonzero(fold_M == fold)
            if not len(held) or not len(fit):
                continue
            given = features_MF[fit], labels_M[fit], len(case.labels)
            heads = solve_path(*given, strengths=strengths, max_iterations=_ITERATIONS)
            found = [(head.strength, torch.addmm(head.bias_C, features_MF[held], head.weight_CF.T)) for head in heads]
            if len(found) > 1:  # the first fold chooses for all
                losses = [float(cross_entropy(logits, labels_M[held], ignore_index=-100)) for _, logits in found]
                found = [found[int(np.argmin(losses))]]
                strengths = (found[0][0],)
            logits_MC[held] = found[0][1].numpy()
            advance()
    return logits_MC


def _folds(case: Case, num_folds: int) -> np.ndarray:
    """A fold for each row; near-duplicates share one, and each label is spread over all."""
    near_N = near_duplicates([case.learned], NearSettings()).near_N
    groups_N = np.where(near_N < 0, np.arange(len(near_N)), near_N)
    _, first_G, group_N = np.unique(groups_N, return_index=True, return_inverse=True)
    label_G = case.train_targets.labels_M[first_G] if _one_each(case) else np.zeros(len(first_G), int)
    order_G = np.lexsort((case.rng("data_map", "folds").permutation(len(first_G)), label_G))
    fold_G = np.empty(len(first_G), int)
    fold_G[order_G] = np.arange(len(first_G)) % num_folds
    return np.asarray(fold_G[group_N])


def _by_epochs(case: Case) -> _Judged:
    """What the lowest trained rung said of each row before it learned from it."""
    name, dynamics = next(iter(case.dynamics.items()))
    right_N, best_N = _probabilities(dynamics)
    labels_N = case.train_targets.labels_M
    others_N = 1 - labels_N if len(case.labels) == 2 else np.full(len(labels_N), -1)
    leads_N = np.log(right_N / best_N)
    nothing_N = np.zeros(len(labels_N), bool)
    return _Judged(f"first epochs of `{name}`", np.fmax(right_N, best_N), leads_N, others_N, nothing_N)


def _probabilities(dynamics: Dynamics) -> tuple[np.ndarray, np.ndarray]:
    """The probabilities of the given label and of the best other one at the first epoch."""
    right_N = np.exp(-dynamics.losses_EN[0].astype(float))
    best_N = right_N - dynamics.margins_EN[0]
    return np.clip(right_N, _LEAST, 1 - _LEAST), np.clip(best_N, _LEAST, 1 - _LEAST)


def _leads(logs_KC: np.ndarray, given_K: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The log-odds of the given answers against the best others, and those."""
    given, rest_KC = (np.arange(len(given_K)), given_K), logs_KC.copy()
    rest_KC[given] = -np.inf
    return logs_KC[given] - rest_KC.max(1), rest_KC.argmax(1)


def _with_deeper(case: Case, leads_M: np.ndarray) -> np.ndarray:
    """The mean of the log-odds out of fold, at the first epoch of each trained rung, and by the model on trial.

    The last has learned from the labels, but a model that met each row once knows hardly one by heart, and what is true
    of many rows is learned first (Arpit et al. 2017); after more epochs it is not asked.
    """
    if not _one_each(case):
        return leads_M
    all_RM = [leads_M]
    for dynamics in case.dynamics.values():
        right_N, best_N = _probabilities(dynamics)
        all_RM.append(np.log(right_N / best_N))
    if case.rung in case.dynamics and len(case.dynamics[case.rung].losses_EN) == 1:
        all_RM.append(_leads(case.model.predict(case.learned).values_MC, case.train_targets.labels_M)[0])
    return np.asarray(np.where(np.isfinite(leads_M), np.nanmean(all_RM, axis=0), np.nan))


# --- the map --------------------------------------------------------------------------------------------------------


def _epochs(case: Case) -> tuple[np.ndarray, np.ndarray]:
    """Losses and margins of all epochs, those of every trained rung in the order of the ladder."""
    kept = [dynamics for dynamics in case.dynamics.values() if len(dynamics.losses_EN)]
    if not kept:
        return np.zeros((2, 0, len(case.train_targets)))  # type: ignore[return-value]
    return np.concatenate([d.losses_EN for d in kept]), np.concatenate([d.margins_EN for d in kept])


def _map(case: Case) -> list[dict[str, Any]]:
    """Rows by how sure the trained rungs were of their labels, and how often an answer that was right got lost."""
    losses_EN, margins_EN = _epochs(case)
    seen_N = np.isfinite(losses_EN).any(0) if len(losses_EN) else np.zeros(0, bool)
    if not seen_N.any():
        return []
    chances_EN = np.exp(-losses_EN[:, seen_N].astype(float))
    confidence_N, variability_N = np.nanmean(chances_EN, 0), np.nanstd(chances_EN, 0)
    right_EN = margins_EN[:, seen_N] > 0
    region_N = np.select([confidence_N >= _EASY, confidence_N < _HARD], ["easy", "hard"], "ambiguous")
    rows: list[dict[str, Any]] = []
    for region in ("easy", "ambiguous", "hard"):
        of_N = region_N == region
        row = {"kind": "region", "region": region, "n": int(of_N.sum()), "share": round(float(of_N.mean()), 4)}
        if of_N.any():
            row["confidence"] = round(float(confidence_N[of_N].mean()), 4)
            if len(losses_EN) > 1:
                row["variability"] = round(float(variability_N[of_N].mean()), 4)
        rows.append(row)
    lost_N = (right_EN[:-1] & ~right_EN[1:] & np.isfinite(losses_EN[1:, seen_N])).sum(0)
    told = {"forgotten": int((lost_N > 0).sum()), "never_learned": int((~right_EN.any(0)).sum())}
    kept = {"visits": len(losses_EN), "rungs": list(case.dynamics)}
    cells = _cells(confidence_N, variability_N) if len(losses_EN) > 1 else []
    return [*rows, {"kind": "forgetting", "n": int(seen_N.sum()), **kept, **told}, *cells]


def _cells(confidence_N: np.ndarray, variability_N: np.ndarray) -> list[dict[str, Any]]:
    """How many rows lie in each cell of the map, ten by ten; the standard deviation of chances is at most a half."""
    counts = np.histogram2d(confidence_N, variability_N, bins=10, range=((0, 1), (0, 0.5 + _LEAST)))[0].astype(int)
    return [
        {
            "kind": "map",
            "confidence": round(up / 10, 1),
            "variability": round(right / 20, 2),
            "n": int(counts[up, right]),
        }
        for up, right in zip(*np.nonzero(counts), strict=True)
    ]


# --- the list of suspects -------------------------------------------------------------------------------------------


def _write(case: Case, judged: _Judged, leads_M: np.ndarray, units: np.ndarray, rows: list[int]) -> Path:
    """suspects.csv, surest first; a file that a person has changed is left, and another one written beside it."""
    assert case.folder is not None  # noqa: S101 - asked before
    part = case.learned.take(np.array(rows))
    of_row: dict[int, list[int]] = {}
    for unit, row in zip(units.tolist(), owners(case.train_targets)[units].tolist(), strict=True):
        of_row.setdefault(row, []).append(unit)
    out = io.StringIO()
    writer = csv.writer(out, quoting=csv.QUOTE_ALL, lineterminator="\n")
    writer.writerow(_COLUMNS)
    for row, name, target, text in zip(rows, part.values("id"), part.values("target"), row_texts(part), strict=True):
        given, new = _labels(case, judged, row, of_row[row], target)
        sure = 1 / (1 + np.exp(leads_M[of_row[row][0]]))
        cells = (name, new, given, f"{sure:.4f}", _reason(case, judged, row, of_row[row][0]), text)
        writer.writerow([guarded(cell) for cell in cells])
    text = "\ufeff" + out.getvalue()  # the mark tells spreadsheets that it is UTF-8
    for number in count(1):
        path = case.folder / ("suspects.csv" if number == 1 else f"suspects-{number}.csv")
        if not path.exists():
            write_text(path, text)
        if path.read_bytes() == text.encode("utf-8", "backslashreplace"):
            break
    return path


def _labels(case: Case, judged: _Judged, row: int, units: list[int], target: Any) -> tuple[str, str]:
    """The given label and the suggested one; for tags all of the row's, with those of the suspects replaced."""
    if not isinstance(target, list):
        other = int(judged.others_M[units[0]])
        return str(target), case.labels[other] if other >= 0 else str(target)
    tags, first = list(target), int(case.train_targets.offsets_N1[row])
    for unit in units:
        tags[unit - first] = case.labels[int(judged.others_M[unit])]
    return " ".join(target), " ".join(to_iob2(tags) if all(map(is_tag, tags)) else tags)


def _reason(case: Case, judged: _Judged, row: int, unit: int) -> str:
    given, other = int(case.train_targets.labels_M[unit]), int(judged.others_M[unit])
    said = f"{judged.by}: {case.labels[given]}"
    if judged.leads_M[unit] < 0:
        said = f"{judged.by}: {case.labels[other] if other >= 0 else 'something else'}, not {case.labels[given]}"
    if judged.issues_M[unit]:
        said += "; confident learning agrees"
    losses_EN, margins_EN = _epochs(case)
    epochs = int(np.isfinite(losses_EN[:, row]).sum())
    if epochs:
        said += f"; wrong in {int((margins_EN[:, row] <= 0).sum())} of {epochs} epochs"
    return said


def _caveat(case: Case, judged: _Judged, settings: QuestionSettings) -> str:
    said = [
        f"Judged by {judged.by}. A hard row looks like a wrong one, so look at suspects.csv: its column "
        "`label` is a suggestion for `--fix`. Labels that are wrong by rule, or only where rows are hard, are not seen."
    ]
    epochs = len(_epochs(case)[0])
    if epochs:
        said.append(f"Regions are from the epochs by {', '.join(case.dynamics)}, in that order: {epochs}.")
    if epochs == 1:
        said.append("One epoch has no variability.")
    if not _one_each(case):
        said.append("The share is that of words which are taken for part of something.")
    if settings.out_of_fold == "full" and not _one_each(case):
        said.append("Visits are recorded for whole rows, so only the frozen features judge their words.")
    if case.features is None:
        said.append("That rung started from a head that had seen the labels.")
    return " ".join(said)


QUESTION = Question(40, "Which training rows are easy, ambiguous, hard or wrong?", QuestionSettings, ask)
