"""Which cues predict the label, and does the model lean on them?

Two lists, kept apart. The first is about the data: words, runs of words, marks, places and lengths that go with a
label. The second is about the model, and only it gives a verdict: the cue is put into texts of other labels, beside a
random word that is as frequent. How much of the push the *meaning* of the cue explains is told by two heads on the
untouched encoder's features: one that has learned the training rows, and its twin, from which the cue was hidden. What
the twin knows of the cue all the same is meaning; so is what the rest of the cue's own rows can't say.
docs/decisions/0013-cues-and-meaning.md says why.

Shape legend: N rows, R altered rows, B resamples.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from deepen.core.settings import Settings
from deepen.core.types import Finding, Interval, Score
from deepen.data.near import row_texts
from deepen.data.words import words_of
from deepen.diagnosis.case import Case, as_score, drawn, rounded
from deepen.diagnosis.question import Question, not_applicable
from deepen.diagnosis.questions.surface_cues.balance import write_lengthened
from deepen.diagnosis.questions.surface_cues.find import Cue, find_cues
from deepen.diagnosis.questions.surface_cues.rows import Known
from deepen.diagnosis.questions.surface_cues.trial import Trial, choose_cues, try_cues
from deepen.evaluation.statistics import percentile_interval, resampled_sums, wilson


class QuestionSettings(Settings):
    """Which cues are looked for, and how they are tried on the model."""

    false_discoveries: float = 0.01
    """The expected share of false cues among those found in the data."""
    min_rows: int = 5
    """A cue must occur in so many training rows; what is rarer can't move a score by much."""
    max_ngram: int = 2
    """The longest run of words; a longer one is nearly always found by a pair of words in it."""
    num_strongest: int = 20
    """So many of the strongest cues of the data are tried on the model."""
    num_suspects: int = 16
    """And so many others: those whose label a head knows only if it has seen the cue with it."""
    num_rows: int = 24
    """Rows of other labels that each cue is put into: standard errors of about a fiftieth of the way, in seconds."""
    num_rows_again: int = 96
    """The same for the cues that the first look leaves open, with the margin inside their interval."""
    margin: float = 0.1
    """A cue that surely moves the model by less than this share of the way to its label is no shortcut."""
    explained: float = 0.5
    """A cue is a shortcut only if less than this share of what it does is explained by its meaning: a majority."""
    max_train_rows: int = 20_000
    """The most training rows that are looked at; more would find rarer cues, and cost memory."""
    max_listed: int = 100
    """The most cues of the data that are listed, besides those that are tried."""


def ask(case: Case, settings: QuestionSettings) -> list[Finding]:
    """Finds cues in the training rows and tries the strongest, and the most suspicious, on the model."""
    if case.task.form.head.is_units:
        why = "a tagger answers about the word itself, so a word is no cue; see partial_input"
        return [not_applicable("surface_cues", why)]
    if case.train is None:
        return [not_applicable("surface_cues", case.missing or "there are no training rows to find cues in")]
    train = drawn(case.train, settings.max_train_rows, case.rng("surface_cues", "train"))
    labels_N = case.task.targets(train, case.labels).labels_M
    words_N = [words_of(text) for text in row_texts(train)]
    cues = find_cues(
        words_N,
        labels_N,
        len(case.labels),
        rate=settings.false_discoveries,
        min_rows=settings.min_rows,
        max_ngram=settings.max_ngram,
    )
    if not cues:
        why = "no word, mark, place or length goes with a label more often than by chance"
        return [not_applicable("surface_cues", why)]
    known = Known(case, train, labels_N, words_N)
    tried = choose_cues(known, cues, settings.num_strongest, settings.num_suspects)
    judged = [_judge(case, trial, settings) for trial in try_cues(known, tried, num_rows=settings.num_rows)]
    return _findings(case, known, cues, _looked_at_again(known, judged, settings), settings)


@dataclass(frozen=True)
class _Judged:
    """A trial with what it says: how far the cue moves the model, and how much of it is unexplained."""

    trial: Trial
    push: Interval
    explained: Interval
    effect: Interval
    p_value: float
    accused: bool = False


