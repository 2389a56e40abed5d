"""Classification: one text, one label.

A row looks like `{"text": "I am still waiting on my card?", "label": "card_arrival"}`; the text may be joined from
several columns. The unit is the row: its token vectors become one by pooling, and a linear head gives a logit a label.

Shape legend: N examples, M units (here M = N), C labels.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from deepen.core.types import Outputs, Score, Sequences, Targets
from deepen.data.alter import altered
from deepen.data.labels import check_labels, encode_labels
from deepen.data.load import Need
from deepen.data.table import Part
from deepen.data.tokens import Encode
from deepen.data.words import own_pieces, split_words
from deepen.evaluation.calibration import softmax
from deepen.evaluation.classification import accuracy_statistics, accuracy_value, classification_scores
from deepen.models.surface import Frequencies, fit_lexical, load_frequencies, load_lexical
from deepen.models.tokenizer import Tokenizer
from deepen.training.objectives import cross_entropy, margins
from deepen.training.task import Claim, Decision, Explainable, Places, Shallow, Task

NEEDS = (
    Need(
        "text",
        "text",
        (
            *("text", "sentence", "review", "content", "comment", "utterance", "tweet", "message", "question", "query"),
            *("title", "headline", "body", "description", "document", "sms", "post", "feedback"),
            *("文本", "评论", "内容", "句子", "正文", "标题", "问题", "微博"),
        ),
    ),
    Need(
        "label",
        "category",
        (
            *("label", "labels", "category", "class", "target", "sentiment", "intent", "topic", "polarity", "tag"),
            *("stars", "rating", "y", "emotion", "标签", "类别", "分类", "情感"),
        ),
    ),
)


def _texts(part: Part) -> Iterator[str]:
    return part.values("text")


def _labels(part: Part, max_labels: Any) -> tuple[str, ...]:
    return check_labels(part, max_labels=max_labels)


def _check(part: Part, labels: tuple[str, ...]) -> None:
    encode_labels(part, labels)


def _targets(part: Part, labels: tuple[str, ...]) -> Targets:
    return Targets(encode_labels(part, labels), np.arange(len(part) + 1))


def _encoder(tokenizer: Tokenizer, max_tokens: int) -> Encode:
    def encode(columns: dict[str, list[Any]]) -> Sequences:
        return tokenizer.encode(columns["text"], max_tokens=max_tokens)

    return encode


def _scores(outputs: Outputs, targets: Targets, labels: Sequence[str], seed: int) -> list[Score]:
    return classification_scores(outputs.values_MC, targets.labels_M, labels, seed=seed)


def _decode(outputs: Outputs, part: Part, labels: Sequence[str]) -> list[dict[str, Any]]:
    probs_NC = softmax(outputs.values_MC)
    best_N = probs_NC.argmax(1)
    return [
        {
            "output": labels[best],
            "probabilities": {label: round(float(p), 6) for label, p in zip(labels, probs_C, strict=True)},
        }
        for best, probs_C in zip(best_N, probs_NC, strict=True)
    ]


def _decisions(outputs: Outputs, part: Part, labels: Sequence[str]) -> list[Decision]:
    probs_NC = softmax(outputs.values_MC)
    best_N = probs_NC.argmax(1)
    return [
        Decision(row, labels[best], round(float(probs_NC[row, best]), 6), unit=0, logit=int(best))
        for row, best in enumerate(best_N)
    ]


def _words(part: Part) -> Places:
    return split_words(next(_texts(part)))


def _owners(tokenizer: Tokenizer, max_tokens: int, part: Part) -> tuple[Places, np.ndarray]:
    text = next(_texts(part))
    return own_pieces(split_words(text), tokenizer.places(text, max_tokens=max_tokens))


def _without(part: Part, places: Places) -> Part:
    text = next(_texts(part))
    copies = part.take(np.zeros(len(places), np.int64))
    return altered(copies, {"text": [text[:start] + text[end:] for start, end in places]})


def _fit_frequencies(part: Part, targets: Targets, num_outputs: int, settings: Any, seed: int) -> Frequencies:
    counts_C = np.bincount(targets.labels_M, minlength=num_outputs)
    return Frequencies(np.log((counts_C + 0.5) / (counts_C.sum() + 0.5 * num_outputs)), len)


def _fit_lexical(part: Part, targets: Targets, num_outputs: int, settings: Any, seed: int) -> Any:
    return fit_lexical(_texts, part, targets.labels_M, num_outputs, settings, seed)


def _load_lexical(folder: Path) -> Any:
    return load_lexical(folder, _texts)


def _load_frequencies(folder: Path) -> Frequencies:
    return load_frequencies(folder, len)


TASK = Task(
    name="classification",
    needs=NEEDS,
    recognise=lambda source: Claim(0.1, "the columns speak for no other"),
    pooling="mean",
    labels=_labels,
    check=_check,
    targets=_targets,
    encoder=_encoder,
    losses=cross_entropy,
    margins=margins,
    score_name="accuracy",
    statistics=lambda outputs, targets: accuracy_statistics(outputs.values_MC, targets.labels_M),
    value_of=accuracy_value,
    scores=_scores,
    decode=_decode,
    baseline=Shallow(_fit_frequencies, _load_frequencies),
    lexical=Shallow(_fit_lexical, _load_lexical),
    explain=Explainable(_decisions, _words, _owners, _without),
)
