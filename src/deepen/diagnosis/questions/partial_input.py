"""Can it answer without the input that matters?

Something is hidden: the order of the words, each named input where there are several, all but the word itself in
tagging. The same model answers the hidden form, and so do shallow rungs that are fitted again on such rows: they show
what can be had from the hidden form without any depth. A model that keeps its lead over them never needed what was
hidden.

Shape legend: N examples, M units, C outputs of a unit, K sums of a score.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from pydantic import Field

from deepen.core.settings import Settings
from deepen.core.types import Finding, Interval, Outputs, Score, Targets
from deepen.data.altered import altered
from deepen.data.near import row_texts
from deepen.data.table import Part
from deepen.data.words import CJK, join_words, split_words
from deepen.diagnosis.case import Case, ends, widened
from deepen.diagnosis.question import Question, not_applicable
from deepen.evaluation.statistics import PairedDifference, paired_bootstrap
from deepen.shallow.model import offsets_of
from deepen.shallow.tfidf import LexicalSettings

_SHALLOW = ("majority", "lexical")
_KEPT = {
    "order": "Words alone may rightly carry most of the meaning: a score that stays does not prove the model wrong, "
    "but that these rows do not test whether it reads order.",
    "neighbours": "Many words mean one thing whatever stands around them; to know a name is not yet to understand it.",
}
_CHINESE = re.compile(f"[{CJK}]")


class QuestionSettings(Settings):
    """What is hidden, and when losing it counts."""

    keeps: tuple[int, ...] = Field(default=(1, 2, 3), min_length=1)
    """Shuffles move blocks of so many words; the first decides, the others show how far order reaches."""
    num_draws: int = Field(default=3, ge=1)
    """Shuffles of each kind, whose scores are averaged; chance in one shuffle of 1,000 rows is about a point."""
    margin: float = Field(default=0.02, ge=0)
    """A score that surely moves by less than this counts as not moved."""
    share: float = Field(default=0.1, ge=0, le=1)
    """Nor does one that moves by less than this share of the lead over the control: nearly all is kept."""
    max_train_rows: int = Field(default=10_000, ge=1)
    """The control is fitted on so many training rows at most: a minute at worst, and surface words need few more."""
    max_examples: int = 20
    """The most examples that are named."""


@dataclass(frozen=True)
class View:
    """Rows with something hidden: which unit of them each unit became, and where those of each row start, if moved."""

    part: Part
    shown_M: np.ndarray | None = None
    offsets_N1: np.ndarray | None = None


@dataclass(frozen=True)
class Form:
    """A way to hide something: what is hidden, in words, and how; `keeps` is the length of runs that stay whole."""

    hidden: str
    name: str
    make: Callable[[Part, np.random.Generator], View]
    keeps: int | None = None


@dataclass(frozen=True)
class _Tried:
    """A form with what came of it: statistics of the model with everything in sight, of it and the control without."""

    form: Form
    full_NK: np.ndarray
    hidden_NK: np.ndarray
    control_NK: np.ndarray
    control: str
    moved: PairedDifference
    lead: Interval
    changed_N: np.ndarray


def ask(case: Case, settings: QuestionSettings) -> list[Finding]:
    """Hides one thing after the other; one finding for each, with the forms it was hidden in."""
    if case.train is None and not any(name in case.predictors for name in _SHALLOW):
        why = f"there is nothing to compare with: no rung on surface words, and {case.missing}"
        return [not_applicable("partial_input", why)]
    return [_finding(case, forms, settings) for forms in _forms(case.rows, settings.keeps, case.task.answered_in)]


# --- hiding ---------------------------------------------------------------------------------------------------------


def _forms(part: Part, keeps: Sequence[int], answered_in: str | None) -> Iterator[list[Form]]:
    """What can be hidden of such rows, a list of forms for each thing; not the text whose words are the units."""
    tagged = "tokens" in part.table.inputs
    texts = [name for name in part.table.texts if name != answered_in]
    if tagged:
        yield [Form("neighbours", "every word by itself", _alone)]
    elif len(part.table.texts) > 1:
        for name in texts:
            yield [Form(name, f"'{name}' left empty", _without(name))]
    shuffled = _shuffled_tokens if tagged else partial(_shuffled_texts, texts)
    yield [
        Form("order", f"{'words' if size == 1 else f'blocks of {size} words'} in random order", shuffled(size), size)
        for size in keeps
    ]


def _alone(part: Part, rng: np.random.Generator) -> View:
    words_N = list(part.values("tokens"))
    owner_M = np.repeat(np.arange(len(part)), [len(words) for words in words_N])
    alone = altered(part.take(owner_M), {"tokens": [[word] for words in words_N for word in words]})
    return View(alone, np.arange(len(owner_M)), np.arange(len(owner_M) + 1))


def _without(name: str) -> Callable[[Part, np.random.Generator], View]:
    return lambda part, rng: View(altered(part, {name: [""] * len(part)}))


def _shuffled_texts(names: Sequence[str], size: int) -> Callable[[Part, np.random.Generator], View]:
    def shuffle(part: Part, rng: np.random.Generator) -> View:
        return View(altered(part, {name: [shuffled(text, size, rng) for text in part.values(name)] for name in names}))

    return shuffle


def _shuffled_tokens(size: int) -> Callable[[Part, np.random.Generator], View]:
    def shuffle(part: Part, rng: np.random.Generator) -> View:
        words_N = list(part.values("tokens"))
        orders = [order_of(words, size, rng) for words in words_N]
        offsets_N1 = offsets_of(words_N)
        mixed = [[words[at] for at in order] for words, order in zip(words_N, orders, strict=True)]
        shown = [start + np.argsort(order) for start, order in zip(offsets_N1[:-1], orders, strict=True)]
        return View(altered(part, {"tokens": mixed}), np.concatenate(shown), offsets_N1)

    return shuffle


def shuffled(text: str | None, size: int, rng: np.random.Generator) -> str:
    """A text whose words stand in another order.

    A word is what stands between spaces, with its punctuation, so that nothing but the order changes; in Chinese it is
    a character. `size` words stay together; the text itself if they are all of one block.

    Example:
        >>> shuffled("Not good, but fun!", 2, np.random.default_rng(0))
        'but fun! Not good,'
    """
    words = _words(text or "")
    return join_words([words[at] for at in order_of(words, size, rng)])[0]


def _words(text: str) -> list[str]:
    words: list[str] = []
    last = -1
    for start, end in split_words(text):
        glued = start == last and not _CHINESE.match(text[start]) and not _CHINESE.match(text[start - 1])
        if glued:
            words[-1] += text[start:end]
        else:
            words.append(text[start:end])
        last = end
    return words


def order_of(words: Sequence[str], size: int, rng: np.random.Generator) -> np.ndarray:
    """Where the words of a shuffle come from: blocks of `size` in another order, unless all words are equal."""
    places = np.arange(len(words))
    if len(words) < 2:
        return places
    blocks = np.split(places, np.arange(rng.integers(1, size + 1), len(words), size))
    mixed = np.concatenate([blocks[at] for at in rng.permutation(len(blocks))])
    if all(words[at] == words[there] for at, there in enumerate(mixed)):
        mixed = np.concatenate(blocks[1:] + blocks[:1])
    return mixed


# --- answering ------------------------------------------------------------------------------------------------------


def _try(case: Case, form: Form, settings: QuestionSettings) -> _Tried:
    """Scores the model and the control on one form of the rows, a few draws of it."""
    num_draws = settings.num_draws if form.keeps else 1
    views = [form.make(case.rows, case.rng("partial_input", form.name, draw)) for draw in range(num_draws)]
    hidden_NK = _statistics(case, case.model, views)
    controls = {name: _statistics(case, made, views) for name, made in _controls(case, form, settings).items()}
    control = max(controls, key=lambda name: float(case.task.value_of(controls[name].sum(0, keepdims=True))[0]))
    full_NK = case.task.statistics(_read(case, case.outputs.values_MC), case.targets)
    seed = case.seed_of("partial_input", form.name)
    moved = paired_bootstrap(hidden_NK, full_NK, case.task.value_of, seed=seed)
    lead = paired_bootstrap(full_NK, controls[control], case.task.value_of, seed=seed).interval
    changed_N = _changed(case.rows, views[0].part)
    moved = PairedDifference(widened(moved.interval, len(case.rows)), moved.p_value)
    return _Tried(form, full_NK, hidden_NK, controls[control], control, moved, lead, changed_N)


def _changed(part: Part, shown: Part) -> np.ndarray:
    """Which rows look otherwise; where each word is a row, all that have more than one."""
    if len(shown) != len(part):
        return np.array([len(words) > 1 for words in part.values("tokens")])
    return np.array([text != other for text, other in zip(row_texts(part), row_texts(shown), strict=True)])


def _controls(case: Case, form: Form, settings: QuestionSettings) -> dict[str, Any]:
    """The shallow rungs fitted on training rows in this form; without training rows, those of the run as they are."""
    if case.train is None:
        return {name: case.predictors[name]() for name in _SHALLOW if name in case.predictors}
    rng = case.rng("partial_input", form.name, "train")
    num = min(len(case.train), settings.max_train_rows)
    chosen = np.sort(rng.choice(len(case.train), num, replace=False))
    known = case.train_targets
    labels_M = np.concatenate([known.labels_M[known.offsets_N1[at] : known.offsets_N1[at + 1]] for at in chosen])
    view = form.make(case.train.take(chosen), rng)
    targets = Targets(labels_M, np.concatenate([[0], np.cumsum(np.diff(known.offsets_N1)[chosen])]))
    if view.shown_M is not None and view.offsets_N1 is not None:
        moved_M = np.empty_like(labels_M)
        moved_M[view.shown_M] = labels_M
        targets = Targets(moved_M, view.offsets_N1)
    made = {"majority": case.task.baseline, "lexical": case.task.lexical}
    num_outputs = case.outputs.values_MC.shape[1]
    return {
        name: rung.fit(view.part, targets, num_outputs, LexicalSettings(), case.seed) for name, rung in made.items()
    }


def _statistics(case: Case, model: Any, views: Sequence[View]) -> np.ndarray:
    """The mean statistics of a model over some views of the rows."""
    said = [model.predict(view.part).values_MC for view in views]
    said = [values if view.shown_M is None else values[view.shown_M] for values, view in zip(said, views, strict=True)]
    found = [case.task.statistics(_read(case, values), case.targets) for values in said]
    return np.asarray(np.mean(found, axis=0))


def _read(case: Case, values_MC: np.ndarray) -> Outputs:
    """Logits as outputs; tags by their type, as a word alone can't tell whether it starts a name or goes on."""
    if "tokens" in case.rows.table.inputs:
        values_MC = np.array(values_MC, np.float64)
        begins, inside = values_MC[:, 1::2], values_MC[:, 2::2]
        values_MC[:, 1::2] = np.logaddexp(begins, inside)
        values_MC[:, 2::2] = values_MC[:, 1::2] + 1e-6
    return Outputs(values_MC, case.targets.offsets_N1)