def _looked_at_again(known: Known, judged: list[_Judged], settings: QuestionSettings) -> list[_Judged]:
    """Tries those cues on more rows of which the first ones can't say on which side of the margin they are."""
    still_open = [one.trial.cue for one in judged if _is_open(one, settings)]
    if not still_open or settings.num_rows_again <= settings.num_rows:
        return judged
    again = try_cues(known, still_open, num_rows=settings.num_rows_again)
    newer = {trial.cue: _judge(known.case, trial, settings) for trial in again}
    return [newer.get(one.trial.cue, one) for one in judged]


def _is_open(one: _Judged, settings: QuestionSettings) -> bool:
    unexplained = one.trial.known and one.explained.value < settings.explained
    return unexplained and one.effect.low <= settings.margin < one.effect.high


def _findings(
    case: Case, known: Known, cues: Sequence[Cue], judged: list[_Judged], settings: QuestionSettings
) -> list[Finding]:
    judged = _accused(judged, settings)
    in_model = [_in_model(case, one) for one in judged]
    listed = dict.fromkeys([*cues[: settings.max_listed], *(one.trial.cue for one in judged)])
    in_data = [_in_data(case, cue) for cue in listed]
    accused = [one for one in judged if one.accused]
    if not accused:
        return [_none_accused(case, judged, [*in_model, *in_data], settings)]
    hidden = [*case.hidden, *dict.fromkeys(one.trial.cue.text for one in accused if one.trial.cue.words)]
    found = []
    for at, one in enumerate(accused):
        own = [{"cue": one.trial.cue.text, **_in_model(case, one), "kind": "accused"}, _in_data(case, one.trial.cue)]
        others = [row for row in [*in_model, *in_data] if row["text"] != one.trial.cue.text] if at == 0 else []
        ids = list(case.rows.take(one.trial.contexts_R).values("id"))
        examples = [name for name, fooled in zip(ids, one.trial.fooled_R, strict=True) if fooled]
        found.append(
            Finding(
                question="surface_cues",
                verdict="shallow",
                observed=_accuracy(one.trial.right["contradicting"]),
                control=_accuracy(one.trial.right["contradicting_control"]),
                effect=one.effect,
                p_value=one.p_value,
                evidence=[*own, *others],
                examples=examples or ids[:5],
                caveat=_CAVEAT,
                remedy=_remedy(case, known, one.trial, hidden),
            )
        )
    return found


_CAVEAT = (
    "Observed is the accuracy on rows of other labels with the cue put in, control the same with a random word that is "
    "as frequent (for a length: as they are). The effect is how far the cue moves the model towards its label, as a "
    "share of the way from other texts to that label's own, less what its meaning explains. Meaning is what the "
    "untouched encoder knows of it: a word whose sense this encoder does not know may be accused wrongly."
)


def _judge(case: Case, trial: Trial, settings: QuestionSettings) -> _Judged:
    """Resamples altered rows, the cue's own rows and others of its label, and what follows from their means."""
    from scipy.special import ndtr

    seed = case.seed_of("surface_cues", "judge", trial.cue.kind, trial.cue.text)

    def means(values_KR: np.ndarray) -> np.ndarray:
        """Of each row: the mean, and after it those of the resamples."""
        return resampled_sums(values_KR.T, seed=seed).T / values_KR.shape[1]

    push, learned, meant = means(np.stack([trial.model_R, trial.head_R, trial.twin_R]))
    needed = np.zeros_like(push)
    if len(trial.own_K):
        needed = means(trial.others_K[None])[0] - means(trial.own_K[None])[0]
    if trial.named:
        share = np.ones_like(push)
    else:
        share = np.maximum(meant, 0) / np.maximum(learned, 1e-9)
        if np.quantile(needed[1:], 0.025) > 0:  # else the rows may well say as much without the cue
            share = share + np.maximum(needed, 0) / np.maximum(push, 1e-9)
        share = np.clip(share, 0, 1)
    effect = push * (1 - share)
    spread = float(effect[1:].std()) or 1e-9
    p_value = float(ndtr((settings.margin - float(effect[0])) / spread))
    return _Judged(trial, _middle(push), _middle(share), _middle(effect), p_value)


def _middle(values_B: np.ndarray) -> Interval:
    return rounded(percentile_interval(values_B), 4)


