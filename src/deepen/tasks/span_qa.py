"""Span QA: the answer to a question is a run of words of a context, or, where the training rows say so, not there.

A row looks like `{"question": "How many points?", "context": "... just 308 points ...", "answers": {"text": ["308"],
"answer_start": [34]}}`; a SQuAD file is read as it is. The unit is a word of the context, in Chinese a character. It is
read after the question and has two logits: that the answer starts here, that it ends here (Li et al. 2020).

Shape legend: N examples, M units, U units of one example, C = 2 outputs.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import Field

from deepen.core.errors import DataError
from deepen.core.ladder import Shown
from deepen.core.settings import Settings
from deepen.core.types import Outputs, Score, Sequences, Targets
from deepen.data.columns import Need, plain_name
from deepen.data.source import Source, clip
from deepen.data.table import Part
from deepen.data.tokens import Encode
from deepen.data.words import split_words
from deepen.evaluation.answers import answer_scores, answer_statistics, best_match, mean_f1
from deepen.models.heads import units
from deepen.models.tokenizer import Tokenizer
from deepen.models.units import encode_units
from deepen.problem.losses import binary_cross_entropy, least_margins
from deepen.problem.target import MANY
from deepen.problem.task import Claim, Form, Places, Shallow, Task
from deepen.shallow.span_overlap import fit_overlap, fit_usual_place, load_overlap, load_usual_place

NEEDS = (
    Need(
        "context", "text", ("context", "passage", "paragraph", "document", "article", "text", "上下文", "文章", "段落")
    ),
    Need("question", "text", ("question", "query", "问题")),
    Need("label", "answers", ("answers", "answer", "答案")),
)
ALWAYS_THERE = ("start", "end")
PERHAPS_NONE = ("start, if any", "end, if any")
_NUM_BEST = 3


class TaskSettings(Settings):
    """How answers are decided."""

    longest_answer: int = Field(default=30, ge=1)
    """The most words (in Chinese characters) of an answer."""


@dataclass(frozen=True, slots=True)
class AnswerTargets(Targets):
    """`labels_M` has a one where an answer starts and ends; `rows` the context, its words and the right answers."""

    rows: tuple[tuple[str, Places, list[str]], ...]


@dataclass(frozen=True, slots=True)
class _Span:
    """A candidate: its first and last unit, and the sum of its logits."""

    first: int
    last: int
    logit: float


def _recognise(source: Source) -> Claim | None:
    names = {plain_name(name) for name in source.names or ()}
    if all(names & {plain_name(name) for name in need.names} for need in NEEDS):
        return Claim(0.8, "rows have a context, a question and answers")
    return None


def _labels(part: Part, max_labels: Any) -> tuple[str, ...]:
    if not part.table.has_target:
        raise DataError(f"{part.table.name} has no answers")
    found = [len(answers or ()) for answers in part.values("target")]
    if not any(found):
        raise DataError(f"{part.table.name} holds no answer: every row says that there is none")
    return ALWAYS_THERE if all(found) else PERHAPS_NONE


@lru_cache(maxsize=1024)  # many rows ask about one context
def _places(text: str) -> Places:
    return split_words(text)


def _contexts(part: Part) -> Iterator[tuple[str, Places]]:
    """Each row's context and its words."""
    return ((text, _places(text)) for text in part.values("context"))


def _spans(part: Part) -> Iterator[list[tuple[int, int]]]:
    """First and last word of each row's answers."""
    columns = (part.values(name) for name in ("line", "target", "starts"))
    for (_, places), line, texts, starts in zip(_contexts(part), *columns, strict=True):
        if texts is None:
            raise DataError(f"{part.table.name} line {line}: answers are missing")
        first_U, end_U = (np.array([place[side] for place in places]) for side in (0, 1))
        yield [
            (
                int(np.searchsorted(end_U, start, side="right")),
                int(np.searchsorted(first_U, start + len(text), side="left")) - 1,
            )
            for text, start in zip(texts, starts, strict=True)
        ]


