"""From a file to answers, on networks that transformers' own layers run."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from tests.models.conftest import MakeNetwork

import deepen
from deepen.finetuning.predictor import EncoderPredictor
from deepen.models.any_encoder import AnyEncoder

SIZES = {"vocab_size": 400, "initializer_range": 0.2}
QUICK = ["data.validation_at_least=40", "rungs.top_layers.num_epochs=2", "rungs.top_layers.rounds=1"]


@pytest.mark.parametrize(
    ("kind", "tuning"),
    [("modernbert", "full"), ("mpnet", "lora"), ("albert", "lora"), ("t5", "full"), ("gemma3_text", "full")],
)
def test_a_climb(make_network: MakeNetwork, kind: str, tuning: str, two_class_csv: Path, tmp_path: Path) -> None:
    data = tmp_path / "few.csv"
    data.write_text("".join(two_class_csv.read_text().splitlines(keepends=True)[:161]))
    given = {"model": make_network(kind, **SIZES), "tuning": tuning, "settings": QUICK}
    run = deepen.train(data, out=tmp_path / "run", rungs="frozen,top_layers", **given)
    assert [row.status for row in run.ladder.rungs if row.rung in ("frozen", "top_layers")] == ["done", "done"]
    model = deepen.load(tmp_path / "run", rung="top_layers")
    assert isinstance(model.predictor, EncoderPredictor)
    assert isinstance(model.predictor.network.encoder, AnyEncoder)
    with data.open() as file:
        texts = [row["text"] for row in csv.DictReader(file)][:5]
    together = model.predict(texts)
    alone = [model.predict([text])[0] for text in texts]
    for one, other in zip(together, alone, strict=True):
        assert one.probabilities == pytest.approx(other.probabilities, abs=1e-4)
    accuracy = next(score for score in model.evaluate(two_class_csv.with_name("test.csv")) if score.name == "accuracy")
    assert 0 <= accuracy.value <= 1