# --- judging --------------------------------------------------------------------------------------------------------


def _finding(case: Case, forms: Sequence[Form], settings: QuestionSettings) -> Finding:
    first = _try(case, forms[0], settings)
    if not first.changed_N.any():
        return not_applicable("partial_input", f"no row changes when {forms[0].hidden} is hidden")
    tried = [first, *(_try(case, form, settings) for form in forms[1:])]
    verdict = _verdict(first, settings)
    return Finding(
        question="partial_input",
        verdict=verdict,
        observed=_score(case, first.hidden_NK),
        control=_score(case, first.control_NK),
        effect=first.moved.interval,
        p_value=first.moved.p_value,
        evidence=[*(_row(case, one, settings) for one in tried), _lead(first)],
        examples=_examples(case, first, verdict)[: settings.max_examples],
        caveat=_caveat(case, first),
        remedy=_remedy(case, first, verdict),
    )


def _verdict(found: _Tried, settings: QuestionSettings) -> str:
    margin = max(settings.margin, settings.share * found.lead.value)
    if found.moved.interval.low > -margin:
        return "shallow"
    # what a fitted reader of the hidden form makes up for was not lost with what is hidden, but to strangeness
    return "deep" if min(-found.moved.interval.high, found.lead.low) > margin else "unclear"


