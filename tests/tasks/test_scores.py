"""Rows whose target is a number on a scale."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest

import deepen


@pytest.mark.parametrize("task", ["classification", "matching"])
def test_a_number_that_no_training_row_has_is_no_unknown_label(task: str, tiny_model: Path, tmp_path: Path) -> None:
    chance = random.Random(0)

    def rows(num: int, step: float) -> list[dict[str, Any]]:
        found = []
        for _ in range(num):
            good = chance.randint(0, 6)
            words = ["good"] * good + ["bad"] * (6 - good)
            score = round(good / 6 + step * chance.randint(0, 3), 4)
            if task == "matching":
                found.append({"sentence1": " ".join(words), "sentence2": "good film", "label": score})
            else:
                found.append({"text": " ".join([*words, *chance.choices("the a film".split(), k=2)]), "label": score})
        return found

    given: dict[str, Any] = {"model": tiny_model, "thorough": True, "task": task, "out": tmp_path / "run"}
    given["settings"] = ["rungs.top_layers.num_epochs=1", "rungs.full.num_epochs=1"]
    run = deepen.train(rows(200, 0.001), validation=rows(40, 0.0011), test=rows(40, 0.0013), **given)
    scores = {row["rung"]: row["score"] for row in run.ladder["rungs"]}
    assert {score["name"] for score in scores.values()} == {"pearson"}
    assert list(scores) == ["majority", "lexical", "frozen", "top_layers", "full"]
    assert scores["lexical"]["value"] > 0.8
    assert scores["frozen"]["value"] > 0.5
