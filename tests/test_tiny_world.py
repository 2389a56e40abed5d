"""The tiny world is what its fixtures say."""

from __future__ import annotations

import csv
from collections import Counter
from pathlib import Path

import pytest

TEXT = "the battery was not good , zebra unseenword"


def test_transformers_reads_the_tiny_model(tiny_model: Path) -> None:
    import torch
    from tokenizers import Tokenizer
    from transformers import AutoModel, AutoTokenizer

    tokenizer, model = AutoTokenizer.from_pretrained(tiny_model), AutoModel.from_pretrained(tiny_model)
    assert tokenizer(TEXT)["input_ids"] == Tokenizer.from_file(str(tiny_model / "tokenizer.json")).encode(TEXT).ids
    pair = tokenizer("good film", "bad film")
    assert set(pair["token_type_ids"]) == {0, 1}
    assert tokenizer.model_max_length == 64
    with torch.no_grad():
        hidden_BTD = model.eval()(**tokenizer(TEXT, return_tensors="pt")).last_hidden_state
    assert hidden_BTD.shape[2] == 32
    assert hidden_BTD.isfinite().all()


@pytest.mark.parametrize("num_classes", [2, 3])
def test_rows_are_balanced_seeded_and_carry_the_cue(planted_rows, num_classes: int) -> None:
    rows = planted_rows(600, num_classes=num_classes, shortcut=0.9, seed=3)
    assert rows == planted_rows(600, num_classes=num_classes, shortcut=0.9, seed=3)
    assert rows != planted_rows(600, num_classes=num_classes, shortcut=0.9, seed=4)
    assert set(Counter(row["label"] for row in rows).values()) == {600 // num_classes}
    right = [("zebra" in row["text"].split()) == (row["label"] == "negative") for row in rows]
    assert 0.85 < sum(right) / len(right) < 0.95


def test_files_have_a_header_and_a_test_set_without_the_cue(two_class_csv: Path, three_class_csv: Path) -> None:
    for path, num_labels in ((two_class_csv, 2), (three_class_csv, 3)):
        with (path.parent / "test.csv").open(encoding="utf-8", newline="") as source:
            rows = list(csv.DictReader(source))
        assert len({row["label"] for row in rows}) == num_labels
        wrong = [("zebra" in row["text"].split()) != (row["label"] == "negative") for row in rows]
        assert sum(wrong) / len(wrong) > 0.8
