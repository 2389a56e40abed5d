"""A run that masks what it reads, behind HTTP: its client must know which text places are in."""

from __future__ import annotations

from pathlib import Path

from deepen.inference.model import load_model
from deepen.serving.answering import Served, answered


def test_places_in_a_masked_text_come_with_that_text(runs: dict[str, Path]) -> None:
    served = Served(load_model(runs["span_qa"], settings=["data.mask=all"]), None)
    row = {"context": "Write to a@b.com. Ann lives in Rome.", "question": "Where does Ann live?"}
    answer = answered(served.answers([row])[0])
    context = answer["inputs"]["context"]
    assert context == "Write to <EMAIL_ADDRESS>. Ann lives in Rome."
    assert answer["entities"]
    assert all(context[one["start"] : one["end"]] == one["text"] for one in answer["entities"])
    plain = answered(served.answers([row | {"context": "Ann lives in Rome."}])[0])
    assert "inputs" not in plain
