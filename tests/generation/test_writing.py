"""A climb of networks that write: trained, saved, read again by Deepen and by plain transformers."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.generation.conftest import KINDS

import deepen

Tiny = Callable[..., Path]
QUICK = ["rungs.full.num_epochs=1", "rungs.top_layers.num_epochs=1", "tasks.translation.max_new_tokens=8"]


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_trained_saved_and_read_again(
    kind: str, tiny_writer: Tiny, pairs_file: Path, tmp_path: Path
) -> None:
    run = deepen.train(
        str(pairs_file),
        task="translation",
        model=str(tiny_writer(kind)),
        rungs="majority,full",
        tuning="lora",
        settings=QUICK,
        out=tmp_path / "run",
    )
    folder = run.folder / "rungs" / "full"
    first = [json.loads(line) for line in (folder / "predictions-validation.jsonl").open(encoding="utf-8")]
    model = deepen.load(run.folder, rung="full")
    again = model.predict([row["inputs"]["source"] for row in first])
    assert [row["output"] for row in first] == [one.output for one in again]
    assert {row["stopped"] for row in first} <= {"end", "limit"}
    assert all(0 < row["confidence"] <= 1 and row["num_generated"] for row in first)