def _score(case: Case, stats_NK: np.ndarray) -> Score:
    return case.score(stats_NK, seed=case.seed_of("partial_input", "score"))


def _row(case: Case, found: _Tried, settings: QuestionSettings) -> dict[str, Any]:
    hidden, control, full = (_score(case, stats) for stats in (found.hidden_NK, found.control_NK, found.full_NK))
    return {
        "kind": "form",
        "hidden": found.form.hidden,
        "form": found.form.name,
        "keeps": found.form.keeps,
        "draws": settings.num_draws if found.form.keeps else 1,
        "changed": round(float(found.changed_N.mean()), 4),
        "score": hidden.value,
        "low": hidden.low,
        "high": hidden.high,
        "full": full.value,
        "effect": ends(found.moved.interval),
        "control": control.value,
        "control_low": control.low,
        "control_high": control.high,
        "control_rung": found.control,
        "refitted": case.train is not None,
    }


def _lead(found: _Tried) -> dict[str, Any]:
    """What the model is ahead of the control with everything in sight, and how much of that is left."""
    lead = found.lead
    kept = max(0.0, 1 + found.moved.interval.value / lead.value) if lead.low > 0 else None
    return {"kind": "lead", **ends(lead), "kept": None if kept is None else round(kept, 4), "n": len(found.full_NK)}