def _targets(part: Part, labels: tuple[str, ...]) -> AnswerTargets:
    if not part.table.has_target:
        raise DataError(f"{part.table.name} has no answers")
    rows, marks = [], []
    for (context, places), spans, texts in zip(_contexts(part), _spans(part), part.values("target"), strict=True):
        marks_U2 = np.zeros((len(places), 2), np.int8)
        for first, last in spans:
            marks_U2[first, 0] = marks_U2[last, 1] = 1
        rows.append((context, places, texts))
        marks.append(marks_U2)
    offsets = np.concatenate([[0], np.cumsum([len(one) for one in marks])]).astype(np.int64)
    return AnswerTargets(np.concatenate(marks) if marks else np.zeros((0, 2), np.int8), offsets, tuple(rows))


def _check(part: Part, labels: tuple[str, ...]) -> None:
    if not part.table.has_target:
        raise DataError(f"{part.table.name} has no answers")
    if labels != PERHAPS_NONE:
        for line, texts, question in zip(*(part.values(name) for name in ("line", "target", "question")), strict=True):
            if texts is not None and not texts:
                said = f"'{clip(question)}' has no answer, and every training row has one"
                raise DataError(f"{part.table.name} line {line}: {said}")


def _encoder(tokenizer: Tokenizer, max_tokens: int) -> Encode:
    def encode(columns: dict[str, list[Any]]) -> Sequences:
        texts = columns["context"]
        places = [_places(text) for text in texts]
        return encode_units(tokenizer, texts, places, max_tokens=max_tokens, asked=columns["question"])

    return encode


def best_spans(logits_U2: np.ndarray, longest: int, num: int = _NUM_BEST) -> list[_Span]:
    """The spans with the highest sum of two logits, none of which overlaps a better one.

    Args:
        logits_U2: That an answer starts and ends at each word.
        longest: The most words of a span.

    Returns:
        At most so many, the best first; none of an empty text.
    """
    start_U, end_U = np.asarray(logits_U2, np.float64).T
    sums_LU = np.full((min(longest, len(start_U)), len(start_U)), -np.inf)
    for more in range(len(sums_LU)):
        sums_LU[more, : len(start_U) - more] = start_U[: len(start_U) - more] + end_U[more:]
    found: list[_Span] = []
    while len(found) < num and sums_LU.size and np.isfinite(top := sums_LU.max()):
        more, first = divmod(int(sums_LU.argmax()), len(start_U))
        found.append(_Span(first, first + more, float(top)))
        lengths_L = np.arange(len(sums_LU))[:, None]
        starts_U = np.arange(len(start_U))[None, :]
        sums_LU[(starts_U <= first + more) & (starts_U + lengths_L >= first)] = -np.inf
    return found


def _decided(outputs: Outputs, longest: int, num: int) -> Iterator[list[_Span]]:
    for first, last in zip(outputs.offsets_N1[:-1], outputs.offsets_N1[1:], strict=True):
        yield best_spans(outputs.values_MC[first:last], longest, num)


def _said(outputs: Outputs, targets: AnswerTargets, longest: int) -> tuple[list[str], np.ndarray]:
    """The best answer of each row in words, and its logit."""
    texts, logits = [], []
    for (context, places, _), spans in zip(targets.rows, _decided(outputs, longest, 1), strict=True):
        texts.append(context[places[spans[0].first][0] : places[spans[0].last][1]] if spans else "")
        logits.append(spans[0].logit if spans else -np.inf)
    return texts, np.array(logits)


def null_threshold(logits_N: np.ndarray, f1_N: np.ndarray, none_N: np.ndarray) -> float:
    """The logit that an answer must be above to be given: where the mean F1 is highest.

    Args:
        logits_N: The logit of each row's best answer.
        none_N: What no answer is worth: 1 where there is none.

    Returns:
        A threshold between two logits.
    """
    order = np.argsort(-logits_N, kind="stable")
    given = np.concatenate([[0.0], np.cumsum(f1_N[order])])
    withheld = none_N.sum() - np.concatenate([[0.0], np.cumsum(none_N[order])])
    at = int((given + withheld).argmax())
    falling = logits_N[order]
    above = falling[at - 1] if at else falling[0] + 1
    below = falling[at] if at < len(falling) else falling[-1] - 1
    return float((above + below) / 2)


