"""Triples from raw text: a tagger and a relation model in a chain."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import deepen
from deepen.core.errors import SettingError
from deepen.core.types import Prediction
from deepen.evaluation.relations import triple_scores
from deepen.inference.chain import Triples

NAMES, PLACES = "anna boris clara dmitri elena".split(), "riga oslo bern rome lima".split()


def _facts(num: int) -> list[tuple[list[str], list[str], str]]:
    """Tokens, tags, and the label of the relation between the name and the place."""
    chance = random.Random(0)
    rows = []
    for _ in range(num):
        verb, label = chance.choice([("left", "Moved(e1,e2)"), ("bore", "Born(e2,e1)"), ("and", "Other")])
        filler = chance.choices("then so now well".split(), k=chance.randint(0, 2))
        tokens = [*filler, chance.choice(NAMES), verb, chance.choice(PLACES)]
        rows.append((tokens, [*["O"] * len(filler), "B-PER", "O", "B-LOC"], label))
    return rows


@pytest.fixture(scope="module")
def chain(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    folder = tmp_path_factory.mktemp("chain")
    facts = _facts(150)
    tagged = [{"tokens": tokens, "ner_tags": tags} for tokens, tags, _ in facts]
    given: dict[str, Any] = {"model": tiny_model, "rungs": "majority,lexical"}
    tagger = deepen.train(tagged, out=folder / "tagger", **given)
    related = []
    for tokens, _, label in facts:
        text = f"{' '.join(tokens[:-3])} <e1>{tokens[-3]}</e1> {tokens[-2]} <e2>{tokens[-1]}</e2>".strip()
        related.append({"text": text, "label": label})
    relation = deepen.train(related, out=folder / "relation", **given)
    return f"{tagger.folder}+{relation.folder}", folder


def test_the_chain(chain: tuple[str, Path], tmp_path: Path) -> None:
    model = deepen.load(chain[0])
    assert isinstance(model, Triples)
    said = model.predict(["so anna left oslo", "boris bore riga", "elena and rome", "nothing here"])
    assert [one.output for one in said[1:]] == [[("riga", "Born", "boris")], [], []]
    assert said[0].output == [("anna", "Moved", "oslo")]
    assert [entity["text"] for entity in said[0].entities or []] == ["anna", "oslo"]
    assert said[0].rung.endswith("+lexical")
    rows = [
        {"text": "so anna left oslo", "triples": [["anna", "Moved", "oslo"]]},
        {"text": "boris bore riga", "triples": [["riga", "Born", "boris"], ["boris", "Moved", "riga"]]},
        {"text": "elena and rome", "triples": []},
    ]
    path = tmp_path / "facts.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    scores = {score.name: score.value for score in model.evaluate(str(path))}
    assert scores == {"precision": 1.0, "recall": pytest.approx(2 / 3), "f1": pytest.approx(0.8)}
    with pytest.raises(SettingError, match="ask each of them"):
        model.explain(["so anna left oslo"])


def test_what_is_no_chain(chain: tuple[str, Path]) -> None:
    _, folder = chain
    with pytest.raises(SettingError, match="is for relation"):
        deepen.load(f"{folder / 'relation'}+{folder / 'tagger'}")


class _Said:
    """A model that says what it was told."""

    def __init__(self, labels: tuple[str, ...], answers: Any) -> None:
        self.labels, self.answers, self.rung, self.asked = labels, answers, "x", []

    def predict(self, data: Any, *, columns: Any = None) -> list[Prediction]:
        self.asked += data
        return [Prediction(str(n), *self.answers(row)) for n, row in enumerate(data)]


@pytest.mark.parametrize("labels", [("r", "unknown"), ("r(e1,e2)", "r(e2,e1)", "Other")])
def test_pairs_and_marks(labels: tuple[str, ...]) -> None:
    """Labels without direction are asked both ways; spans that share a character are no pair."""
    spans = [(0, 2), (1, 4), (5, 7)]
    entities = [{"start": s, "end": e, "text": "abcd ef"[s:e], "label": "X", "score": 1.0} for s, e in spans]

    def found(row: Any) -> tuple[Any, ...]:
        return ["O"], "x", {"text": "abcd ef"}, None, None, entities

    relation = _Said(labels, lambda row: (labels[0], "x"))
    [said] = Triples(_Said((), found), relation).predict([{"text": "abcd ef"}])  # type: ignore[arg-type]
    marked = [row["text"] for row in relation.asked]
    both = ["<e1>ab</e1>cd <e2>ef</e2>", "a<e1>bcd</e1> <e2>ef</e2>"]
    turned = ["<e2>ab</e2>cd <e1>ef</e1>", "a<e2>bcd</e2> <e1>ef</e1>"]
    assert sorted(marked) == sorted(both + (turned if len(labels) == 2 else []))
    assert ("ab", "r", "ef") in said.output
    assert (("ef", "r", "ab") in said.output) == (len(labels) == 2)


def test_scores_of_triples() -> None:
    scores = {score.name: score for score in triple_scores(np.array([[1.0, 2, 1], [0, 0, 3]]), seed=0)}
    assert (scores["precision"].value, scores["precision"].n) == (0.5, 2)
    assert (scores["recall"].value, scores["recall"].n) == (0.25, 4)
    assert (scores["f1"].value, scores["f1"].n) == (pytest.approx(1 / 3), 5)
    assert triple_scores(np.zeros((2, 3)), seed=0)[2].value == 0
