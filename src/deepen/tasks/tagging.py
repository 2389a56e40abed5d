"""Tagging: one tag a word, as for named entities; in Chinese one a character.

A row looks like `{"text": "EU rejects German call", "tokens": ["EU", "rejects", ...]}` with the target `["B-ORG", "O",
...]`. The unit is the word: the vector of its first piece goes through one linear head, which gives a logit a tag.

Shape legend: N examples, M units, C tags.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from deepen.core.errors import DataError, nearest
from deepen.core.ladder import Shown
from deepen.core.settings import Settings
from deepen.core.types import Outputs, Score, Sequences, Targets
from deepen.data.altered import altered
from deepen.data.columns import Need
from deepen.data.source import Source
from deepen.data.table import Part
from deepen.data.targets.tagged_rows import looks_tagged
from deepen.data.tokens import Encode
from deepen.data.words import join_words
from deepen.evaluation.calibration import softmax
from deepen.evaluation.tagging import (
    Decoding,
    decide,
    entities,
    entity_f1,
    entity_statistics,
    tag_table,
    tagging_scores,
)
from deepen.models.heads import units
from deepen.models.tokenizer import Tokenizer
from deepen.models.units import encode_units, unit_owners
from deepen.problem.losses import cross_entropy, margins
from deepen.problem.task import Claim, Decision, Explainable, Form, Places, Shallow, Task
from deepen.shallow.crf import count_tags, fit_field, load_field, load_word_tags

NEEDS = (
    Need(
        "tokens",
        "tokens",
        (
            *("tokens", "words", "token", "word", "text", "sentence", "content", "raw", "query", "document"),
            *("字", "词", "文本", "句子", "内容"),
        ),
    ),
    Need(
        "label",
        "tags",
        (
            *("ner_tags", "tags", "ner", "ner_labels", "bio_tags", "labels", "label", "entities", "spans"),
            *("annotations", "tag", "pos_tags", "upos", "pos", "xpos", "标签", "标注", "实体"),
        ),
    ),
)

_HIDDEN = "\ufffd"  # as an empty token is kept: next to no training row has it


class TaskSettings(Settings):
    """How tags are decided."""

    decoding: Decoding = "viterbi"
    """`viterbi` takes the most probable well-formed tags; `repair` each word's most probable tag, where an I- that
    follows nothing of its type starts an entity, as the script of CoNLL 2003 reads it."""


def _recognise(source: Source) -> Claim | None:
    why = looks_tagged(source)
    return Claim(0.9, why) if why else None


def _tokens(part: Part) -> Iterator[list[str]]:
    return part.values("tokens")


def _target_lists(part: Part) -> pa.Array:
    if not part.table.has_target:
        raise DataError(f"{part.table.name} has no tags")
    return part.table.arrow.column("target").take(pa.array(part.rows_N)).combine_chunks()


def _labels(part: Part, max_labels: Any) -> tuple[str, ...]:
    tags = [tag for tag in pc.unique(pc.list_flatten(_target_lists(part))).to_pylist() if tag is not None]
    types = {tag[2:] for tag in tags if tag != "O"}
    if not types:
        raise DataError(f"{part.table.name} holds no entity: every tag is O; a tagger needs at least one type")
    if max_labels is not None and len(types) > max_labels:
        raise DataError(f"{part.table.name} has {len(types):,} entity types and data.max_labels allows {max_labels:,}")
    return tag_table(types)


def _targets(part: Part, labels: tuple[str, ...]) -> Targets:
    lists = _target_lists(part)
    counts_N = pc.list_value_length(lists).to_numpy(zero_copy_only=False)
    flat = pc.list_flatten(lists)
    found = pc.index_in(flat, value_set=pa.array(labels, pa.string()))
    if lists.null_count or found.null_count:
        _explain(part, lists, set(labels))
    return Targets(found.to_numpy().astype(np.int64), np.concatenate([[0], np.cumsum(counts_N)]).astype(np.int64))


def _explain(part: Part, lists: pa.Array, known: set[str]) -> None:
    for line, tags in zip(part.values("line"), lists.to_pylist(), strict=True):
        if tags is None:
            raise DataError(f"{part.table.name} line {line}: tags are missing")
        for place, tag in enumerate(tags, 1):
            if tag not in known:
                types = sorted({name[2:] for name in known if name != "O"})
                said = f"tag {place}, {tag}: the type '{tag[2:][:60]}' is not in the training data"
                raise DataError(f"{part.table.name} line {line}: {said}; {nearest(tag[2:], types)}")


def _check(part: Part, labels: tuple[str, ...]) -> None:
    _targets(part, labels)


def _encoder(tokenizer: Tokenizer, max_tokens: int) -> Encode:
    def encode(columns: dict[str, list[Any]]) -> Sequences:
        joined = [join_words(words) for words in columns["tokens"]]
        texts, places = [text for text, _ in joined], [spots for _, spots in joined]
        return encode_units(tokenizer, texts, places, max_tokens=max_tokens)

    return encode


def _fit_words(part: Part, targets: Targets, num_outputs: int, settings: Any, seed: int) -> Any:
    return count_tags(_tokens, part, targets.labels_M, num_outputs)


def _fit_field(part: Part, targets: Targets, num_outputs: int, settings: Any, seed: int) -> Any:
    rows = np.split(targets.labels_M, targets.offsets_N1[1:-1])
    return fit_field(_tokens, part, rows, num_outputs, settings)


def _load_words(folder: Path) -> Any:
    return load_word_tags(folder, _tokens)


def _load_field(folder: Path) -> Any:
    return load_field(folder, _tokens)


def _decided(outputs: Outputs, part: Part, labels: Sequence[str], how: Decoding) -> tuple[np.ndarray, list[Decision]]:
    """The tag of each unit, and the entities that the tags make up."""
    decided_M = decide(outputs.values_MC, outputs.offsets_N1, how=how)
    sure_M = np.take_along_axis(softmax(outputs.values_MC), decided_M[:, None], 1)[:, 0]
    found = entities(decided_M, outputs.offsets_N1)
    bounds = np.searchsorted(found.starts_E, outputs.offsets_N1)
    made = []
    for row, spans in enumerate(part.values("spans")):
        first = outputs.offsets_N1[row]
        for at in range(bounds[row], bounds[row + 1]):
            start, end = found.starts_E[at], found.ends_E[at]
            tag = int(decided_M[start])
            left, right = spans[2 * (start - first)], spans[2 * (end - 1 - first) + 1]
            sure = round(float(sure_M[start:end].min()), 6)
            made.append(Decision(row, labels[tag][2:], sure, int(start - first), tag, left, right))
    return decided_M, made


def _decoded(outputs: Outputs, part: Part, labels: Sequence[str], how: Decoding) -> list[dict[str, Any]]:
    decided_M, made = _decided(outputs, part, labels, how)
    bounds = zip(outputs.offsets_N1[:-1], outputs.offsets_N1[1:], strict=True)
    answers: list[dict[str, Any]] = [
        {"output": [labels[tag] for tag in decided_M[first:last]], "entities": []} for first, last in bounds
    ]
    texts = list(part.values("text"))
    for one in made:
        place = {"start": one.start, "end": one.end, "label": one.output}
        text = texts[one.row][one.start : one.end]
        answers[one.row]["entities"].append(place | {"text": text, "score": one.confidence})
    return answers


def _places(part: Part) -> Places:
    spans = next(part.values("spans"))
    return list(zip(spans[::2], spans[1::2], strict=True))


def _owners(tokenizer: Tokenizer, max_tokens: int, part: Part) -> tuple[Places, np.ndarray]:
    text, spots = join_words(next(_tokens(part)))
    return _places(part), unit_owners(tokenizer, text, spots, max_tokens=max_tokens)


def _without(part: Part, places: Places) -> Part:
    words = next(_tokens(part))
    hidden = [[*words[:at], _HIDDEN, *words[at + 1 :]] for at in range(len(places))]
    return altered(part.take(np.zeros(len(places), np.int64)), {"tokens": hidden})


def configured(settings: TaskSettings) -> Task:
    """The task with these settings."""
    how = settings.decoding

    def statistics(outputs: Outputs, targets: Targets) -> np.ndarray:
        decided_M = decide(outputs.values_MC, outputs.offsets_N1, how=how)
        return entity_statistics(decided_M, targets.labels_M, targets.offsets_N1)

    def scores(outputs: Outputs, targets: Targets, labels: Sequence[str], seed: int) -> list[Score]:
        decided_M = decide(outputs.values_MC, outputs.offsets_N1, how=how)
        return tagging_scores(decided_M, targets.labels_M, targets.offsets_N1, labels, seed=seed)

    return Task(
        name="tagging",
        needs=NEEDS,
        recognise=_recognise,
        form=Form(_encoder, units.HEAD),
        labels=_labels,
        check=_check,
        targets=_targets,
        losses=cross_entropy,
        margins=margins,
        score_name="entity_f1",
        statistics=statistics,
        value_of=entity_f1,
        scores=scores,
        decode=lambda outputs, part, labels: _decoded(outputs, part, labels, how),
        baseline=Shallow(_fit_words, _load_words),
        lexical=Shallow(_fit_field, _load_field),
        explain=Explainable(
            lambda outputs, part, labels: _decided(outputs, part, labels, how)[1], _places, _owners, _without
        ),
        settings=settings,
        shown=Shown(pipeline="token-classification", code="words", encodes=False, confused="tags", answer="tags"),
        configured=configured,
    )


TASK = configured(TaskSettings())
