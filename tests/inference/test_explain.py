"""Depth on planted ladders, and analogies that can be told beforehand."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from deepen.core.types import ExplainedAnswer, Outputs
from deepen.data.load import load_table
from deepen.data.settings import DataSettings
from deepen.data.table import Part
from deepen.inference import analogies
from deepen.inference.analogies import nearest, read_memory, sees, write_memory
from deepen.inference.attribution import attribute
from deepen.inference.explain import Asked, ExplainSettings, explain
from deepen.preparation.catalog import load_task

LABELS = ("bad", "good")
TASK = load_task("classification")


@dataclass
class Says:
    """A planted rung: `good` with this confidence, whatever it reads; its features are numbers of the text."""

    confidence: float
    num_parameters: int = 0

    def predict(self, part: Part) -> Outputs:
        logit = np.log(self.confidence / (1 - self.confidence))
        return Outputs(np.tile(np.array([0, logit], np.float32), (len(part), 1)), np.arange(len(part) + 1))

    def features(self, part: Part) -> Any:
        return np.array([[len(text), text.count("o"), 1] for text in part.values("text")], np.float32)

    def calibrate(self, temperature: float) -> None:
        raise AssertionError("an explanation must not touch the model")

    def save(self, folder: Path) -> None:
        raise AssertionError("an explanation must not save the model")


@dataclass
class Sparse(Says):
    """The same with sparse features."""

    def features(self, part: Part) -> Any:
        return csr_matrix(super().features(part))


def part_of(rows: list[Any]) -> Part:
    return load_table(rows, TASK.needs, DataSettings(), need_target=False)[0].all_rows()


def asked(ladder: Mapping[str, float], *, sure: float = 0.75) -> Asked:
    rungs = {name: (lambda said=said: Says(said)) for name, said in ladder.items()}
    last = list(ladder)[-1]
    return Asked(TASK, LABELS, last, Says(ladder[last]), ExplainSettings(sure=sure), "mark", None, rungs)


def answer_of(ladder: Mapping[str, float], *, sure: float = 0.75) -> ExplainedAnswer:
    [explanation] = explain(asked(ladder, sure=sure), part_of(["a fine film"]))
    [answer] = explanation.answers
    assert explanation.sure == sure
    return answer


@pytest.mark.parametrize(
    ("ladder", "depth"),
    [
        ({"majority": 0.55, "lexical": 0.9, "full": 0.99}, "lexical"),
        ({"majority": 0.9, "lexical": 0.2, "full": 0.99}, "majority"),
        ({"majority": 0.4, "lexical": 0.1, "full": 0.99}, "full"),
        ({"majority": 0.55, "lexical": 0.74, "frozen": 0.76, "full": 0.99}, "frozen"),
        ({"majority": 0.55, "lexical": 0.3, "full": 0.7}, None),
    ],
)
def test_depth_is_the_cheapest_rung_that_surely_says_the_same(ladder: dict[str, float], depth: str | None) -> None:
    answer = answer_of(ladder)
    assert (answer.output, answer.depth) == ("good", depth)
    assert answer.confidence == pytest.approx(ladder["full"], abs=1e-5)
    for rung in answer.rungs:
        said = ladder[rung.rung]
        assert rung.same == (rung.output == "good") == (said > 0.5)
        assert rung.confidence == pytest.approx(max(said, 1 - said), abs=1e-5)
    assert [rung.rung for rung in answer.rungs] == list(ladder)


def test_how_sure_is_a_setting() -> None:
    ladder = {"lexical": 0.6, "frozen": 0.8, "full": 0.99}
    assert [answer_of(ladder, sure=sure).depth for sure in (0.55, 0.75, 0.9, 0.999)] == [
        "lexical",
        "frozen",
        "full",
        None,
    ]


@pytest.mark.parametrize("model", [Says(0.9), Sparse(0.9)], ids=["dense", "sparse"])
def test_a_training_row_is_nearest_to_itself(model: Says, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(analogies, "_BLOCK_UNITS", 7)
    monkeypatch.setattr(analogies, "_BLOCK_QUERIES", 4)
    rows = [{"text": "x" * size + "o" * (size * size % 11), "label": LABELS[size % 2]} for size in range(1, 31)]
    part = part_of(rows)
    write_memory(tmp_path / "memory", model, TASK, part, LABELS, seed=0)
    memory = read_memory(tmp_path / "memory")
    assert memory is not None
    assert memory.note == ""
    units, cosines = nearest(memory, model.features(part), 3)
    assert units[:, 0].tolist() == list(range(30))
    assert cosines[:, 0] == pytest.approx(1, abs=1e-5)
    dense = Says(0.9).features(part)
    dense /= np.linalg.norm(dense, axis=1, keepdims=True)
    best = np.sort(dense @ dense.T, axis=1)[:, ::-1][:, :3]
    assert cosines == pytest.approx(best, abs=1e-5)
    assert [LABELS[label] for label in memory.labels_K] == [row["label"] for row in rows]
    assert list(memory.part.values("text")) == [row["text"] for row in rows]


def test_of_too_many_rows_a_sample_is_kept_and_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(analogies, "MAX_UNITS", 10)
    part = part_of([{"text": "o" * size, "label": LABELS[size % 2]} for size in range(1, 31)])
    write_memory(tmp_path / "memory", Says(0.9), TASK, part, LABELS, seed=0)
    memory = read_memory(tmp_path / "memory")
    assert memory is not None
    assert len(memory.part) == 10
    assert "10 of 30" in memory.note


@pytest.mark.parametrize("name", ["about.json", "vectors.npy", "rows.arrow", "labels.npy"])
def test_a_damaged_memory_is_none(tmp_path: Path, name: str) -> None:
    part = part_of([{"text": "o" * size, "label": LABELS[size % 2]} for size in range(1, 31)])
    write_memory(tmp_path / "memory", Says(0.9), TASK, part, LABELS, seed=0)
    (tmp_path / "memory" / name).write_bytes(b"{")
    assert read_memory(tmp_path / "memory") is None
    assert read_memory(tmp_path / "nowhere") is None


def test_a_model_by_itself_says_what_it_lacks() -> None:
    [explanation] = explain(asked({"full": 0.9}), part_of(["a fine film"]))
    assert explanation.answers[0].analogies == []
    assert "without its run" in explanation.notes[0]
    assert sees(Says(0.9))


def test_hiding_nothing_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leaving out must show the model other texts: were nothing left out, every word would count nothing."""
    seen: list[str] = []

    class Length(Says):
        def predict(self, part: Part) -> Outputs:
            texts = list(part.values("text"))
            seen.extend(texts)
            return Outputs(np.array([[0, len(text)] for text in texts], np.float32), np.arange(len(texts) + 1))

    assert TASK.explain is not None
    part = part_of(["a fine film"])
    [decision] = TASK.explain.decisions(Length(0.9).predict(part), part, LABELS)
    found = attribute(Length(0.9), TASK.explain, part, decision)
    assert found.values_W.tolist() == [1, 4, 4]
    assert {" fine film", "a  film", "a fine "} <= set(seen)
