"""Ranking: of many documents, the one that belongs to a query: the answer to a question, the entry of a help page.

A row looks like `{"query": "where is my card", "answer": "Cards take five days."}`; the documents of the other rows are
the wrong ones. A row with the label 0 is one that looks right and is not. Query and document are encoded apart, by the
same encoder, and compared by the cosine of their means, so a document is encoded once however often it is ranked.

Shape legend: N examples, M units (here M = N), D documents, B rows of a batch.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from deepen.core.errors import DataError
from deepen.core.types import Outputs, Score, Sequences, Targets
from deepen.data.columns import Need, plain_name
from deepen.data.source import Source, clip
from deepen.data.table import Part
from deepen.data.tokens import Encode
from deepen.data.words import words_of
from deepen.evaluation.calibration import NOT_SCORED, softmax
from deepen.evaluation.ranking import mrr, ranking_scores, ranking_statistics
from deepen.models.tokenizer import Tokenizer
from deepen.problem.one_label import encode_apart
from deepen.problem.task import Claim, Documents, Shallow, Task
from deepen.shallow.bm25 import fit_bm25, fit_popular, load_bm25, load_popular

NEEDS = (
    Need("query", "text", ("query", "question", "utterance", "user", "prompt", "问题", "提问")),
    Need(
        "answer",
        "text",
        ("answer", "response", "reply", "document", "positive", "passage", "回答", "答案", "回复"),
        optional=True,
    ),
    Need("label", "category", ("relevance", "relevant", "label"), optional=True),
)
_WRONG = frozenset(("0", "0.0", "false", "no", "否"))
_RIGHT = frozenset(("1", "1.0", "true", "yes", "是"))
_SHOWN = 10


def _recognise(source: Source) -> Claim | None:
    names = {plain_name(name) for name in source.names or ()}
    if names & {"query", "question", "问题"} and names & {"answer", "response", "reply", "回答", "答案", "回复"}:
        return Claim(0.4, "rows have a question and its answer, and no context") if "context" not in names else None
    return None


def _answers(part: Part) -> list[str]:
    return list(part.values("answer")) if "answer" in part.table.inputs else [""] * len(part)


def _documents(part: Part, labels: tuple[str, ...]) -> Documents:
    """Every different answer of the table, with the row where it stands first; without any, those of training."""
    known: dict[str, int] = {}
    if "answer" in part.table.inputs:
        for row, text in enumerate(part.table.all_rows().values("answer")):
            if text:
                known.setdefault(text, row)
    if not known:
        return Documents(labels, None)
    return Documents(tuple(known), np.fromiter(known.values(), np.int64, len(known)))


def _labels(part: Part, max_labels: Any) -> tuple[str, ...]:
    documents, rows = _documents(part, ())
    if rows is None:
        raise DataError(f"{part.table.name} has no answers to learn from: --columns query=...,answer=... names them")
    if len(documents) < 2:
        raise DataError(f"{part.table.name}: every row has the answer '{clip(documents[0])}'; two are needed")
    return documents


def _targets(part: Part, labels: tuple[str, ...]) -> Targets:
    place = {text: at for at, text in enumerate(_documents(part, labels).texts)}
    right_N = np.array([place.get(text, NOT_SCORED) for text in _answers(part)], np.int64)
    if part.table.has_target:
        right_N[[label is not None and label.lower() in _WRONG for label in part.values("target")]] = NOT_SCORED
    return Targets(right_N, np.arange(len(part) + 1))


def _check(part: Part, labels: tuple[str, ...]) -> None:
    name = part.table.name
    for line, answer in zip(part.values("line"), _answers(part), strict=True):
        if not answer:
            raise DataError(f"{name} line {line}: answer is empty")
    if part.table.has_target:
        for line, label in zip(part.values("line"), part.values("target"), strict=True):
            if label is not None and label.lower() not in _WRONG | _RIGHT:
                raise DataError(f"{name} line {line}: label '{clip(label)}' is neither 1 nor 0, right nor wrong")


def _encoder(tokenizer: Tokenizer, max_tokens: int) -> Encode:
    def encode(columns: dict[str, list[Any]]) -> Sequences:
        queries = columns["query"]
        answers = [text or "" for text in columns.get("answer", [""] * len(queries))]
        return encode_apart(tokenizer, queries, answers, max_tokens=max_tokens)

    return encode


def _right_and_wrong(ids_B: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Which rows have a right document, and which documents of a batch are wrong for each."""
    same_BB = ids_B[:, None] == ids_B[None, :]
    return ids_B >= 0, ~same_BB | (ids_B < 0)[None, :]


