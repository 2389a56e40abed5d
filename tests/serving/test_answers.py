"""Answers over HTTP are those of `predict`, alone and in company, and a bad row fails alone."""

from __future__ import annotations

import re
import shlex
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from tests.serving.conftest import Server, as_record
from tests.worlds import WORLDS

import deepen

INPUTS = {
    "classification": ["text"],
    "tagging": ["tokens"],
    "matching": ["sentence1", "sentence2"],
    "relation": ["text"],
    "multilabel": ["text"],
    "span_qa": ["context", "question"],
    "ranking": ["query"],
}


def rows_of(kind: str, num: int) -> list[dict[str, Any]]:
    return [{name: row[name] for name in INPUTS[kind]} for row in WORLDS[kind](num)]


def check_same(told: list[dict[str, Any]], wanted: list[Any]) -> None:
    """The same but for rounding in the sixth place, which hangs on what else is in a batch."""
    for one, other in zip(told, map(as_record, wanted), strict=True):
        assert one.get("probabilities", {}) == pytest.approx(other.get("probabilities", {}), abs=2e-6)
        assert {**one, "probabilities": 0} == {**other, "probabilities": 0}


@pytest.mark.parametrize("kind", INPUTS)
def test_answers_are_those_of_predict(kind: str, server: Server, runs: dict[str, Path]) -> None:
    rows = rows_of(kind, 12)
    wanted = deepen.load(runs[kind]).predict(rows, columns={name: name for name in INPUTS[kind]})
    check_same(server.answers(kind, rows), wanted)


def test_a_tagged_text_may_be_a_text(server: Server, runs: dict[str, Path]) -> None:
    [wanted] = deepen.load(runs["tagging"]).predict(["the good lovely film was broken today"])
    rows = [{"tokens": "the good lovely film was broken today"}, {"tokens": ["a", "broken", "phone"]}]
    first, second = server.answers("tagging", rows)
    assert first == as_record(wanted)
    assert len(second["output"]) == 3


def test_a_query_is_ranked_among_its_own_documents(server: Server, runs: dict[str, Path]) -> None:
    documents = ["good film today", "broken phone box", "seat desk music"]
    rows = [{"query": "my phone is broken", "answer": text} for text in documents]
    wanted = deepen.load(runs["ranking"]).predict(rows)[0]
    asked = [{"query": "my phone is broken", "documents": documents}, {"query": "a seat", "documents": documents[:2]}]
    first, second = server.answers("ranking", asked)
    assert first["output"] == wanted.output == "broken phone box"
    assert first["probabilities"] == wanted.probabilities
    assert set(second["probabilities"]) == set(documents[:2])


def test_company_changes_nothing(server: Server, runs: dict[str, Path]) -> None:
    rows = [{"text": f"{row['text']} {at}"} for at, row in enumerate(WORLDS["classification"](48))]
    wanted = deepen.load(runs["classification"]).predict(rows, columns={"text": "text"})
    with ThreadPoolExecutor(12) as threads:
        told = list(threads.map(lambda row: server.answers("classification", [row])[0], rows))
    check_same(told, wanted)


def test_a_bad_row_fails_alone_and_a_long_one_is_cut(server: Server, runs: dict[str, Path]) -> None:
    long = "good film " * 100_000
    rows = [{"text": "a good film"}, {"text": "  "}, {"text": long}, {"text": "a\u0000b"}]
    good, blank, cut, odd = server.answers("classification", rows)
    wanted = deepen.load(runs["classification"]).predict(["a good film", long[:100_000]])
    check_same([good, cut], wanted)
    assert set(blank) == {"skipped"}
    assert "empty" in blank["skipped"]
    assert cut["truncated"]
    assert "output" in odd or "skipped" in odd


def test_what_comes_with_answers(server: Server) -> None:
    with server.client() as client:
        answer = client.post("/v1/runs/classification/predict", json={"rows": [{"text": "a good film"}]})
        [about] = [run for run in client.get("/v1/runs").json()["runs"] if run["name"] == "classification"]
    body = answer.json()
    assert body["model"] == about["model"]
    assert body["rung"] == about["rung"] == "frozen"
    assert sum(body["answers"][0]["probabilities"].values()) == pytest.approx(1, abs=1e-5)
    assert re.fullmatch(r"queue;dur=[\d.]+, model;dur=[\d.]+, total;dur=[\d.]+", answer.headers["server-timing"])


def test_an_answer_leaves_at_once(server: Server) -> None:
    late = []
    with server.client() as client:
        for _ in range(20):  # on one connection, where the kernel may hold a small packet back for 40 ms
            began = time.perf_counter()
            answer = client.post("/v1/runs/matching/predict", json={"rows": [{"sentence1": "a", "sentence2": "b"}]})
            taken = 1000 * (time.perf_counter() - began)
            late.append(taken - float(answer.headers["server-timing"].rpartition("dur=")[2]))
    assert min(late[1:]) < 30


def test_the_line_that_is_printed_can_be_typed(server: Server) -> None:
    line = next(line for line in server.lines if line.startswith("  curl "))
    words = [word.replace("KEY", server.key or "") if "Bearer" in word else word for word in shlex.split(line)]
    done = subprocess.run([*words, "-sS"], capture_output=True, text=True, check=False)
    assert '"answers"' in done.stdout, done.stderr


def test_the_interface_says_what_each_run_wants(server: Server) -> None:
    with server.client() as client:
        told = client.get("/openapi.json").json()
        page = client.get("/docs")
    for kind, names in INPUTS.items():
        about = told["paths"][f"/v1/runs/{kind}/predict"]["post"]["requestBody"]["content"]["application/json"]
        row = about["schema"]["properties"]["rows"]["items"]
        assert set(row["required"]) == set(names)
        assert all("skipped" not in answer for answer in server.answers(kind, about["example"]["rows"])), kind
    assert not re.search(r"(src|href)=\"?(https?:)?//", page.text)
    assert "default-src 'none'" in page.headers["content-security-policy"]
