"""A model that writes, exported: the same answers and costs in floats, said how many change in integers, or nothing."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.writers import TEMPLATE, pairs

import deepen
from deepen.core.errors import ModelError, SettingError
from deepen.exporting import text

Tiny = Callable[..., Path]
QUICK = ["rungs.full.num_epochs=1", "tasks.translation.max_new_tokens=6"]


@pytest.fixture(scope="module")
def run_of(tiny_writer: Tiny, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    made: dict[Any, Path] = {}

    def run(kind: str, template: str | None = None, **given: Any) -> Path:
        key = (kind, template, *sorted(given.items()))
        if key not in made:
            model = tiny_writer(kind, template=template)
            about: dict[str, Any] = {"task": "translation", "rungs": "majority,full", "settings": QUICK} | given
            out = tmp_path_factory.mktemp("runs") / kind
            made[key] = deepen.train(pairs(60), model=str(model), out=out, **about).folder
        return made[key]

    return run


def program_of(out: Path) -> str:
    said = (out / "README.md").read_text(encoding="utf-8")
    return said.partition("```python\n")[2].partition("```")[0].replace("FOLDER", str(out))


@pytest.mark.parametrize(
    ("kind", "template"),
    [
        ("t5", None),
        *(pytest.param(kind, None, marks=pytest.mark.services) for kind in ("mt5", "llama")),
        ("qwen2", TEMPLATE),
    ],
)
def test_it_writes_and_costs_the_same(
    kind: str, template: str | None, run_of: Callable[..., Path], tmp_path: Path
) -> None:
    run = run_of(kind, template)
    found = deepen.export(run, tmp_path / "out", form="ctranslate2", rung="full")
    assert found.parity.rows == 30
    assert found.parity.integer_matmuls > 0
    steps = json.loads((tmp_path / "out" / "deepen.json").read_text(encoding="utf-8"))["parity"]["steps"]
    assert steps[0]["name"] == "exported"
    assert steps[0]["flipped"] == 0
    assert steps[0]["largest_gap"] < 1e-5
    rows = [row["source"] for row in pairs(8, seed=1)]
    model = deepen.load(tmp_path / "out")
    said = [one.output for one in model.predict(rows)]
    assert len(said) == 8
    assert {score.name for score in model.evaluate(pairs(8, seed=1))} >= {"bleu"}
    assert {one.num_generated for one in model.predict(rows, max_new_tokens=1)} == {1}
    with pytest.raises(SettingError, match=r"max_new_tokens 0: the model's window has"):
        model.predict(rows, max_new_tokens=0)
    with pytest.raises(SettingError, match=r"can't hold answers to a form: name the run that it was made of"):
        model.predict(rows, choices=["le chat"])
    program = program_of(tmp_path / "out").replace("a text", rows[0])
    one = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert one.stdout.split() == said[0].split()


def test_beams_are_told_on(run_of: Callable[..., Path], tmp_path: Path) -> None:
    more = ["tasks.translation.num_beams=3", "tasks.translation.no_repeat_ngram_size=2"]
    run = run_of("llama", settings=(*QUICK, *more))
    deepen.export(run, tmp_path / "out", form="ctranslate2", rung="full")
    rows = [row["source"] for row in pairs(8, seed=1)]
    wanted = [one.output for one in deepen.load(run, rung="full").predict(rows)]
    found = [one.output for one in deepen.load(tmp_path / "out").predict(rows)]
    assert sum(a == b for a, b in zip(wanted, found, strict=True)) >= 6


def test_chance_is_told_on_and_goes_by_the_seed(run_of: Callable[..., Path], tmp_path: Path) -> None:
    deepen.export(run_of("t5"), tmp_path / "out", form="ctranslate2", rung="full")
    rows = [row["source"] for row in pairs(8, seed=1)]
    model: Any = deepen.load(tmp_path / "out")
    usual, asking = [one.output for one in model.predict(rows)], model.predictor.asking
    drawn = {}
    for seed in (0, 0, 1):
        how = asking.decoding | {"do_sample": True, "temperature": 2.0}
        model.predictor.asking = replace(asking, decoding=how, seed=seed)
        now = [one.output for one in model.predict(rows)]
        assert drawn.setdefault(seed, now) == now
    assert drawn[0] != drawn[1]
    assert usual not in drawn.values()


def test_what_says_something_else_is_not_written(
    run_of: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = text._said
    wrong = iter([0.0, 0.1])

    def other(*given: Any) -> text.Said:
        found = said(*given)
        found.texts.nats_N[:] += next(wrong) * np.maximum(1, found.texts.scored_N)
        return found

    monkeypatch.setattr(text, "_said", other)
    with pytest.raises(ModelError, match=r"CTranslate2 does not say what the model says: answers cost up to 0.1 nats"):
        deepen.export(run_of("t5"), tmp_path / "out", form="ctranslate2", rung="full")
    assert not (tmp_path / "out").exists()


def test_what_cannot_be_exported_is_one_line(run_of: Callable[..., Path], tmp_path: Path) -> None:
    run = run_of("t5")
    with pytest.raises(ModelError, match=r"answers in text: --form ctranslate2 is for it"):
        deepen.export(run, tmp_path / "out", rung="full")
    with pytest.raises(ModelError, match=r"does not write text"):
        deepen.export(run, tmp_path / "out", form="ctranslate2", rung="majority")
    with pytest.raises(ModelError, match=r"CTranslate2 can't convert this network: "):
        deepen.export(run_of("bart"), tmp_path / "out", form="ctranslate2", rung="full")
    vectors = run_of("llama", tuning="soft_prompt")
    with pytest.raises(ModelError, match=r"keeps vectors beside the network"):
        deepen.export(vectors, tmp_path / "out", form="ctranslate2", rung="full")
    assert not (tmp_path / "out").exists()
    model = deepen.load(run, rung="full")
    model.predictor.asking = replace(model.predictor.asking, shown=2)  # type: ignore[attr-defined]
    with pytest.raises(ModelError, match=r"shows training rows before each question: name another --rung"):
        text.writer_of(model)


def test_a_damaged_export_is_one_line(run_of: Callable[..., Path], tmp_path: Path) -> None:
    deepen.export(run_of("t5"), tmp_path / "out", form="ctranslate2", rung="full")
    (tmp_path / "out" / "ctranslate2" / "model.bin").write_bytes(b"nothing")
    with pytest.raises(ModelError, match=r"model.bin"):
        deepen.load(tmp_path / "out")
