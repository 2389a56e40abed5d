"""Logs as they come: records that are damaged, clocks that jump, two who write at once, answers of other models."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import deepen
from deepen.core.errors import DataError
from deepen.inference.model import load_model
from deepen.monitoring.record import Record, record_of
from deepen.monitoring.store import open_store

NUM = 120


@pytest.fixture
def records(run: Path, same: Path) -> list[Record]:
    """What a server would keep of a run's answers to 120 rows, one a second, until now."""
    model = load_model(run)
    part = model.read(same, use="answer").take(np.arange(NUM))
    about = {"who": "ada", "run": "run", "model": model.mark, "keep_text": True}
    rows = zip(model.answers(part), part.values("text"), strict=True)
    began = time.time() - NUM
    made = [record_of(said, inputs={"text": text}, **about) for said, text in rows]  # type: ignore[arg-type]
    return [replace(one, at=began + at) for at, one in enumerate(made)]


def test_two_write_at_once_and_other_models_are_passed_over(run: Path, records: list[Record], tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'log.sqlite'}"
    others = [replace(one, id=f"other-{one.id}", model="another", answer="no JSON") for one in records]
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda some: [open_store(url).put([one]) for one in some], (records, others)))
    said: list[str] = []
    found = deepen.watch(run, log=url, say=said.append)
    assert sum(window["rows"] for window in found["windows"]) == NUM
    assert not found["alarms"]
    assert not any("damaged" in line for line in said)


def test_damaged_records_and_a_clock_that_jumped_are_said(run: Path, records: list[Record], tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'log.sqlite'}"
    broken = ["{", "[]", '{"output": "x"}', '{"output": "x", "probabilities": {"x": 2}}', '{"probabilities": null}']
    damaged = [replace(one, answer=answer) for one, answer in zip(records, broken, strict=False)]
    jumped = [replace(one, at=at) for one, at in zip(records[5:8], (0.0, 1.0, 4e9), strict=True)]
    store = open_store(url)
    store.put([*damaged, *jumped, *records[8:]])
    store.close()
    said: list[str] = []
    found = deepen.watch(run, log=url, say=said.append)
    assert any("5 of 120 records are damaged, or of a model with other labels" in line for line in said)
    assert any("3 of 115 answers have a time that can't be: a clock jumped" in line for line in said)
    assert sum(window["rows"] for window in found["windows"]) == NUM - 5


def test_a_log_without_an_answer_of_the_run_names_what_it_has(run: Path, records: list[Record], tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'log.sqlite'}"
    store = open_store(url)
    store.put([replace(one, model="another") for one in records])
    store.close()
    with pytest.raises(DataError, match=r"has no answer of .*; it has: run \(another\)"):
        deepen.watch(run, log=url, say=lambda line: None)
