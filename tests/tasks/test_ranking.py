"""Documents ranked for a query: what counts as right, how it is learned, and how it is scored."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import load_file
from sentence_transformers import SentenceTransformer
from sklearn import metrics
from tests.worlds import WORLDS

import deepen
from deepen.core.errors import DataError
from deepen.data.load import load_table
from deepen.data.settings import DataSettings
from deepen.data.table import Part
from deepen.evaluation.ranking import ranking_scores, ranks
from deepen.preparation.catalog import load_task
from deepen.tasks.ranking import in_batch_losses, in_batch_margins

TASK = load_task("ranking")


def part_of(rows: list[dict[str, Any]]) -> Part:
    return load_table(rows, TASK.needs, DataSettings())[0].all_rows()


def test_what_is_right() -> None:
    rows = [
        {"query": "a", "answer": "one", "label": "1"},
        {"query": "b", "answer": "two", "label": "0"},
        {"query": "c", "answer": "one", "label": "yes"},
    ]
    part = part_of(rows)
    labels = TASK.labels(part, None)
    assert labels == ("one", "two")
    assert TASK.targets(part, labels).labels_M.tolist() == [0, -100, 0]
    other = part_of([{"query": "a", "answer": "three"}])
    assert TASK.targets(other, labels).labels_M.tolist() == [0], "a table brings documents of its own"
    assert TASK.num_outputs(part_of([{"query": "a"}]), labels) == len(labels)


def test_what_is_no_ranking() -> None:
    with pytest.raises(DataError, match="no answers to learn from"):
        TASK.labels(part_of([{"query": "a"}]), None)
    with pytest.raises(DataError, match="every row has the answer 'one'"):
        TASK.labels(part_of([{"query": "a", "answer": "one"}]), None)
    with pytest.raises(DataError, match="line 2: answer is empty"):
        TASK.check(part_of([{"query": "a", "answer": "one"}, {"query": "b", "answer": ""}]), ())
    with pytest.raises(DataError, match="line 1: label 'maybe' is neither 1 nor 0"):
        TASK.check(part_of([{"query": "a", "answer": "one", "label": "maybe"}]), ())


def test_losses_within_a_batch() -> None:
    """A document that is right for a row is not held against another row that has it too."""
    logits = torch.tensor([[2.0, 2.0, 0.0], [1.0, 1.0, 0.0], [5.0, 5.0, 5.0]])
    losses = in_batch_losses(logits, torch.tensor([4, 4, -100]))
    expected = [np.log(np.exp(2) + 1) - 2, np.log(np.exp(1) + 1) - 1, 0.0]
    assert losses.tolist() == pytest.approx(expected)
    margins = in_batch_margins(logits, torch.tensor([4, 4, -100]))
    assert margins.tolist() == pytest.approx([np.tanh(1.0), np.tanh(0.5), 0.0])
    apart = in_batch_losses(logits, torch.tensor([4, 5, 6]))
    torch.testing.assert_close(apart, torch.nn.functional.cross_entropy(logits, torch.arange(3), reduction="none"))


@settings(max_examples=40)
@given(st.integers(0, 2**32 - 1), st.integers(1, 20), st.integers(2, 15))
def test_scores_are_those_of_scikit_learn(seed: int, num: int, num_documents: int) -> None:
    chance = np.random.default_rng(seed)
    scores = chance.normal(size=(num, num_documents))
    right = chance.integers(num_documents, size=num)
    relevant = np.eye(num_documents)[right]
    found = {score.name: score.value for score in ranking_scores(scores, right, seed=0)}
    assert found["mrr"] == pytest.approx(metrics.label_ranking_average_precision_score(relevant, scores))
    assert found["ndcg_at_10"] == pytest.approx(metrics.ndcg_score(relevant, scores, k=10))
    hits = metrics.top_k_accuracy_score(right, scores, k=10, labels=range(num_documents)) if num_documents > 10 else 1.0
    assert found["recall_at_10"] == pytest.approx(hits)


def test_equal_scores_share_their_places() -> None:
    assert ranks(np.zeros((1, 5)), np.array([3])).tolist() == [3.0]
    assert np.isnan(ranks(np.zeros((1, 0)), np.array([-100]))).all()


def test_a_climb(tiny_model: Path, tmp_path: Path) -> None:
    """Every rung ranks; the folder is a sentence encoder for others; queries alone are ranked against all documents."""
    rows = WORLDS["ranking"](400)
    given_: dict[str, Any] = {"model": tiny_model, "thorough": True, "settings": ["data.validation_at_least=60"]}
    given_["settings"] += [
        "rungs.top_layers.learning_rate=3e-3",
        "rungs.full.learning_rate=3e-3",
        "data.near.threshold=1",
    ]
    run = deepen.train(rows[:340], test=rows[340:], out=tmp_path / "run", **given_)
    assert run.ladder["task"] == "ranking", "the columns say so"
    scores = {row["rung"]: row["score"]["value"] for row in run.ladder["rungs"]}
    assert set(scores) == {"majority", "lexical", "frozen", "top_layers", "full"}
    assert scores["lexical"] > 0.7
    assert scores["full"] > scores["frozen"] + 0.1
    assert {score["name"] for score in run.ladder["test"]} == {"mrr", "ndcg_at_10", "recall_at_10"}
    model = deepen.load(tmp_path / "run", rung="full")
    documents = sorted({row["answer"] for row in rows[:340]})
    [said] = model.predict([rows[0]["query"]])
    assert said.output in documents
    assert said.probabilities is not None
    assert len(said.probabilities) == 10
    encoder = SentenceTransformer(str(run.rung("full") / "model"), device="cpu")
    query, *others = encoder.encode([rows[0]["query"], *documents], normalize_embeddings=True)
    order = np.argsort(-np.array(others) @ query)
    assert [documents[at] for at in order[:3]] == list(said.probabilities)[:3]
    kept = load_file(run.rung("full") / "model" / "documents.safetensors")["vectors"]
    places = [run.ladder["labels"].index(text) for text in documents]
    np.testing.assert_allclose(kept[places], np.array(others), atol=1e-5)
    words = deepen.load(tmp_path / "run", rung="lexical").predict([rows[0]["query"]])
    assert rows[0]["answer"] in list(words[0].probabilities or ())[:3]
    assert {score.name for score in model.evaluate(rows[340:])} == {"mrr", "ndcg_at_10", "recall_at_10"}


def test_many_documents_are_ranked_a_few_queries_at_a_time(
    tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = WORLDS["ranking"](200)
    deepen.train(rows, model=tiny_model, out=tmp_path / "run", rungs=["lexical", "frozen"])
    model = deepen.load(tmp_path / "run", rung="frozen")
    queries = [row["query"] for row in rows[:30]]
    whole = model.predict(queries)
    monkeypatch.setattr("deepen.tasks.ranking._MOST_LOGITS", 7 * len(model.labels))
    pieces = model.predict(queries)
    assert [one.output for one in pieces] == [one.output for one in whole]
    assert [one.id for one in pieces] == [one.id for one in whole]
    assert len(pieces) == 30