def in_batch_losses(logits_BB: torch.Tensor, ids_B: torch.Tensor) -> torch.Tensor:
    """The log loss of each row's document among the others of its batch.

    Args:
        logits_BB: How well each row's query and each row's document fit; a row's own are on the diagonal.
        ids_B: Which document a row has; below 0 one that is wrong for its query.

    Returns:
        losses_B in nats; 0 for rows without a right document.

    Source:
        Henderson et al. 2017, section 4.4 (https://arxiv.org/abs/1705.00652).
    """
    scored_B, wrong_BB = _right_and_wrong(ids_B)
    own_B = logits_BB.diagonal()
    wrong_BB = wrong_BB | torch.eye(len(ids_B), dtype=torch.bool, device=ids_B.device)
    losses_B = logits_BB.masked_fill(~wrong_BB, -torch.inf).logsumexp(1) - own_B
    return torch.where(scored_B, losses_B, torch.zeros_like(losses_B))


def in_batch_margins(logits_BB: torch.Tensor, ids_B: torch.Tensor) -> torch.Tensor:
    """The right document's lead over the best wrong one of the batch, in probability.

    Args:
        logits_BB: As for `in_batch_losses`.
        ids_B: As there.

    Returns:
        margins_B in [-1, 1].
    """
    scored_B, wrong_BB = _right_and_wrong(ids_B)
    own_B = (-in_batch_losses(logits_BB, ids_B)).exp()
    eye_BB = torch.eye(len(ids_B), dtype=torch.bool, device=ids_B.device)
    probs_BB = logits_BB.masked_fill(~(wrong_BB | eye_BB), -torch.inf).softmax(1)
    best_B = probs_BB.masked_fill(eye_BB, 0.0).amax(1)
    return torch.where(scored_B, own_B - best_B, torch.zeros_like(own_B))


def _decode(outputs: Outputs, part: Part, labels: Sequence[str]) -> list[dict[str, Any]]:
    texts = _documents(part, tuple(labels)).texts
    probs_ND = softmax(outputs.values_MC) if len(texts) else outputs.values_MC
    found = []
    for probs_D in probs_ND:
        best = np.argpartition(-probs_D, _SHOWN)[:_SHOWN] if len(probs_D) > _SHOWN else np.arange(len(probs_D))
        order = best[np.lexsort((best, -probs_D[best]))]
        found.append(
            {
                "output": texts[order[0]] if len(order) else "",
                "probabilities": {texts[at]: round(float(probs_D[at]), 6) for at in order},
            }
        )
    return found


def _scores(outputs: Outputs, targets: Targets, labels: Sequence[str], seed: int) -> list[Score]:
    return ranking_scores(outputs.values_MC, targets.labels_M, seed=seed)


def _shallow(labels: tuple[str, ...]) -> tuple[Shallow, Shallow]:
    """The rungs `majority` and `lexical`, with the documents of training at hand for queries that bring none."""

    def asked(part: Part) -> tuple[list[list[str]], list[str], list[list[str]]]:
        documents = list(_documents(part, labels).texts)
        queries = [list(words_of(text)) for text in part.values("query")]
        return queries, documents, [list(words_of(text)) for text in documents]

    def fit_popularity(part: Part, targets: Targets, num_outputs: int, settings: Any, seed: int) -> Any:
        right_N = targets.labels_M >= 0
        return fit_popular([text for text, kept in zip(_answers(part), right_N, strict=True) if kept], asked)

    def fit_words(part: Part, targets: Targets, num_outputs: int, settings: Any, seed: int) -> Any:
        return fit_bm25(asked)

    popular = Shallow(fit_popularity, lambda folder: load_popular(folder, asked))
    return popular, Shallow(fit_words, lambda folder: load_bm25(folder, asked))


def _for(labels: tuple[str, ...]) -> Task:
    popular, words = _shallow(labels)
    return replace(TASK, baseline=popular, lexical=words)


TASK = Task(
    name="ranking",
    needs=NEEDS,
    recognise=_recognise,
    pooling="ranked",
    labels=_labels,
    check=_check,
    targets=_targets,
    encoder=_encoder,
    losses=in_batch_losses,
    margins=in_batch_margins,
    score_name="mrr",
    statistics=lambda outputs, targets: ranking_statistics(outputs.values_MC, targets.labels_M),
    value_of=mrr,
    scores=_scores,
    decode=_decode,
    baseline=_shallow(())[0],
    lexical=_shallow(())[1],
    documents=_documents,
    adapted=_for,
    unread=("negative", "negatives", "hard_negative", "negative_passages", "neg"),
)
