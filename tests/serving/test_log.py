"""What a server keeps of its answers: each that went out, once, without texts unless asked, however it ended."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest
from tests.contracts.conftest import call
from tests.serving.conftest import Server, until

from deepen.core.errors import SettingError
from deepen.monitoring.journal import Journal
from deepen.monitoring.record import Record, input_hash
from deepen.monitoring.store import open_store
from deepen.serving.keys import create
from deepen.serving.log import Log
from deepen.serving.metrics import Metrics
from deepen.serving.settings import ServeSettings

MAIL = "a good film, write to ann@example.org"


def logged(url: str) -> list[Record]:
    store = open_store(url)
    try:
        return list(store.read())
    finally:
        store.close()


def test_every_answer_is_kept_once_and_texts_only_masked(runs: dict[str, Path], tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'log.sqlite'}"
    key = create(tmp_path / "keys.json", scopes=["predict", "metrics"])
    words = [f"{runs['matching']}=m", f"{runs['span_qa']}=q", "--port", "0", "--workers", "1", "--log", url]
    words += ["--keys", str(tmp_path / "keys.json"), "--set", "log_texts=true", "--set", "canary_seconds=0.1"]
    pairs = [{"sentence1": MAIL, "sentence2": f"number {number}"} for number in range(20)]
    questions = [{"context": "Ann lives in Rome.", "question": "Where does Ann live?"}]
    with Server(words, key.text) as server:
        answers = server.answers("m", pairs) + server.answers("q", questions)
        until(lambda: len(logged(url)) == 21)
        with server.client() as client:
            assert "deepen_unlogged_rows_total 0.0" in client.get("/metrics").text
        assert server.stop() == 0
        assert "answers are logged (texts too, masked)" in server.text
    records = logged(url)
    assert len(records) == 21 == len({record.id for record in records})  # and none of the canaries'
    by_input = {record.input_hash: record for record in records}
    for row, answer in zip(pairs + questions, answers, strict=True):
        record = by_input[input_hash(row)]
        assert (record.who, record.rung) == (key.key.id, "lexical")
        assert record.text is not None
        assert "ann@example.org" not in record.text
        assert json.loads(record.answer)["output"] == answer["output"]
    assert key.text not in str(records)


@pytest.mark.services
def test_what_was_answered_survives_the_death_of_the_server(runs: dict[str, Path], tmp_path: Path) -> None:
    url, journal = f"sqlite:///{tmp_path / 'log.sqlite'}", tmp_path / "journal"
    words = [f"{runs['matching']}=m", "--port", "0", "--workers", "1", "--log", url]
    words += ["--set", f"log_journal={journal}"]
    rows = [{"sentence1": MAIL, "sentence2": f"number {number}"} for number in range(50)]
    with Server(words) as server:
        for row in rows:
            server.answers("m", [row])
    # killed: what came last is in the journal alone
    store = open_store(url)
    Journal(journal).drain(store.put)
    store.close()
    records = logged(url)
    assert {record.input_hash for record in records} == {input_hash(row) for row in rows}
    assert len(records) == 50
    assert {record.text for record in records} == {None}


def test_a_full_journal_holds_up_no_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    metrics, said = Metrics(), list[str]()
    log = Log(f"sqlite:///{tmp_path / 'log.sqlite'}", ServeSettings(), metrics, said.append)
    about = {"rung": "lexical", "model": "f00"}

    def full(self: Journal, line: bytes) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr(Journal, "_write", full)

    async def run() -> None:
        await log.keep("", "m", about, [{"text": "a"}, {"text": "b"}], [b'{"output": "x", "rung": "lexical"}'] * 2)
        await log.stop()

    asyncio.run(run())
    assert b"deepen_unlogged_rows_total 2.0" in metrics.text()


def test_a_database_that_is_away_is_said_once_and_then_gets_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    metrics, said, url = Metrics(), list[str](), f"sqlite:///{tmp_path / 'log.sqlite'}"
    log = Log(url, ServeSettings(), metrics, said.append)
    put, about = type(log._store).put, {"rung": "lexical", "model": "f00"}

    def away(self: object, records: object) -> None:
        raise SettingError("log sqlite: can't be reached or written")

    monkeypatch.setattr(type(log._store), "put", away)

    async def run() -> None:
        for _ in range(2):
            await log.keep("", "m", about, [{"text": "a"}], [b'{"skipped": "too long"}'])
            await log._drain()
        assert len(said) == 1
        assert "answers wait in" in said[0]
        assert b"deepen_log_reached 0.0" in metrics.text()
        monkeypatch.setattr(type(log._store), "put", put)
        await log.stop()

    asyncio.run(run())
    assert len(logged(url)) == 2
    assert b"deepen_log_reached 1.0" in metrics.text()


def test_a_log_that_can_not_be_written_is_said_before_anything_is_served(runs: dict[str, Path]) -> None:
    answer = call("serve", runs["matching"], "--log", "mysql://host/database")
    assert answer.code == 2
    assert "no kind of log" in answer.err
