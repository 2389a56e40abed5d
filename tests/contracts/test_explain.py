"""`deepen predict --explain`: what it prints and promises, for both tasks, in English and Chinese."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.contracts import golden
from tests.contracts.conftest import Deepen, Finished, call
from tests.worlds import WORLDS

import deepen as front_door
from deepen.core.files import sha256_file

RUNGS = "majority,lexical,frozen"


def check(explanation: dict[str, Any], text: str, rungs: list[str]) -> None:
    """The form of an explanation, and that its words are those of the text."""
    assert set(explanation) == golden.EXPLANATION
    for answer in explanation["answers"]:
        assert set(answer) == golden.EXPLAINED_ANSWER
        assert [rung["rung"] for rung in answer["rungs"]] == rungs
        assert all(set(rung) == golden.RUNG_ANSWER for rung in answer["rungs"])
        assert answer["depth"] is None or answer["depth"] in rungs
        assert all(set(word) == golden.WORD_SHARE for word in answer["words"])
        assert [text[word["start"] : word["end"]] for word in answer["words"]] == [w["text"] for w in answer["words"]]
        assert "".join(word["text"] for word in answer["words"]) == "".join(text.split())
        if answer["total"] is not None:
            sum_of_words = sum(word["value"] for word in answer["words"])
            assert sum_of_words - answer["total"] == pytest.approx(answer["error"], abs=1e-4)
            assert abs(answer["error"]) <= 0.01 * abs(answer["total"]) + 0.01
        assert all(set(analogy) == golden.ANALOGY for analogy in answer["analogies"])
        near = [analogy["similarity"] for analogy in answer["analogies"]]
        assert near == sorted(near, reverse=True)


TEXTS = ["the film was not good", "zebra looks awful today", "这部电影不好 zebra"]


@pytest.mark.parametrize("rung", ["majority", "lexical", "frozen", "full"])
def test_classification(finished: Finished, deepen: Deepen, rung: str) -> None:
    words = [part for text in TEXTS for part in ("--text", text)]
    plain = deepen("predict", finished.folder, "--rung", rung, *words, "--json").json
    told = deepen("predict", finished.folder, "--rung", rung, *words, "--explain", "--json").json
    rungs = [row["rung"] for row in finished.answer.json["rungs"]]
    for before, after, text in zip(plain["predictions"], told["predictions"], TEXTS, strict=True):
        explanation = after.pop("explanation")
        assert "explanation" not in before
        assert before | {"seconds": 0} == after | {"seconds": 0}, "nothing else may change"
        check(explanation, text, rungs)
        [answer] = explanation["answers"]
        assert (answer["output"], explanation["rung"]) == (before["output"], rung)
        assert answer["confidence"] == before["probabilities"][before["output"]]
        assert answer["method"] == ("leave_one_out" if rung in ("majority", "lexical") else "integrated_gradients")
        assert all(one["agrees"] == (one["label"] == answer["output"]) for one in answer["analogies"])
        if rung == "majority":
            assert not any(word["value"] for word in answer["words"])
            assert "makes nothing of a text" in explanation["notes"][0]
        else:
            assert len(answer["analogies"]) == 3


def test_the_planted_word_is_the_top_word(finished: Finished, planted_rows: Any) -> None:
    """`zebra` is right in nine of ten training rows; of texts answered `negative` because of it, it is on top."""
    model = front_door.load(finished.folder, rung="lexical")
    texts = [row["text"] for row in planted_rows(400, shortcut=0.1, seed=2) if row["label"] == "positive"]
    texts = [text for text in texts if text.endswith("zebra") and "not" not in text.split()][:20]
    top = []
    for text, explanation in zip(texts, model.explain(texts), strict=True):
        [answer] = explanation.answers
        if answer.output == "negative":
            top.append(max(answer.words, key=lambda word: word.value).text)
            assert text.endswith("zebra")
    assert len(top) >= 5
    assert sum(word == "zebra" for word in top) >= 0.9 * len(top)


def test_a_training_row_is_its_own_analogy(finished: Finished) -> None:
    kept = (finished.folder / "rungs" / "full" / "training.jsonl").read_text().splitlines()
    learned = {json.loads(line)["id"] for line in kept}
    for rung in ("lexical", "frozen", "full"):
        model = front_door.load(finished.folder, rung=rung)
        rows = [row for row in model.read(finished.data, need_target=True).examples() if row.id in learned][:20]
        texts = [row.inputs["text"] for row in rows]
        for row, explanation in zip(rows, model.explain(texts), strict=True):
            first, *others = explanation.answers[0].analogies
            assert (first.text, first.label) == (row.inputs["text"], row.target)
            assert first.similarity == pytest.approx(1, abs=1e-4)
            assert {one.id for one in (first, *others)} <= learned


def test_printed(finished: Finished, deepen: Deepen) -> None:
    files = {path: sha256_file(path) for path in finished.folder.rglob("*") if path.is_file()}
    answer = deepen("predict", finished.folder, "--rung", "full", "--text", "zebra looks awful", "--explain")
    plain = deepen("predict", finished.folder, "--rung", "full", "--text", "zebra looks awful").out
    assert answer.code == 0, answer.err
    assert answer.out.startswith(plain)
    for word in ("words", "zebra", "integrated gradients", "depth", "majority", "analogies"):
        assert word in answer.out
    assert {path: sha256_file(path) for path in finished.folder.rglob("*") if path.is_file()} == files


def test_to_files(finished: Finished, deepen: Deepen) -> None:
    words = ("predict", finished.folder, "--rung", "lexical", "--text", "a film", "--explain", "--out")
    assert deepen(*words, "why.jsonl").code == 0
    assert json.loads(Path("why.jsonl").read_text())["explanation"]["answers"][0]["words"]
    assert "no room" in deepen(*words, "why.csv").failed("SettingError")
    line = deepen("predict", finished.folder, "--text", "a", "--explain", "--set", "explain.sur=1").failed(
        "SettingError"
    )
    assert "did you mean 'sure'?" in line


def test_without_captum(finished: Finished, deepen: Deepen, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "captum.attr", None)
    words = ("predict", finished.folder, "--text", "a film", "--explain")
    assert "deepen[diagnosis]" in deepen(*words, "--rung", "full").failed("SettingError")
    assert deepen(*words, "--rung", "lexical").code == 0
    assert deepen("predict", finished.folder, "--text", "a film", "--rung", "full").code == 0


def test_a_model_by_itself(finished: Finished, deepen: Deepen) -> None:
    record = deepen("predict", finished.folder / "model", "--text", "a film", "--explain", "--json").json
    explanation = record["predictions"][0]["explanation"]
    check(explanation, "a film", [record["rung"]])
    assert "without its run" in explanation["notes"][0]


@pytest.fixture(scope="module")
def tagger(tmp_path_factory: pytest.TempPathFactory, tiny_model: Path) -> Path:
    """A run of tagged rows."""
    folder = tmp_path_factory.mktemp("tagger")
    rows = WORLDS["tagging"](240)
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    words = ["--model", tiny_model, "--out", folder / "run", "--rungs", RUNGS, "--json"]
    answer = call("train", folder / "rows.jsonl", *words)
    assert answer.code == 0, answer.err
    return folder / "run"


@pytest.mark.parametrize("rung", RUNGS.split(","))
def test_tagging(tagger: Path, deepen: Deepen, rung: str) -> None:
    texts = ["the good lovely film was broken", "a 好 film with a broken phone, very good", "the room"]
    words = [part for text in texts for part in ("--text", text)]
    record = deepen("predict", tagger, "--rung", rung, *words, "--explain", "--json").json
    num_answers = 0
    for prediction, text in zip(record["predictions"], texts, strict=True):
        check(prediction["explanation"], text, RUNGS.split(","))
        answers = prediction["explanation"]["answers"]
        assert [
            {"start": one["start"], "end": one["end"], "label": one["output"], "score": one["confidence"]}
            for one in answers
        ] == [{key: entity[key] for key in ("start", "end", "label", "score")} for entity in prediction["entities"]]
        num_answers += len(answers)
        for answer in answers:
            for near in answer["analogies"]:
                assert near["agrees"] == (near["label"] == f"B-{answer['output']}")
                assert " " not in near["text"][near["start"] : near["end"]]
        if rung == "lexical":
            for answer in answers:
                top = max(answer["words"], key=lambda word: word["value"])
                assert top["start"] == answer["start"]
                first = answer["analogies"][0]
                assert first["text"][first["start"] : first["end"]] == text[top["start"] : top["end"]]
    assert num_answers >= 3
    if rung != "majority":
        few = deepen(
            "predict", tagger, "--rung", rung, *words, "--explain", "--set", "explain.max_answers=1", "--json"
        ).json
        assert [len(row["explanation"]["answers"]) for row in few["predictions"]] == [
            min(1, len(row["entities"])) for row in record["predictions"]
        ]
        assert any(
            "more are not explained" in note for row in few["predictions"] for note in row["explanation"]["notes"]
        )


def test_nothing_to_explain(tagger: Path, deepen: Deepen) -> None:
    answer = deepen("predict", tagger, "--rung", "lexical", "--text", "the room was", "--explain")
    assert answer.code == 0
    assert "no entity" in answer.out


def test_the_training_rows_are_gone_or_others(
    finished: Finished, deepen: Deepen, tmp_path: Path, tiny_model: Path
) -> None:
    data = tmp_path / "rows.csv"
    shutil.copyfile(finished.data, data)
    assert deepen("train", data, "--model", tiny_model, "--out", "run", "--rungs", "majority,lexical").code == 0
    words = ("predict", "run", "--text", "a film", "--rung", "lexical", "--explain", "--json")
    content = data.read_text()
    data.write_text(content.replace("good", "goods"))
    explanation = deepen(*words).json["predictions"][0]["explanation"]
    assert "have changed since it was made" in explanation["notes"][0]
    assert explanation["answers"][0]["analogies"] == []
    data.unlink()
    assert "can't be read again" in deepen(*words).json["predictions"][0]["explanation"]["notes"][0]
    data.write_text(content)
    kept = deepen(*words).json["predictions"][0]["explanation"]
    assert (len(kept["answers"][0]["analogies"]), kept["notes"]) == (3, [])
    data.unlink()  # what is in the cache by now is still what the model learned from
    assert deepen(*words).json["predictions"][0]["explanation"] == kept


def test_rows_from_python(tiny_model: Path, tmp_path: Path) -> None:
    run = front_door.train(
        WORLDS["classification"](240), model=tiny_model, rungs="majority,lexical", out=tmp_path / "run"
    )
    [explanation] = front_door.load(run).explain(["a good film"])
    assert isinstance(explanation, front_door.Explanation)
    assert "handed over in Python" in explanation.notes[0]
    assert explanation.answers[0].words
