"""What tasks share in which a whole row gets one label.

Shape legend: N examples, M units (here M = N), C labels.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np

from deepen.core.types import Outputs, Score, Sequences, Targets
from deepen.data.columns import Need
from deepen.data.table import Part
from deepen.data.targets.labels import check_labels, encode_labels
from deepen.data.tokens import Encode
from deepen.evaluation.calibration import softmax
from deepen.evaluation.classification import (
    DECISION_SCORES,
    accuracy_statistics,
    best_prior_shift,
    classification_scores,
    decision_statistics,
    decision_value,
)
from deepen.models.tokenizer import Keep, Tokenizer
from deepen.problem.task import Decider, Shallow
from deepen.shallow.tfidf import Frequencies, load_frequencies

TEXT = Need(
    "text",
    "text",
    (
        *("text", "sentence", "review", "content", "comment", "utterance", "tweet", "message", "question", "query"),
        *("title", "headline", "body", "description", "document", "sms", "post", "feedback"),
        *("文本", "评论", "内容", "句子", "正文", "标题", "问题", "微博"),
    ),
)
"""The one text of a row."""
LABEL = Need(
    "label",
    "category",
    (
        *("label", "labels", "category", "class", "target", "sentiment", "intent", "topic", "polarity", "tag"),
        *("stars", "rating", "y", "emotion", "标签", "类别", "分类", "情感"),
    ),
)
"""Its label."""


def texts(part: Part) -> Iterator[str]:
    """The one text of each row."""
    return part.values("text")


def text_encoder(tokenizer: Tokenizer, max_tokens: int, keep: Keep = "head") -> Encode:
    """Turns the one text of each row into a sequence."""

    def encode(columns: dict[str, list[Any]]) -> Sequences:
        return tokenizer.encode(columns["text"], max_tokens=max_tokens, keep=keep)

    return encode


def encode_apart(tokenizer: Tokenizer, first: list[str], second: list[str], *, max_tokens: int) -> Sequences:
    """Two texts of each row as two sequences, one after the other.

    Args:
        first: B texts.
        second: B texts.
    """
    turns = [text for pair in zip(first, second, strict=True) for text in pair]
    found = tokenizer.encode(turns, max_tokens=max_tokens)
    cut_B = found.truncated_B.reshape(-1, 2).max(axis=1, initial=False)
    return Sequences(found.ids_T, found.lengths_B, cut_B, sequence_counts_B=np.full(len(first), 2))


def label_table(part: Part, max_labels: Any) -> tuple[str, ...]:
    """The label table of training rows."""
    return check_labels(part, max_labels=max_labels)


def targets_of(part: Part, labels: tuple[str, ...]) -> Targets:
    """Rows to label indices."""
    return Targets(encode_labels(part, labels), np.arange(len(part) + 1))


def check(part: Part, labels: tuple[str, ...]) -> None:
    """Raises DataError if a row's label is not in the table."""
    encode_labels(part, labels)


def statistics(outputs: Outputs, targets: Targets) -> np.ndarray:
    """Right answers and examples, sums_NK."""
    return accuracy_statistics(outputs.values_MC, targets.labels_M)


def _decider(name: str) -> Decider:
    return Decider(
        lambda outputs, targets: decision_statistics(outputs.values_MC, targets.labels_M),
        partial(decision_value, name),
        lambda outputs, targets: best_prior_shift(name, outputs.values_MC, targets.labels_M),
    )


DECIDERS = {name: _decider(name) for name in DECISION_SCORES}
"""Scores of a classifier that may decide in place of accuracy; where labels are rare, decisions are shifted to them."""


def scores(outputs: Outputs, targets: Targets, labels: Sequence[str], seed: int) -> list[Score]:
    """Every score of a classifier."""
    return classification_scores(outputs.values_MC, targets.labels_M, labels, seed=seed)


def decode(outputs: Outputs, part: Part, labels: Sequence[str]) -> list[dict[str, Any]]:
    """The most probable label of each row, and the probabilities of all."""
    probs_NC = softmax(outputs.values_MC)
    best_N = probs_NC.argmax(1)
    return [
        {
            "output": labels[best],
            "probabilities": {label: round(float(p), 6) for label, p in zip(labels, probs_C, strict=True)},
        }
        for best, probs_C in zip(best_N, probs_NC, strict=True)
    ]


def _fit_frequencies(part: Part, targets: Targets, num_outputs: int, settings: Any, seed: int) -> Frequencies:
    counts_C = np.bincount(targets.labels_M, minlength=num_outputs)
    return Frequencies(np.log((counts_C + 0.5) / (counts_C.sum() + 0.5 * num_outputs)), len)


BASELINE = Shallow(_fit_frequencies, lambda folder: load_frequencies(folder, len))
"""The rung `majority`."""
