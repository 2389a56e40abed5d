"""Classification: one text, one label, or one score.

A row looks like `{"text": "I am still waiting on my card?", "label": "card_arrival"}`; the text may be joined from
several columns. The unit is the row: its token vectors become one by pooling, and a linear head gives a logit a label.

Shape legend: N examples, M units (here M = N), C labels.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np

from deepen.core.ladder import Shown
from deepen.core.settings import Settings
from deepen.core.types import Outputs, Targets
from deepen.data.altered import altered
from deepen.data.table import Part
from deepen.data.words import own_pieces, split_words
from deepen.evaluation.calibration import softmax
from deepen.evaluation.classification import accuracy_value
from deepen.models.heads import mean
from deepen.models.tokenizer import Keep, Tokenizer
from deepen.problem import one_label
from deepen.problem.losses import cross_entropy, margins
from deepen.problem.regression import by_target
from deepen.problem.task import Claim, Decision, Explainable, Form, Places, Shallow, Task
from deepen.shallow.tfidf import fit_lexical, load_lexical

NEEDS = (one_label.TEXT, one_label.LABEL)


class TaskSettings(Settings):
    """What is learned about a text."""

    target: Literal["auto", "label", "score"] = "auto"
    """`score` learns a number, `label` a class; `auto` takes a score where labels are many numbers, some not whole."""
    long: Keep = "head"
    """What is read of a text that is longer than the model takes: its `head`, both its `ends` in equal parts, or all of
    it in `windows`, whose states are pooled together. Other tools that load the model read the head."""


def _decisions(outputs: Outputs, part: Part, labels: Sequence[str]) -> list[Decision]:
    probs_NC = softmax(outputs.values_MC)
    best_N = probs_NC.argmax(1)
    return [
        Decision(row, labels[best], round(float(probs_NC[row, best]), 6), unit=0, logit=int(best))
        for row, best in enumerate(best_N)
    ]


def _words(part: Part) -> Places:
    return split_words(next(one_label.texts(part)))


def _owners(tokenizer: Tokenizer, max_tokens: int, part: Part, keep: Keep = "head") -> tuple[Places, np.ndarray]:
    text = next(one_label.texts(part))
    return own_pieces(split_words(text), tokenizer.places(text, max_tokens=max_tokens, keep=keep))


def _without(part: Part, places: Places) -> Part:
    text = next(one_label.texts(part))
    copies = part.take(np.zeros(len(places), np.int64))
    return altered(copies, {"text": [text[:start] + text[end:] for start, end in places]})


def _fit_lexical(part: Part, targets: Targets, num_outputs: int, settings: Any, seed: int) -> Any:
    return fit_lexical(one_label.texts, part, targets, num_outputs, settings, seed)


def _load_lexical(folder: Path) -> Any:
    return load_lexical(folder, one_label.texts)


def configured(settings: TaskSettings) -> Task:
    """The task with these settings."""
    task = Task(
        name="classification",
        needs=NEEDS,
        recognise=lambda source: Claim(0.1, "the columns speak for no other"),
        form=Form(partial(one_label.text_encoder, keep=settings.long), mean.HEAD),
        labels=one_label.label_table,
        check=one_label.check,
        targets=one_label.targets_of,
        losses=cross_entropy,
        margins=margins,
        score_name="accuracy",
        statistics=one_label.statistics,
        value_of=accuracy_value,
        deciders=one_label.DECIDERS,
        scores=one_label.scores,
        decode=one_label.decode,
        baseline=one_label.BASELINE,
        lexical=Shallow(_fit_lexical, _load_lexical),
        settings=settings,
        shown=Shown(pipeline="text-classification", code="texts"),
        prompts="classification",
        configured=configured,
        explain=Explainable(_decisions, _words, partial(_owners, keep=settings.long), _without)
        if settings.long != "windows"
        else None,
    )
    return by_target(task, settings.target)


TASK = configured(TaskSettings())
