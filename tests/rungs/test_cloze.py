"""A masked language model is asked for the label's word: as pretraining left it, and after some labelled rows."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.worlds import WORLDS

import deepen
from deepen.core.errors import ModelError, SettingError
from deepen.finetuning.predictor import EncoderPredictor
from deepen.models.load import load_encoder
from deepen.preparation.prepare import prepare
from deepen.preparation.read import Sources
from deepen.preparation.recipe import make_recipe
from deepen.problem.work import Work
from deepen.prompting.cloze import ClozeSettings, pieces_of, question_of
from deepen.rungs import cloze, zero_shot

PATTERN = "{} it was [MASK] ."
TURNED = {"good": ("bad",), "bad": ("good",)}


def work_of(model: Path, folder: Path, num: int = 24, task: str = "classification", **more: Any) -> Work:
    values = {"task": task, "model": {"name": str(model)}, **more}
    held = WORLDS[task](300)[200:]
    return prepare(make_recipe(values), Sources(WORLDS[task](num), held), folder, say=lambda line: None).work


def accuracy(work: Work, found: Any) -> float:
    return work.problem.task.score(found.validation, work.problem.validation_targets)


def test_what_pretraining_left_answers(tiny_masked: Path, tiny_model: Path, tmp_path: Path) -> None:
    """Right with its words, wrong with those of the other label; nothing is learned, and no label is looked at."""
    work = work_of(tiny_masked, tmp_path)
    found = zero_shot.climb(work, zero_shot.RungSettings(template=PATTERN), None)
    assert found.ran["form"] == "cloze", "auto asks where the model has the head"
    assert found.ran["verbalizer"] == {"bad": ["bad"], "good": ["good"]}, "labels' names, which are words"
    assert accuracy(work, found) > 0.9
    assert (
        accuracy(work, zero_shot.climb(work, zero_shot.RungSettings(template=PATTERN, verbalizer=TURNED), None)) < 0.1
    )
    said = found.predictor.predict(work.problem.train).values_MC
    np.testing.assert_allclose(said.mean(0), 0, atol=1e-3)
    bare = work_of(tiny_model, tmp_path / "bare")
    assert zero_shot.climb(bare, zero_shot.RungSettings(), None).ran == {}, "no head: by similarity"
    with pytest.raises(SettingError, match="'goood' is no label"):  # and not by similarity, without a word
        zero_shot.climb(work, zero_shot.RungSettings(verbalizer={"goood": ("good",)}), None)
    for chosen in ({"descriptions": {"good": ("fine",)}}, {"templates": ("{}",)}, {"form": "similarity"}):
        assert zero_shot.climb(work, zero_shot.RungSettings.model_validate(chosen), None).ran == {}


def test_rungs_for_few_rows_do_not_end_a_climb(tiny_masked: Path, tmp_path: Path) -> None:
    """What `cloze` gains over `contrastive` says nothing of what depth pays."""
    rows = WORLDS["classification"](300)
    short = ["rungs.contrastive.examples_seen=300", "rungs.cloze.examples_seen=64", "rungs.cloze.learning_rate=1e-9"]
    run = deepen.train(rows[:24], validation=rows[200:], out=tmp_path / "run", model=tiny_masked, settings=short)
    done = {row["rung"]: row["status"] for row in run.ladder["rungs"]}
    assert done["contrastive"] == done["cloze"] == done["frozen"] == done["top_layers"] == "done"


def test_a_finished_run_says_so_again(tiny_masked: Path, tmp_path: Path) -> None:
    """Its recipe says what was asked, which the one it was begun with left open."""
    rows, lines = WORLDS["classification"](300), list[str]()
    recipe = tmp_path / "my.yaml"
    recipe.write_text("task: classification\nladder: {rungs: [zero_shot]}\n", encoding="utf-8")
    given: dict[str, Any] = {"validation": rows[200:], "out": tmp_path / "run", "model": tiny_masked, "recipe": recipe}
    first = deepen.train(rows[:24], **given)
    assert first.ladder["rungs"][0]["rung"] == "zero_shot"
    again = deepen.train(rows[:24], **given, resume=True, say=lines.append)
    assert "complete" in " ".join(lines)
    assert again.ladder == first.ladder


@pytest.mark.parametrize("method", ["full", "lora"])
def test_it_learns_from_few_rows(tiny_masked: Path, tmp_path: Path, method: str) -> None:
    """Starting from the wrong words, which it has to unlearn; and the model folder says the same."""
    work = work_of(tiny_masked, tmp_path, tuning=method, tunings={method: {"learning_rate": 2e-3}})
    how = cloze.RungSettings(template=PATTERN, verbalizer=TURNED, examples_seen=1000, head_learning_rate=1e-3)
    found = cloze.climb(work, how, None)
    assert accuracy(work, found) > 0.9
    assert isinstance(found.predictor, EncoderPredictor)
    before = load_encoder(tiny_masked).layers[0].state_dict()
    after = found.predictor.network.encoder.layers[0].state_dict()
    assert any(not np.array_equal(value, after[name]) for name, value in before.items())
    found.predictor.save(tmp_path / "model")
    again = cloze.RUNG.load(tmp_path / "model", work.problem.task, work.problem.labels)
    np.testing.assert_allclose(
        again.predict(work.problem.validation).values_MC,
        found.predictor.predict(work.problem.validation).values_MC,
        atol=1e-5,
    )
    assert (tmp_path / "model" / "adapter").is_dir() == (method == "lora")
    (tmp_path / "model" / "form.json").write_text('{"pattern": "{}"}', encoding="utf-8")
    with pytest.raises(ModelError, match=r"form\.json is damaged"):
        cloze.RUNG.load(tmp_path / "model", work.problem.task, work.problem.labels)


def test_one_seed_one_result(tiny_masked: Path, tmp_path: Path) -> None:
    settings = cloze.RungSettings(template=PATTERN, examples_seen=200)
    said = [cloze.climb(work_of(tiny_masked, tmp_path / name), settings, None).validation for name in ("one", "two")]
    np.testing.assert_array_equal(said[0].values_MC, said[1].values_MC)


def test_a_climb_takes_it_where_rows_are_few_and_the_model_has_the_head(
    tiny_masked: Path, tiny_model: Path, tmp_path: Path
) -> None:
    assert cloze.suits(work_of(tiny_masked, tmp_path / "few", 60))
    assert not cloze.suits(work_of(tiny_masked, tmp_path / "many", 61))
    assert not cloze.suits(work_of(tiny_model, tmp_path / "headless", 24))
    numbers = [row | {"label": str(at % 2)} for at, row in enumerate(WORLDS["classification"](40))]
    values = {"task": "classification", "model": {"name": str(tiny_masked)}}
    work = prepare(make_recipe(values), Sources(numbers, numbers), tmp_path / "0", say=lambda line: None).work
    assert not cloze.suits(work), "0 and 1 are no words"
    with pytest.raises(SettingError, match="'0' is no word"):
        zero_shot.climb(work, zero_shot.RungSettings(form="cloze"), None)
    assert zero_shot.climb(work, zero_shot.RungSettings(), None).ran == {}


def test_a_run_from_end_to_end(tiny_masked: Path, tmp_path: Path) -> None:
    rows = WORLDS["classification"](70)
    given: dict[str, Any] = {"model": tiny_masked, "out": tmp_path / "run"}
    steps = ["rungs.cloze.examples_seen=300", "rungs.top_layers.num_epochs=1", f"rungs.cloze.template={PATTERN}"]
    run = deepen.train(rows, rungs=["zero_shot", "cloze", "top_layers"], settings=steps, **given)
    assert [row["status"] for row in run.ladder["rungs"]] == ["done"] * 3, "a rung above starts from neither"
    model = deepen.load(run, rung="cloze")
    assert model.predict(["the room was awful"])[0].output == "bad"
    explained = model.explain(["the room was awful"])[0].answers[0]
    assert explained.method == "leave_one_out"
    assert max(explained.words, key=lambda word: word.value).text == "awful"
    told = json.loads((tmp_path / "run" / "rungs" / "cloze" / "model" / "form.json").read_text())
    assert told == {"pattern": PATTERN, "masks": 1}
    again = deepen.train(recipe=run.folder / "recipe.yaml", data=rows, out=tmp_path / "again")
    assert again.ladder["rungs"][1]["score"] == run.ladder["rungs"][1]["score"]
    only = deepen.train(rows, rungs=["cloze"], settings=steps, model=tiny_masked, out=tmp_path / "only")
    card = (only.folder / "model" / "README.md").read_text(encoding="utf-8")
    assert PATTERN in card
    assert "SentenceTransformer" not in card


def test_words_come_from_settings_descriptions_and_names(tiny_masked: Path, tmp_path: Path) -> None:
    file = tmp_path / "labels.tsv"
    file.write_text("0\tpoor_one\tawful\n1\tfine_one\n", encoding="utf-8")
    rows = [row | {"label": str(at % 2)} for at, row in enumerate(WORLDS["classification"](60))]
    given: dict[str, Any] = {"model": tiny_masked, "labels": file, "out": tmp_path / "run", "rungs": ["zero_shot"]}
    ran = deepen.train(rows, **given).ladder["rungs"][0]["ran"]
    assert ran["verbalizer"] == {"fine_one": ["fine one"], "poor_one": ["awful"]}
    work = work_of(tiny_masked, tmp_path / "two")
    asked = question_of(work, ClozeSettings(template=PATTERN, verbalizer={"good": ("good", "fine one")}))
    assert asked.cloze.num_masks == len(pieces_of(work.base.model.tokenizer, "fine one", PATTERN)) > 1
    assert asked.words == {"bad": ("bad",), "good": ("good", "fine one")}
    found = zero_shot.climb(
        work, zero_shot.RungSettings(template=PATTERN, verbalizer={"good": ("good", "great")}), None
    )
    assert accuracy(work, found) > 0.9


def test_what_it_is_not_for(tiny_masked: Path, tiny_model: Path, tmp_path: Path) -> None:
    def refused(match: str, model: Path = tiny_masked, task: str = "classification", **given: Any) -> None:
        with pytest.raises(SettingError, match=match):
            cloze.climb(work_of(model, tmp_path / match[:9], 40, task), cloze.RungSettings(**given), None)

    refused("one label a row", task="tagging")
    refused("no masked-LM head", model=tiny_model)
    refused("'goood' is no label", verbalizer={"goood": ("fine",)})
    refused("lacks '\u2603'", verbalizer={"good": ("\u2603",)})
    refused("have the same words", verbalizer={"good": ("fine",), "bad": ("fine",)})
    refused("once", pattern="{} and nothing")


def test_patterns_and_words_follow_language_and_labels(tiny_masked: Path, tmp_path: Path) -> None:
    def asked(texts: tuple[str, str], labels: tuple[str, str]) -> str:
        rows = [{"text": f"{texts[at % 2]} {at}", "label": labels[at % 2]} for at in range(40)]
        values = {"task": "classification", "model": {"name": str(tiny_masked)}}
        folder = tmp_path / "".join(labels)
        work = prepare(make_recipe(values), Sources(rows, rows), folder, say=lambda line: None).work
        return question_of(
            work, ClozeSettings(verbalizer={name: (("good", "bad")[at],) for at, name in enumerate(labels)})
        ).cloze.pattern

    english, chinese = ("a film", "a room"), ("酒店位置好房间干净", "服务很差没有下次了")
    assert asked(english, ("positive", "Negative")) == "{} It was [MASK]."
    assert asked(english, ("film", "room")) == "{} This text is about [MASK]."
    assert asked(chinese, ("好评", "差评")) == "{}总之很[MASK]。"
    assert asked(chinese, ("体育", "财经")) == "{}这段话说的是[MASK]。"


def test_words_of_several_pieces_are_the_mean_of_the_pretrained_logits(tiny_masked: Path, tmp_path: Path) -> None:
    import torch
    from transformers import AutoModelForMaskedLM

    work = work_of(tiny_masked, tmp_path)
    words = {"good": ("good", "lovely seat"), "bad": ("zebra",)}
    how = zero_shot.RungSettings(template="[MASK] : {}", verbalizer=words, centred=False)
    found = zero_shot.climb(work, how, None).predictor.predict(work.problem.validation).values_MC[0]
    read, model = work.base.model.tokenizer, AutoModelForMaskedLM.from_pretrained(tiny_masked).eval()
    pieces = {name: [pieces_of(read, word, "[MASK] : {}") for word in some] for name, some in words.items()}
    most = max(len(word) for some in pieces.values() for word in some)
    assert most > 1
    text = next(work.problem.validation.take(np.array([0])).values("text"))
    ids = read.backend.encode(f"{'[MASK]' * most} : {text}").ids
    with torch.no_grad():
        logits = model(input_ids=torch.tensor([ids])).logits[0, 1 : 1 + most]
    for label, name in enumerate(work.problem.labels):
        right = np.mean([np.mean([float(logits[at, piece]) for at, piece in enumerate(word)]) for word in pieces[name]])
        assert found[label] == pytest.approx(right, abs=1e-4)
