"""Ranking: of many documents, the one that belongs to a query: the answer to a question, the entry of a help page.

A row looks like `{"query": "where is my card", "answer": "Cards take five days."}`; the documents of the other rows are
the wrong ones. A row with the label 0 is one that looks right and is not. Query and document are encoded apart, by the
same encoder, and compared by the cosine of their means, so a document is encoded once however often it is ranked.

Shape legend: N examples, M units (here M = N), D documents, B rows of a batch.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from safetensors.numpy import save_file

from deepen.core.errors import DataError, ModelError
from deepen.core.ladder import Shown
from deepen.core.progress import progress
from deepen.core.types import Outputs, Score, Sequences, Targets
from deepen.data.columns import Need, plain_name
from deepen.data.source import Source, clip
from deepen.data.table import Part
from deepen.data.tokens import Encode
from deepen.data.words import words_of
from deepen.evaluation.calibration import NOT_SCORED, softmax
from deepen.evaluation.ranking import mrr, ranking_scores, ranking_statistics
from deepen.models.arrays import check_shapes, read_arrays
from deepen.models.head import Inputs
from deepen.models.heads import ranked
from deepen.models.tokenizer import Tokenizer
from deepen.problem.one_label import encode_apart
from deepen.problem.target import Target, best_is_right
from deepen.problem.task import Claim, Form, Reader, Shallow, Task
from deepen.shallow.bm25 import fit_bm25, fit_popular, load_bm25, load_popular

if TYPE_CHECKING:
    import torch

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
_ANSWERS = frozenset(("answer", "response", "reply", "document", "passage", "回答", "答案", "回复"))
_WRONG = frozenset(("0", "0.0", "false", "no", "否"))
_RIGHT = frozenset(("1", "1.0", "true", "yes", "是"))
_SHOWN = 10
_MOST_LOGITS = 50_000_000
_BATCH_DOCUMENTS = 64
_DOCUMENTS, _KEPT = "documents.safetensors", "vectors"


class Documents(NamedTuple):
    """What the queries of a table are ranked against: the texts, and the row of the table that has each one first.

    `rows_D` is None where the table brings none and those of the training rows are taken.
    """

    texts: tuple[str, ...]
    rows_D: np.ndarray | None


def _recognise(source: Source) -> Claim | None:
    names = {plain_name(name) for name in source.names or ()}
    if names & {"query", "question", "问题"} and names & _ANSWERS:
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


def _pieces(part: Part, labels: tuple[str, ...]) -> list[Part]:
    """Queries for very many documents of training are ranked a few at a time."""
    if _documents(part, labels).rows_D is not None:
        return [part]
    num_rows = max(1, _MOST_LOGITS // max(1, len(labels)))
    return [part.take(np.arange(at, min(at + num_rows, len(part)))) for at in range(0, len(part), num_rows)]


def _answer(reader: Reader, part: Part, frozen: Any = None) -> Outputs:
    """How well each document of the part's table, or of the label table, fits each query: a unit a query."""
    rows_D = _documents(part, reader.labels).rows_D
    theirs = None if rows_D is None else Part(part.table, rows_D)
    documents_DF = _known_documents(reader) if theirs is None else reader.texts(theirs, 1, frozen)
    return Outputs(np.asarray(reader.texts(part, 0, frozen) @ documents_DF.T, np.float32), np.arange(len(part) + 1))


def _known_documents(reader: Reader) -> np.ndarray:
    """The vectors of the label table, which are kept with the model."""
    import torch

    if _KEPT not in reader.kept:
        if reader.network is None:
            raise ModelError(f"the export's file {_DOCUMENTS} is missing: it has the documents of training")
        network, order = reader.network.eval(), np.argsort([len(text) for text in reader.labels], kind="stable")
        made_DF = np.empty((len(order), reader.text_width), np.float32)
        with progress("reading documents", len(order)) as advance, torch.inference_mode():
            for some in np.array_split(order, -(-len(order) // _BATCH_DOCUMENTS)):
                found = reader.encode({"query": [reader.labels[at] for at in some]})
                ids_T = torch.from_numpy(found.ids_T.astype(np.int64))
                inputs = Inputs(torch.from_numpy(found.lengths_B), ids_T=ids_T).to(network.device)
                made_DF[some] = network.features(inputs)[:, : made_DF.shape[1]].cpu().numpy()
                advance(len(some))
        reader.kept[_KEPT] = made_DF
    return reader.kept[_KEPT]


def _keep(reader: Reader, folder: Path) -> None:
    save_file({_KEPT: _known_documents(reader)}, folder / _DOCUMENTS)


def _reopen(reader: Reader, folder: Path) -> None:
    if (folder / _DOCUMENTS).is_file():
        reader.kept = read_arrays(folder / _DOCUMENTS, {_KEPT: 2})
        check_shapes(folder / _DOCUMENTS, reader.kept, {_KEPT: (len(reader.labels), reader.text_width)})


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
    import torch

    scored_B, wrong_BB = _right_and_wrong(ids_B)
    own_B = logits_BB.diagonal()
    wrong_BB = wrong_BB | torch.eye(len(ids_B), dtype=torch.bool, device=ids_B.device)
    losses_B = logits_BB.masked_fill(~wrong_BB, -torch.inf).logsumexp(1) - own_B
    return torch.where(scored_B, losses_B, torch.zeros_like(losses_B))


def in_batch_margins(logits_BB: torch.Tensor, ids_B: torch.Tensor) -> torch.Tensor:
    """The right document's lead over the best wrong one of the batch, in probability.

    Args:
        logits_BB: As for `in_batch_losses`.

    Returns:
        margins_B in [-1, 1].
    """
    import torch

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
    form=Form(_encoder, ranked.HEAD, answer=_answer, keep=_keep, reopen=_reopen),
    labels=_labels,
    check=_check,
    targets=_targets,
    target=Target("ranks", smooths=True, solve=None, right=best_is_right),  # a cosine is there before it is trained
    losses=in_batch_losses,
    margins=in_batch_margins,
    score_name="mrr",
    statistics=lambda outputs, targets: ranking_statistics(outputs.values_MC, targets.labels_M),
    value_of=mrr,
    scores=_scores,
    decode=_decode,
    baseline=_shallow(())[0],
    lexical=_shallow(())[1],
    num_outputs=lambda part, labels: len(_documents(part, labels).texts),
    pieces=_pieces,
    fixed=False,
    adapted=_for,
    shown=Shown(noun="documents", confused="", answer="document"),
    unread=("negative", "negatives", "hard_negative", "negative_passages", "neg"),
)
