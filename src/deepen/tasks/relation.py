"""Relation: which relation holds between two marked spans of a text.

A row looks like `{"text": "The <e1>cat</e1> sat on the <e2>mat</e2>.", "label": "Location(e1,e2)"}`, or has the two
names in columns of their own, `head` and `tail`, which are looked up in the text. Marks are put around the spans, and
the states at the opening marks go side by side into the head (Baldini Soares et al. 2019).

Shape legend: N examples, M units (here M = N), C labels.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from deepen.core.ladder import Shown
from deepen.core.types import Outputs, Score, Sequences, Targets
from deepen.data.columns import Need
from deepen.data.source import Source, as_text
from deepen.data.table import Part
from deepen.data.targets.marked_spans import Marked, find_names, from_tags, with_marks
from deepen.data.tokens import Encode
from deepen.data.words import split_words
from deepen.evaluation.classification import classification_scores
from deepen.evaluation.relations import is_directed, macro_f1, micro_f1, relation_scores, relation_statistics
from deepen.models.heads.spans import HEAD
from deepen.models.tokenizer import Tokenizer
from deepen.models.units import encode_units
from deepen.problem import one_label
from deepen.problem.losses import cross_entropy, margins
from deepen.problem.task import Claim, Form, Shallow, Task
from deepen.shallow.tfidf import Lexical, fit_lexical, load_lexical

NEEDS = (
    Need("text", "text", ("text", "sentence", "context", "content", "文本", "句子")),
    Need("head", "text", ("head", "entity1", "e1", "subject", "subj", "head_entity", "实体1", "主体"), optional=True),
    Need("tail", "text", ("tail", "entity2", "e2", "object", "obj", "tail_entity", "实体2", "客体"), optional=True),
    Need("label", "category", ("relation", "label", "relation_type", "predicate", "关系")),
)
_MARKS = ("@", "#")
_LOOKED_ROWS = 200
_NEAR, _FAR = 3, 10


def _recognise(source: Source) -> Claim | None:
    texts = [as_text(cell) or "" for row in source.sample[:_LOOKED_ROWS] for cell in row]
    if any("<e1>" in text and "<e2>" in text for text in texts):
        return Claim(0.95, "texts mark two spans with <e1> and <e2>")
    return None


def _marked(text: str, head: str, tail: str) -> Marked:
    return from_tags(text) if "<e1>" in text or not head else find_names(text, head, tail)


def _rows(part: Part) -> Iterator[Marked]:
    columns = [part.values(name) if name in part.table.inputs else iter([""] * len(part)) for name in _INPUTS]
    for text, head, tail in zip(*columns, strict=True):
        yield _marked(text, head or "", tail or "")


_INPUTS = ("text", "head", "tail")


def _encoder(tokenizer: Tokenizer, max_tokens: int) -> Encode:
    def encode(columns: dict[str, list[Any]]) -> Sequences:
        empty = [""] * len(columns["text"])
        rows = zip(columns["text"], columns.get("head", empty), columns.get("tail", empty), strict=True)
        marked = [with_marks(_marked(text, head or "", tail or ""), marks=_MARKS) for text, head, tail in rows]
        places = [[(start, start + 1) for start in sorted(starts)] for _, starts in marked]
        found = encode_units(tokenizer, [text for text, _ in marked], places, max_tokens=max_tokens)
        assert found.units_M is not None  # noqa: S101 - they were asked for
        turned = np.array([first > second for _, (first, second) in marked])
        units_B2 = found.units_M.reshape(-1, 2)
        return replace(found, units_M=np.where(turned[:, None], units_B2[:, ::-1], units_B2).ravel())

    return encode


def surface(marked: Marked) -> str:
    """What lies between and around two spans, their order and distance, as words of a language of its own.

    Returns:
        Words with a prefix for their place: `b_` between, `l_` left, `r_` right, `h_` and `t_` of the spans.

    Example:
        >>> surface(from_tags("the <e1>cat</e1> sat on a <e2>mat</e2>"))
        'order_ht near_3 h_cat t_mat l_the b_sat b_on b_a'
    """
    spans = [marked.first, marked.second]
    if None in spans:
        return "missing " + " ".join(marked.text[s:e].lower() for s, e in split_words(marked.text))
    (a, b), (c, d) = spans  # type: ignore[misc]
    forward = a <= c
    left, middle, right = (a, (b, c), d) if forward else (c, (d, a), b)
    words = [(marked.text[s:e].lower(), s, e) for s, e in split_words(marked.text)]
    between = [word for word, s, e in words if middle[0] <= s and e <= middle[1]]
    before = [word for word, s, e in words if e <= left][-_NEAR:]
    after = [word for word, s, e in words if s >= right][:_NEAR]
    inside = {"h": marked.text[a:b].lower().split(), "t": marked.text[c:d].lower().split()}
    out = ["order_ht" if forward else "order_th", f"near_{min(len(between), _FAR)}"]
    out += [f"{side}_{word}" for side, found in inside.items() for word in found]
    out += [f"l_{word}" for word in before] + [f"b_{word}" for word in between] + [f"r_{word}" for word in after]
    return " ".join(out)


def _surfaces(part: Part) -> Iterator[str]:
    return (surface(marked) for marked in _rows(part))


def _fit_lexical(part: Part, targets: Targets, num_outputs: int, settings: Any, seed: int) -> Lexical:
    return fit_lexical(_surfaces, part, targets, num_outputs, settings, seed)


def _for(labels: tuple[str, ...]) -> Task:
    directed = is_directed(labels)

    def statistics(outputs: Outputs, targets: Targets) -> np.ndarray:
        return relation_statistics(outputs.values_MC.argmax(1), targets.labels_M, labels)

    return replace(
        TASK,
        statistics=statistics,
        value_of=macro_f1 if directed else micro_f1,
        score_name="official_macro_f1" if directed else "micro_f1",
    )


def _scores(outputs: Outputs, targets: Targets, labels: Sequence[str], seed: int) -> list[Score]:
    every = classification_scores(outputs.values_MC, targets.labels_M, labels, seed=seed)
    own = relation_scores(outputs.values_MC.argmax(1), targets.labels_M, labels, seed=seed)
    names = {score.name for score in own}
    return [*own, *(score for score in every if score.name not in names or score.label is not None)]


TASK = Task(
    name="relation",
    needs=NEEDS,
    recognise=_recognise,
    form=Form(_encoder, HEAD),
    labels=one_label.label_table,
    check=one_label.check,
    targets=one_label.targets_of,
    losses=cross_entropy,
    margins=margins,
    score_name="accuracy",
    statistics=one_label.statistics,
    value_of=lambda sums_BK: np.asarray(sums_BK[:, 0] / sums_BK[:, 1]),
    scores=_scores,
    decode=one_label.decode,
    baseline=one_label.BASELINE,
    lexical=Shallow(_fit_lexical, lambda folder: load_lexical(folder, _surfaces)),
    adapted=_for,
    shown=Shown(example="the <e1>cat</e1> sat on the <e2>mat</e2>"),
)
