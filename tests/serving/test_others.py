"""What other tools ask: text-embeddings-inference's bodies, and Presidio's types."""

from __future__ import annotations

import math
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tests.serving.conftest import Server, until

import deepen
from deepen.serving.keys import create

DOCUMENTS = ["good film today", "broken phone box", "seat desk music", "broken phone box", "a", "b", "c", "d", "e"]


def ask(server: Server, path: str, body: Any, key: str | None = None) -> Any:
    with server.client(key) as client:
        return client.post(path, json=body)


def test_labels_with_scores(server: Server, runs: dict[str, Path]) -> None:
    texts = ["a good film", "the phone was broken"]
    wanted = [answer.probabilities for answer in deepen.load(runs["classification"]).predict(texts)]
    body = {"inputs": texts, "model": "classification"}
    several = ask(server, "/predict", body).json()
    for found, probabilities in zip(several, wanted, strict=True):
        assert {one["label"]: one["score"] for one in found} == pytest.approx(probabilities, abs=2e-6)
        assert [one["score"] for one in found] == sorted(probabilities.values(), reverse=True)
    assert ask(server, "/predict", body | {"inputs": texts[0]}).json() == several[0]
    assert ask(server, "/predict", body | {"inputs": [[text] for text in texts]}).json() == several
    raw = ask(server, "/predict", body | {"inputs": texts[0], "raw_scores": True}).json()
    shares = [math.exp(one["score"]) for one in raw]
    assert {one["label"]: one["score"] / 1 for one in raw}.keys() == wanted[0].keys()
    for one, share in zip(raw, shares, strict=True):
        assert share / sum(shares) == pytest.approx(wanted[0][one["label"]], abs=1e-5)


def test_pairs_with_scores(server: Server, runs: dict[str, Path]) -> None:
    row = {"sentence1": "a good film", "sentence2": "a bad film"}
    [wanted] = deepen.load(runs["matching"]).predict([row])
    pair = list(row.values())
    alone = ask(server, "/predict", {"inputs": pair, "model": "matching"}).json()
    assert {one["label"]: one["score"] for one in alone} == pytest.approx(wanted.probabilities, abs=2e-6)
    assert ask(server, "/predict", {"inputs": [pair, pair], "model": "matching"}).json() == [alone, alone]


def test_texts_are_ranked_all_of_them(server: Server, runs: dict[str, Path]) -> None:
    query = "my phone is broken"
    rows = [{"query": query, "answer": text} for text in DOCUMENTS]
    wanted = deepen.load(runs["ranking"]).predict(rows)[0].probabilities
    body = {"query": query, "texts": DOCUMENTS, "model": "ranking"}
    found = ask(server, "/rerank", body | {"return_text": True}).json()
    assert sorted(one["index"] for one in found) == list(range(len(DOCUMENTS)))
    assert all(DOCUMENTS[one["index"]] == one["text"] for one in found)
    scores = [one["score"] for one in found]
    assert scores == sorted(scores, reverse=True)
    assert found[0]["text"] == found[1]["text"] == "broken phone box"
    raw = {one["index"]: one["score"] for one in ask(server, "/rerank", body | {"raw_scores": True}).json()}
    shares = {text: math.exp(raw[at] - raw[1]) for at, text in enumerate(DOCUMENTS)}
    assert {text: share / sum(shares.values()) for text, share in shares.items()} == pytest.approx(wanted, abs=1e-5)


def test_vectors_are_the_means_of_the_encoder(server: Server, runs: dict[str, Path]) -> None:
    transformers = pytest.importorskip("transformers")
    folder = runs["classification"] / "model"
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    network = transformers.AutoModel.from_pretrained(folder).eval()
    texts = ["a good film", "the phone was broken again and again"]
    answer = ask(server, "/embed", {"inputs": texts, "model": "classification"})
    assert answer.status_code == 200, answer.text
    found = np.array(answer.json())
    for text, vector in zip(texts, found, strict=True):
        with torch.no_grad():
            mean = network(**tokenizer(text, return_tensors="pt")).last_hidden_state[0].mean(0)
        assert vector == pytest.approx((mean / mean.norm()).numpy(), abs=1e-4)
    long = {"inputs": "good film " * 5_000, "model": "classification", "normalize": False}
    assert ask(server, "/embed", long).status_code == 413
    [vector] = ask(server, "/embed", long | {"truncate": True}).json()
    assert len(vector) == found.shape[1]


