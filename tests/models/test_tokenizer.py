"""What is read of a text that is longer than the model takes."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import deepen
from deepen.data.load import load_table
from deepen.data.settings import DataSettings
from deepen.models.head import Inputs
from deepen.models.load import load_pretrained
from deepen.models.network import Network
from deepen.models.save import shelf
from deepen.models.tokenizer import load_tokenizer
from deepen.preparation.catalog import load_task

LONG = " ".join(["good", "bad", "film", "phone", "room"] * 6)


def test_both_ends_of_a_long_text(tiny_model: Path) -> None:
    tokenizer = load_tokenizer(tiny_model)
    whole = tokenizer.encode([LONG], max_tokens=64).ids_T.tolist()
    for most in (10, 11, 31):
        ends = tokenizer.encode([LONG, "good film"], max_tokens=most, keep="ends")
        room = most - 2
        cut = ends.ids_T[: ends.lengths_B[0]].tolist()
        assert cut == [*whole[: 1 + room - room // 2], *whole[-1 - room // 2 :]]
        assert ends.truncated_B.tolist() == [True, False]
        short = tokenizer.encode(["good film"], max_tokens=most)
        assert ends.ids_T[ends.lengths_B[0] :].tolist() == short.ids_T.tolist()
        places = tokenizer.places(LONG, max_tokens=most, keep="ends")
        assert len(places) == most
        assert places[0] is places[-1] is None
        assert [LONG[place[0] : place[1]] for place in places if place][-1] == "room"
        assert places[-2] == (len(LONG) - 4, len(LONG))
    assert tokenizer.encode([LONG], max_tokens=64, keep="ends").ids_T.tolist() == whole


def test_a_run_remembers_it(tiny_model: Path, tmp_path: Path) -> None:
    """The word that decides stands at the end, where the head does not reach."""
    filler = "the a was looks very today " * 20
    chance = random.Random(0)
    rows = []
    for word in ["good", "awful"] * 160:
        start = " ".join(chance.choices("film phone room box desk seat".split(), k=6))
        rows.append({"text": f"{start} {filler}{word}", "label": word})
    scores = {}
    for long in ("head", "ends", "windows"):
        given: dict[str, Any] = {"model": tiny_model, "rungs": "majority,frozen", "out": tmp_path / long}
        settings = [f"tasks.classification.long={long}", "data.near.threshold=1"]
        run = deepen.train(rows, settings=settings, **given)
        scores[long] = run.ladder["rungs"][-1]["score"]["value"]
        assert any("cut" in note for note in run.ladder["data"]["notes"]) == (long != "windows")
    assert scores["head"] < 0.7
    assert scores["ends"] > 0.95
    assert scores["windows"] > 0.95
    said = deepen.load(tmp_path / "ends").predict(
        [f"film phone room box desk seat {filler}{word}" for word in ("good", "awful")]
    )
    assert [one.output for one in said] == ["good", "awful"]
    assert all(one.truncated for one in said)
    task = load_task("classification", {"long": "ends"})
    table, _ = load_table([{"text": LONG, "label": "x"}], task.needs, DataSettings())
    assert task.explain is not None
    words, owners_T = task.explain.owners(load_tokenizer(tiny_model), 12, table.all_rows())
    assert owners_T.tolist()[-2] == len(words) - 1


@pytest.mark.parametrize("pooling", ["mean", "cls", "last"])
def test_windows_of_a_long_text(pooling: Any, tiny_model: Path) -> None:
    """Each window is read by itself, and the states of all are pooled as one row's."""
    tokenizer = load_tokenizer(tiny_model)
    found = tokenizer.encode([LONG, "good film"], max_tokens=12, keep="windows")
    assert found.sequence_counts_B is not None
    assert found.sequence_counts_B.tolist() == [3, 1]
    assert found.lengths_B.tolist() == [12, 12, 12, 4]
    assert not found.truncated_B.any()
    whole = tokenizer.encode([LONG], max_tokens=64).ids_T.tolist()
    ids = found.ids_T.tolist()
    assert [*ids[1:11], *ids[13:23], *ids[25:35]] == whole[1:-1], "nothing twice, nothing lost"
    encoder = load_pretrained(str(tiny_model)).encoder().eval()
    network = Network(encoder, torch.nn.Linear(encoder.hidden_size, 2), shelf()[pooling])
    lengths, windows = torch.from_numpy(found.lengths_B), torch.from_numpy(found.sequence_counts_B)
    tokens = torch.from_numpy(found.ids_T.astype(np.int64))
    with torch.inference_mode():
        rows = network.features(Inputs(lengths, ids_T=tokens, windows_R=windows))
        each = network.features(Inputs(lengths, ids_T=tokens))
    assert rows.shape == (2, encoder.hidden_size)
    torch.testing.assert_close(rows[0], each[:3].mean(0))
    torch.testing.assert_close(rows[1], each[3])