def _examples(case: Case, found: _Tried, verdict: str) -> list[str]:
    """If it is shallow, rows that stay right; else those that lose most."""
    full_N, hidden_N = case.task.value_of(found.full_NK), case.task.value_of(found.hidden_NK)
    chosen_N = found.changed_N & ((full_N == 1) & (hidden_N == 1) if verdict == "shallow" else full_N > hidden_N)
    order = np.argsort(hidden_N - full_N, kind="stable")
    return [str(name) for name in case.ids_N[order][chosen_N[order]]]


def _caveat(case: Case, found: _Tried) -> str:
    fitted = "fitted again on rows hidden in the same way" if case.train is not None else "as it is in the run"
    kept = _KEPT.get(found.form.hidden, f"A score that stays shows rows that need no '{found.form.hidden}'.")
    return (
        f"The effect is what hiding moved. The control is the rung `{found.control}`, {fitted}. {kept} The model never "
        "learned from such rows, so part of a loss may be their strangeness."
    )


def _remedy(case: Case, found: _Tried, verdict: str) -> str:
    run = case.named
    if verdict == "deep":
        return ""
    if verdict == "unclear":
        return f"deepen diagnose {run} DATA --questions partial_input"
    cheap = next((name for name in ("lexical", "majority") if name in case.predictors), None)
    if found.lead.low <= 0 and cheap is not None and case.rung not in _SHALLOW:
        return f"deepen predict {run} DATA --rung {cheap}"
    return f"deepen diagnose {run} --questions surface_cues"


QUESTION = Question(
    20, "Can it answer without the input that matters?", QuestionSettings, ask, kinds=("labels", "many", "scores")
)