@pytest.mark.parametrize(
    ("path", "body", "status", "field"),
    [
        ("/embed", {"inputs": "a", "model": "matching"}, 422, "model"),
        ("/embed", {"inputs": []}, 422, "inputs"),
        ("/embed", {"inputs": "a", "model": "none"}, 404, "model"),
        ("/embed", {"inputs": "a", "dimensions": 3}, 422, "dimensions"),
        ("/rerank", {"query": "a", "texts": ["b"]}, 422, "model"),
        ("/rerank", {"query": "a", "texts": [], "model": "ranking"}, 422, "texts"),
        ("/rerank", {"query": "a", "texts": ["b", "  "], "model": "ranking"}, 422, "texts"),
        ("/rerank", {"query": "a", "texts": ["b"] * 1_001, "model": "ranking"}, 422, "texts"),
        ("/predict", {"inputs": ["a", 5]}, 422, "inputs/0"),
        ("/predict", {"inputs": [["a", "b"]]}, 422, "inputs/0"),
        ("/predict", {"inputs": ["a good film", "   "]}, 422, "inputs/1"),
        ("/predict", {"inputs": ["a"] * 1_001}, 422, "inputs"),
        ("/predict", {"inputs": "a", "model": "tagging"}, 422, "model"),
        ("/predict", {"inputs": "a", "model": "ranking"}, 422, "model"),
        ("/predict", {"inputs": "a " * 5_000}, 413, "inputs"),
        ("/v1/mask", {"texts": []}, 422, "texts"),
        ("/v1/mask", {"texts": ["a" * 20_001]}, 422, "texts/0"),
        ("/v1/mask", {"texts": ["a"], "entities": ["PERSON"]}, 422, "entities/0"),
    ],
)
def test_what_can_not_be_answered(path: str, body: Any, status: int, field: str, server: Server) -> None:
    answer = ask(server, path, body)
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["field"] == field


def test_a_key_reaches_its_own_run_by_any_way(server: Server, keys_file: Path) -> None:
    narrow = create(keys_file, scopes=["predict:matching"], quota=3, expires=timedelta(hours=1)).text
    pair = {"inputs": ["a", "b"], "model": "matching"}
    until(lambda: ask(server, "/predict", pair, narrow).status_code == 200)
    assert ask(server, "/predict", {"inputs": "a"}, narrow).status_code == 403
    assert ask(server, "/embed", {"inputs": "a", "model": "none"}, narrow).status_code == 403
    assert ask(server, "/v1/mask", {"texts": ["a", "b", "c"]}, narrow).status_code == 429
    assert ask(server, "/v1/mask", {"texts": ["a", "b"]}, narrow).status_code == 200
    assert ask(server, "/predict", pair, narrow).status_code == 429
    assert ask(server, "/predict", {"inputs": "a"}, "none").status_code == 401


def test_masking_tells_places_of_the_text_that_came(server: Server) -> None:
    texts = ["你好 😀 write to ann@example.org or 212-555-0187", "nothing here"]
    first, second = ask(server, "/v1/mask", {"texts": texts}).json()["items"]
    assert first["text"] == "你好 😀 write to <EMAIL_ADDRESS> or <PHONE_NUMBER>"
    found = {one["entity_type"]: texts[0][one["start"] : one["end"]] for one in first["entities"]}
    assert found == {"EMAIL_ADDRESS": "ann@example.org", "PHONE_NUMBER": "212-555-0187"}
    assert {one["score"] for one in first["entities"]} == {1.0}
    assert second == {"text": "nothing here", "entities": []}
    [only] = ask(server, "/v1/mask", {"texts": texts[:1], "entities": ["PHONE_NUMBER"]}).json()["items"]
    assert [one["entity_type"] for one in only["entities"]] == ["PHONE_NUMBER"]
