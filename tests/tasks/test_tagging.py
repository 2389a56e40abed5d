"""Tagging climbs the same ladder: from a column file to a tagger that answers raw text."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.worlds import WORLDS

import deepen
from deepen.core.errors import DataError, SettingError
from deepen.core.types import Outputs
from deepen.data.load import load_table
from deepen.data.settings import DataSettings
from deepen.preparation.catalog import load_task


def column_file(path: Path, num_rows: int) -> Path:
    rows = WORLDS["tagging"](num_rows)
    path.write_text("\n".join("".join(f"{w} {t}\n" for w, t in zip(*row.values(), strict=True)) for row in rows))
    return path


@pytest.fixture(scope="module")
def run(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Any:
    pytest.importorskip("pycrfsuite")
    folder = tmp_path_factory.mktemp("tagging")
    lines: list[str] = []
    made = deepen.train(
        column_file(folder / "eng.train", 150),
        test=column_file(folder / "eng.testb", 60),
        model=str(tiny_model),
        out=folder / "run",
        settings=["ladder.thorough=true", "rungs.top_layers.num_epochs=1", "rungs.full.num_epochs=1"],
        say=lines.append,
    )
    assert any("tagging" in line and "holds a tag for each token" in line for line in lines)
    return made


def test_the_climb(run: Any) -> None:
    ladder = run.ladder
    assert ladder["task"] == "tagging"
    assert [row["rung"] for row in ladder["rungs"]] == ["majority", "lexical", "frozen", "top_layers", "full"]
    scores = {row["rung"]: row["score"] for row in ladder["rungs"]}
    assert {score["name"] for score in scores.values()} == {"entity_f1"}
    assert scores["lexical"]["value"] > 0.95
    assert scores["full"]["value"] > 0.5
    assert {score["label"] for score in ladder["test"]} == {None, "PER", "ORG"}
    line = json.loads((run.folder / "rungs" / ladder["chosen"] / "predictions-test.jsonl").open().readline())
    assert len(line["output"]) == len(line["inputs"]["tokens"]) == len(line["target"])
    assert not list(run.folder.rglob("*.pkl"))


@pytest.mark.parametrize("rung", ["majority", "lexical", "frozen", "full"])
def test_raw_text_is_tagged_with_offsets(run: Any, rung: str) -> None:
    model = deepen.load(run, rung=rung)
    text = "the film  was good lovely, very ｇｏｏｄ 今天"
    [found] = model.predict([text])
    assert found.inputs is not None
    assert found.inputs["text"] == text
    assert found.inputs["tokens"][-4:] == ["very", "good", "今", "天"]
    assert len(found.output) == len(found.inputs["tokens"])
    for entity in found.entities or []:
        assert text[entity["start"] : entity["end"]] == entity["text"]
        assert 0 < entity["score"] <= 1
    if rung == "lexical":
        assert {"start": 14, "end": 25, "label": "PER", "text": "good lovely"}.items() <= (found.entities or [{}])[
            0
        ].items()
    if rung == "full":
        assert found.num_tokens > 0
        assert not found.truncated


def test_a_long_row_is_not_cut(run: Any) -> None:
    model = deepen.load(run, rung="full")
    [found] = model.predict([" ".join(["the", "film", "was", "broken"] * 60)])
    assert len(found.output) == 240
    assert found.num_tokens > 240
    assert not found.truncated


def test_evaluate_reads_other_forms(run: Any) -> None:
    model = deepen.load(run, rung="lexical")
    rows = [
        {"text": "the good lovely film", "entities": [[4, 15, "PER"]]},
        {"text": "the broken", "entities": [[4, 10, "ORG"]]},
    ]
    scores = {score.name: score.value for score in model.evaluate(rows) if score.label is None}
    assert scores["entity_f1"] == 1.0
    with pytest.raises(DataError, match="the type 'LOC' is not in the training data"):
        model.evaluate([{"text": "the film", "entities": [[0, 3, "LOC"]]}])


def test_decoding_is_a_setting_that_a_model_keeps(run: Any, tiny_model: Path, tmp_path: Path) -> None:
    about = json.loads((run.folder / "model" / "deepen.json").read_text())
    assert about["task_settings"] == {"decoding": "viterbi"}
    part = load_table(WORLDS["tagging"](6), load_task("tagging").needs, DataSettings())[0].all_rows()
    labels = load_task("tagging").labels(part, None)
    targets = load_task("tagging").targets(part, labels)
    logits = np.random.default_rng(0).normal(size=(len(targets.labels_M), len(labels)))
    outputs = Outputs(logits, targets.offsets_N1)
    for how in ("viterbi", "repair"):
        task = load_task("tagging", {"decoding": how})
        decoded = task.decode(outputs, part, labels)
        for answer in decoded:
            pairs = zip(["O", *answer["output"]], answer["output"], strict=False)
            assert all(tag[0] != "I" or before[1:] == tag[1:] for before, tag in pairs)
    with pytest.raises(SettingError, match=r"tagging\.decoding"):
        deepen.train(WORLDS["tagging"](60), model=str(tiny_model), out=tmp_path, settings=["tasks.tagging.decoding=x"])
    with pytest.raises(SettingError, match=r"model\.pooling"):
        deepen.train(WORLDS["tagging"](60), model=str(tiny_model), out=tmp_path, settings=["model.pooling=cls"])


def test_what_can_not_be_learned(tiny_model: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="holds no entity: every tag is O"):
        deepen.train(
            [{"tokens": ["a"], "ner_tags": ["O"]}] * 9, task="tagging", model=str(tiny_model), out=tmp_path / "x"
        )