def _accused(judged: list[_Judged], settings: QuestionSettings) -> list[_Judged]:
    """Those surely beyond the margin, false discoveries held at one in twenty, of which meaning is the smaller part."""
    from scipy.stats import false_discovery_control

    q_values = false_discovery_control([one.p_value for one in judged])
    out = []
    for one, q in zip(judged, q_values, strict=True):
        sure = q <= 0.05 and one.effect.low > settings.margin
        accused = bool(one.trial.known and sure and one.explained.value < settings.explained)
        out.append(replace(one, p_value=float(q), accused=accused))
    return out


def _none_accused(case: Case, judged: list[_Judged], evidence: list[Any], settings: QuestionSettings) -> Finding:
    """One finding for all: deep if on average surely little is unexplained, or surely the smaller part of the push."""
    known = bool(judged) and all(one.trial.known for one in judged)
    right, control = (
        np.concatenate([np.zeros(0), *(one.trial.right[name] for one in judged)])
        for name in ("contradicting", "contradicting_control")
    )
    if not len(right):
        why = "cues were found, but there are too few rows of other labels to put them into"
        return not_applicable("surface_cues", why, evidence)
    values = np.array([one.effect.value for one in judged])
    half = 1.96 * float(values.std(ddof=1) if len(values) > 1 else 0) / len(values) ** 0.5
    mean = float(values.mean())
    effect = rounded(Interval(mean, mean - half, mean + half), 4)
    moved = any(one.push.high > settings.margin for one in judged)
    enough = max(settings.margin, (1 - settings.explained) * float(np.mean([one.push.value for one in judged])))
    verdict = "deep" if (known and effect.high < enough) or not moved else "unclear"
    why = "" if known else "Without an encoder's features a shortcut can't be told from a word that means the label. "
    return Finding(
        question="surface_cues",
        verdict=verdict,
        observed=_accuracy(right),
        control=_accuracy(control),
        effect=effect,
        p_value=min(one.p_value for one in judged),
        evidence=evidence,
        examples=[],
        caveat=f"{why}{len(judged)} cues were tried and none is accused; others may be leaned on. {_CAVEAT}",
        remedy="",
    )


def _accuracy(right_R: np.ndarray) -> Score:
    found = Interval(float(right_R.mean()), *wilson(float(right_R.sum()), len(right_R)))
    return as_score("accuracy", found, len(right_R))


def _in_data(case: Case, cue: Cue) -> dict[str, Any]:
    return {
        "kind": "in_data",
        "text": cue.text,
        "pattern": cue.kind,
        "label": case.labels[cue.label],
        "n": cue.n,
        "share": round(cue.share, 4),
        "expected": round(cue.expected, 4),
        "z": round(cue.z, 2),
        "q_value": float(f"{cue.q_value:.3g}"),
    }


def _in_model(case: Case, one: _Judged) -> dict[str, Any]:
    trial = one.trial
    row: dict[str, Any] = {
        "kind": "in_model",
        "text": trial.cue.text,
        "pattern": trial.cue.kind,
        "label": case.labels[trial.cue.label],
        "accused": one.accused,
        "in_name_of_label": trial.named,
        "push": [one.push.value, one.push.low, one.push.high],
        "explained": [one.explained.value, one.explained.low, one.explained.high] if trial.known else None,
        "unexplained": [one.effect.value, one.effect.low, one.effect.high] if trial.known else None,
    }
    for name, right in trial.right.items():
        row[f"accuracy_{name}"] = round(float(right.mean()), 4) if len(right) else None
        row[f"n_{name}"] = len(right)
    return row


def _remedy(case: Case, known: Known, trial: Trial, hidden: Sequence[str]) -> str:
    """Hides words from the next run; against a length, makes others as long, or leaves its surplus out."""
    if trial.cue.words:
        words = json.dumps(list(hidden), ensure_ascii=False)
        return f"{case.retrain} --set {shlex.quote('data.hide=' + words)}"
    if case.folder is None:
        return ""
    path = case.folder / f"rows-of-{trial.cue.shortest}-to-{trial.cue.longest}-words.csv"
    if known.is_long(trial.cue):
        write_lengthened(known, trial.cue, path)
        return f"{case.retrain} --add {shlex.quote(str(path))}"
    known.write_surplus(trial.cue, path)
    return f"{case.retrain} --drop {shlex.quote(str(path))}"


QUESTION = Question(10, "Which cues predict the label, and does the model lean on them?", QuestionSettings, ask)
