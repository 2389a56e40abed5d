"""Matching: two texts, and how they belong together: a label (same or not, entailment) or a score (how alike).

A row looks like `{"sentence1": "A man plays.", "sentence2": "Someone plays.", "label": "1"}`. The cheap form encodes
each text by itself and compares the two vectors (`frozen`, `top_layers`); the deep one reads both together (`full`).

Shape legend: N examples, M units (here M = N), C labels.
"""

from __future__ import annotations

from typing import Any, Literal

from deepen.core.ladder import Shown
from deepen.core.settings import Settings
from deepen.core.types import Sequences, Targets
from deepen.data.columns import Need, plain_name
from deepen.data.source import Source
from deepen.data.table import Part
from deepen.data.tokens import Encode
from deepen.evaluation.classification import accuracy_value
from deepen.models.heads import mean, pair
from deepen.models.tokenizer import Tokenizer
from deepen.problem import one_label
from deepen.problem.losses import cross_entropy, margins
from deepen.problem.regression import by_target
from deepen.problem.task import Claim, Form, Shallow, Task
from deepen.shallow.pairs import PairSurface, fit_pairs, load_pairs

_FIRST = (
    "sentence1 sentence_a text_a texta question1 premise string1 1_string s1 text1 query_a source 句子1 文本1".split()
)
_SECOND = (
    "sentence2 sentence_b text_b textb question2 hypothesis string2 2_string s2 text2 query_b target_text 句子2 文本2"
).split()
_LABELS = (
    "label",
    "gold_label",
    "quality",
    "is_duplicate",
    "entailment_judgment",
    "relatedness_score",
    "similarity",
    "score",
    "标签",
)
NEEDS = (
    Need("sentence1", "text", tuple(_FIRST)),
    Need("sentence2", "text", tuple(_SECOND)),
    Need("label", "category", _LABELS),
)


class TaskSettings(Settings):
    """What is learned about a pair, and how."""

    target: Literal["auto", "label", "score"] = "auto"
    """`score` learns a number, `label` a class; `auto` takes a score where labels are many numbers, some not whole."""
    together: bool = True
    """Whether the rung `full` reads both texts as one sequence. It is better at fine differences; apart, each text is
    encoded once however many it is compared with."""


def _recognise(source: Source) -> Claim | None:
    names = {plain_name(name): name for name in source.names or ()}
    first = next((names[name] for name in _FIRST if name in names), None)
    second = next((names[name] for name in _SECOND if name in names), None)
    return Claim(0.5, f"columns {first} and {second} hold two texts") if first and second else None


def _pairs(part: Part) -> tuple[list[str], list[str]]:
    return list(part.values("sentence1")), list(part.values("sentence2"))


def _apart(tokenizer: Tokenizer, max_tokens: int) -> Encode:
    def encode(columns: dict[str, list[Any]]) -> Sequences:
        return one_label.encode_apart(tokenizer, columns["sentence1"], columns["sentence2"], max_tokens=max_tokens)

    return encode


def _together(tokenizer: Tokenizer, max_tokens: int) -> Encode:
    def encode(columns: dict[str, list[Any]]) -> Sequences:
        return tokenizer.encode_pairs(columns["sentence1"], columns["sentence2"], max_tokens=max_tokens)

    return encode


def _fit_surface(part: Part, targets: Targets, num_outputs: int, settings: Any, seed: int) -> PairSurface:
    return fit_pairs(_pairs, part, targets, num_outputs, settings, seed)


def configured(settings: TaskSettings) -> Task:
    """The task with these settings."""
    task = Task(
        name="matching",
        needs=NEEDS,
        recognise=_recognise,
        form=Form(_apart, pair.HEAD),
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
        lexical=Shallow(_fit_surface, lambda folder: load_pairs(folder, _pairs)),
        settings=settings,
        shown=Shown(example={"sentence1": "a text", "sentence2": "another text"}, pipeline="text-classification"),
        configured=configured,
        deep=Form(_together, mean.HEAD, called="both texts together") if settings.together else None,
    )
    return by_target(task, settings.target)


TASK = configured(TaskSettings())