def _asked(part: Part) -> Iterator[tuple[list[str], list[str]]]:
    for (context, places), question in zip(_contexts(part), part.values("question"), strict=True):
        yield [question[s:e] for s, e in split_words(question)], [context[s:e] for s, e in places]


def _fit_place(part: Part, targets: Targets, num_outputs: int, settings: Any, seed: int) -> Any:
    return fit_usual_place(_asked, list(_spans(part)), part)


def _fit_overlap(part: Part, targets: Targets, num_outputs: int, settings: Any, seed: int) -> Any:
    return fit_overlap(_asked, list(_spans(part)), part)


def _load_place(folder: Path) -> Any:
    return load_usual_place(folder, _asked)


def _load_overlap(folder: Path) -> Any:
    return load_overlap(folder, _asked)


def configured(settings: TaskSettings) -> Task:
    """The task with these settings, for texts that always hold the answer until the label table says otherwise."""
    return _made(settings, may_be_none=False)


def _made(settings: TaskSettings, *, may_be_none: bool) -> Task:
    longest = settings.longest_answer

    def answers(outputs: Outputs, targets: AnswerTargets) -> tuple[list[str], list[list[str]]]:
        """What is said, and what is right."""
        texts, logits = _said(outputs, targets, longest)
        given = [text if logit > 0 or not may_be_none else "" for text, logit in zip(texts, logits, strict=True)]
        return given, [row[2] for row in targets.rows]

    def statistics(outputs: Outputs, targets: Any) -> np.ndarray:
        return answer_statistics(*answers(outputs, targets))

    def scores(outputs: Outputs, targets: Any, labels: Sequence[str], seed: int) -> list[Score]:
        return answer_scores(*answers(outputs, targets), seed=seed)

    def shift(outputs: Outputs, targets: Any) -> np.ndarray:
        texts, logits_N = _said(outputs, targets, longest)
        rights = [row[2] for row in targets.rows]
        f1_N = [best_match(text, right)[1] for text, right in zip(texts, rights, strict=True)]
        cut = null_threshold(logits_N, np.array(f1_N), np.array([float(not right) for right in rights]))
        return np.full(2, -cut / 2)

    def decode(outputs: Outputs, part: Part, labels: Sequence[str]) -> list[dict[str, Any]]:
        decided = zip(_contexts(part), outputs.offsets_N1[:-1], _decided(outputs, longest, _NUM_BEST), strict=True)
        rows = []
        for (context, places), first, spans in decided:
            found = [_entity(context, places, outputs.values_MC[first:], span) for span in spans]
            none = not spans or (may_be_none and spans[0].logit <= 0)
            rows.append({"output": "" if none else found[0]["text"], "entities": found})
        return rows

    return Task(
        name="span_qa",
        needs=NEEDS,
        recognise=_recognise,
        form=Form(_encoder, units.HEAD),
        labels=_labels,
        check=_check,
        targets=_targets,
        target=MANY,
        answered_in="context",
        losses=binary_cross_entropy,
        margins=least_margins,
        score_name="answer_f1",
        statistics=statistics,
        value_of=mean_f1,
        scores=scores,
        decode=decode,
        baseline=Shallow(_fit_place, _load_place),
        lexical=Shallow(_fit_overlap, _load_overlap),
        settings=settings,
        shown=Shown(
            example={"context": "The cat sat on the mat.", "question": "Where did the cat sit?"},
            confused="answered",
            answer="span",
        ),
        configured=configured,
        shift=shift if may_be_none else None,
        adapted=lambda labels: _made(settings, may_be_none=labels == PERHAPS_NONE),
    )


def _entity(context: str, places: Places, logits_U2: np.ndarray, span: _Span) -> dict[str, Any]:
    """A candidate as a line of a prediction; its score is how sure it is that both ends are right."""
    start, end = places[span.first][0], places[span.last][1]
    sure = 1 / (1 + np.exp(-logits_U2[[span.first, span.last], [0, 1]].astype(np.float64)))
    text = context[start:end]
    return {"start": start, "end": end, "label": "answer", "text": text, "score": round(float(sure.prod()), 6)}


TASK = configured(TaskSettings())
