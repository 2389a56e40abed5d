"""A decoder that is asked: what it says is what transformers says of the same prompt, and labels start level."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from tests.worlds import WORLDS
from tokenizers import Tokenizer, normalizers
from tokenizers.models import Unigram

import deepen
from deepen.core.errors import SettingError
from deepen.models.decoder import word_vectors
from deepen.models.load import load_encoder
from deepen.preparation.prepare import prepare
from deepen.preparation.read import Sources
from deepen.preparation.recipe import make_recipe
from deepen.problem.work import Work
from deepen.prompting.decoder import PromptedClassifier, answer_tokens, templates
from deepen.prompting.likelihood import Answers, log_likelihoods
from deepen.rungs import few_shot, zero_shot


def work_of(num: int, model: Path, folder: Path, task: str = "classification", **more: Any) -> Work:
    values = {"task": task, "data": {"validation_at_least": 30}, "model": {"name": str(model)}, **more}
    return prepare(make_recipe(values), Sources(WORLDS[task](num)), folder, say=lambda line: None).work


@pytest.mark.parametrize(
    ("answers", "tails"),
    [
        ([(7,), (8,)], [()]),
        ([(7,), (8, 9), (8, 10, 11)], [(8, 10)]),
        ([(7, 8), (9, 10, 11), (12,)], [(7,), (9, 10)]),
    ],
)
def test_likelihoods_are_those_of_transformers(tiny_decoder: Path, answers: Any, tails: Any) -> None:
    from transformers import AutoModelForCausalLM

    whole, decoder = AutoModelForCausalLM.from_pretrained(tiny_decoder).eval(), load_encoder(tiny_decoder).eval()
    prompts = [np.array([5, 6, 20, 21]), np.array([30]), np.arange(5, 60)]
    asked = Answers(tuple(answers))
    assert list(asked.tails) == tails
    found = log_likelihoods(decoder, word_vectors(decoder, tiny_decoder), prompts, asked)
    for row, prompt in enumerate(prompts):
        for column, answer in enumerate(answers):
            ids = torch.tensor([*prompt, *answer])
            with torch.inference_mode():
                logs = whole(ids[None]).logits[0].log_softmax(-1)
            right = [float(logs[len(prompt) - 1 + n, token]) for n, token in enumerate(answer)]
            assert found[row, column] == pytest.approx(np.mean(right), abs=1e-4)


def test_the_prompt_is_what_was_asked_for(tiny_decoder: Path, tmp_path: Path) -> None:
    """No special token after the prompt; braces in a text are text; the chat template is around it, if there is one."""
    work = work_of(90, tiny_decoder, tmp_path)
    found = zero_shot.climb(work, zero_shot.RungSettings(prompt="say {text} is {labels} :"), None).predictor
    assert isinstance(found, PromptedClassifier)
    assert found._prompt("a {labels} {text}", ()) == "say a {labels} {text} is bad, good :"
    backend = found.tokenizer.backend
    assert backend.decode(found._ids("good film"), skip_special_tokens=False) == "[CLS] good film"
    chat = "{% for m in messages %}user {{ m['content'] }} {% endfor %}answer"
    model = tmp_path / "chat"
    model.mkdir()
    for file in tiny_decoder.iterdir():
        (model / file.name).write_bytes(file.read_bytes())
    (model / "chat_template.jinja").write_text(chat, encoding="utf-8")
    talks = work_of(90, model, tmp_path / "two")
    for settings, right in (
        (zero_shot.RungSettings(prompt="{text} ?", chat=True), "user good ? answer"),
        (zero_shot.RungSettings(prompt="{text} ?"), "good ?"),
    ):
        said = zero_shot.climb(talks, settings, None).predictor
        assert isinstance(said, PromptedClassifier)
        assert said._prompt("good", ()) == right
        assert said.asking.special == (not settings.chat)


def test_the_question_is_that_of_the_labels(tiny_decoder: Path, tmp_path: Path) -> None:
    work = work_of(90, tiny_decoder, tmp_path)
    assert templates(work.problem, ("Positive", "negative"))["zero_shot"].endswith("Review: {text}\nSentiment:")
    assert templates(work.problem, ("positive", "sports"))["zero_shot"].endswith("Text: {text}\nLabel:")


def test_descriptions_go_into_the_question(tiny_decoder: Path, tmp_path: Path) -> None:
    work = work_of(90, tiny_decoder, tmp_path)
    told = replace(work.problem, descriptions={"good": "it is liked", "gone": "no label here"})
    work, bare = replace(work, problem=told), work
    start = "good: it is liked\n\n"
    for module, settings, more in (
        (zero_shot, zero_shot.RungSettings(), ""),
        (zero_shot, zero_shot.RungSettings(descriptions={"bad": ("one", "two")}), "bad: one; two\n"),
        (few_shot, few_shot.RungSettings(trial_rows=0), ""),
    ):
        found = module.climb(work, settings, None).predictor
        assert isinstance(found, PromptedClassifier)
        assert found._prompt("fine", ()).startswith(f"{more}{start}Text: fine")
    bare = zero_shot.climb(bare, zero_shot.RungSettings(), None).predictor
    assert isinstance(bare, PromptedClassifier)
    assert bare._prompt("fine", ()) == "Text: fine\nLabel:"


def test_labels_start_level_and_rows_teach_nothing(tiny_decoder: Path, tmp_path: Path) -> None:
    work = work_of(90, tiny_decoder, tmp_path)
    found = zero_shot.climb(work, zero_shot.RungSettings(), None)
    assert isinstance(found.predictor, PromptedClassifier)
    nothing = zero_shot.RungSettings().content_free
    level = found.predictor.scores(nothing, [()] * 3).mean(0) + np.array(found.predictor.asking.bias)
    np.testing.assert_allclose(level, 0, atol=1e-5)
    bare = zero_shot.climb(work, zero_shot.RungSettings(centred=False), None)
    assert bare.num_trained_parameters == 0
    moved = found.validation.values_MC - bare.validation.values_MC
    np.testing.assert_allclose(moved, np.tile(moved[0], (len(moved), 1)), atol=1e-5)


def test_a_climb_saved_and_read_again(tiny_decoder: Path, tmp_path: Path) -> None:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    rows = WORLDS["classification"](120)
    run = deepen.train(
        rows,
        model=tiny_decoder,
        out=tmp_path / "run",
        rungs=["zero_shot", "frozen"],
        settings=["data.validation_at_least=30"],
    )
    assert [row["status"] for row in run.ladder["rungs"]] == ["done", "done"], "frozen does not start from it"
    model = deepen.load(run, rung="zero_shot")
    said = model.predict([row["text"] for row in rows[:5]])
    model.predictor.save(tmp_path / "again")
    other = zero_shot.load(tmp_path / "again", model.task, model.labels)
    part = model.read([row["text"] for row in rows[:5]])
    np.testing.assert_allclose(other.predict(part).values_MC, model.predictor.predict(part).values_MC, atol=1e-6)
    assert all(one.output in model.labels for one in said)
    assert model.evaluate(rows)[0].value >= 0
    folder = run.rung("zero_shot") / "model" / "decoder"
    whole, tokenizer = AutoModelForCausalLM.from_pretrained(folder), AutoTokenizer.from_pretrained(folder)
    assert whole(input_ids=tokenizer("good", return_tensors="pt")["input_ids"]).logits.shape[0] == 1
    assert model.explain([rows[0]["text"]])[0].answers[0].method == "leave_one_out"


@pytest.mark.parametrize(
    ("settings", "error"),
    [
        ({"words": {"god": ["good"]}}, "'god' is no label; did you mean 'good'"),
        ({"words": {"good": ["12"]}}, "'good' is no word to ask for"),
        ({"words": {"good": ["bad"]}}, "two labels have the same words"),
    ],
)
def test_words_that_say_nothing(tiny_decoder: Path, tmp_path: Path, settings: Any, error: str) -> None:
    with pytest.raises(SettingError, match=error):
        zero_shot.climb(work_of(90, tiny_decoder, tmp_path), zero_shot.RungSettings(**settings), None)


def test_words_follow_the_prompt_where_a_vocabulary_marks_the_start_of_a_text() -> None:
    """As in Llama 2: alone, a word with a space before it would get a mark of its own."""
    marked = [
        "<unk>",
        "▁",
        "▁Sentiment",
        "▁positive",
        "▁negative",
        ":",
        "情",
        "感",
        "体",
        "育",
        "：",
        "\n",
        "▁情",
        "▁体",
    ]
    backend = Tokenizer(Unigram([(piece, -1.0) for piece in marked], unk_id=0))
    backend.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    tokenizer: Any = SimpleNamespace(backend=backend)

    def pieces(prompt: str, *words: str) -> list[list[str]]:
        return [[marked[token] for token in answer] for answer in answer_tokens(tokenizer, prompt, words)]

    assert [marked[token] for token in backend.encode(" positive").ids] == ["▁", "▁positive"]
    assert pieces("{text} Sentiment:", "positive", "negative") == [["▁positive"], ["▁negative"]]
    assert pieces("{text}情感：", "体育") == [["体", "育"]]
    assert pieces("{text}", "positive") == [["▁", "▁positive"]]


@pytest.mark.parametrize(
    ("module", "settings", "lacks"),
    [
        (zero_shot, zero_shot.RungSettings(prompt="is it good ?"), r"rungs\.zero_shot\.prompt has no \{text\}"),
        (few_shot, few_shot.RungSettings(prompt="{text} :"), r"rungs\.few_shot\.prompt has no \{examples\}"),
        (few_shot, few_shot.RungSettings(example="{text} ."), r"rungs\.few_shot\.example has no \{label\}"),
    ],
)
def test_a_prompt_without_a_place_for_the_text_is_refused(
    tiny_decoder: Path, tmp_path: Path, module: Any, settings: Any, lacks: str
) -> None:
    with pytest.raises(SettingError, match=lacks):
        module.climb(work_of(90, tiny_decoder, tmp_path), settings, None)


def test_a_forecast_counts_how_often_a_prompt_is_read(tiny_decoder: Path, tmp_path: Path) -> None:
    work = work_of(90, tiny_decoder, tmp_path)
    one = few_shot.forecast(work, few_shot.RungSettings(verbalizer={"good": ("good",), "bad": ("bad",)}))
    two = few_shot.forecast(work, few_shot.RungSettings(verbalizer={"good": ("good film",), "bad": ("bad film",)}))
    assert one is not None
    assert two is not None
    assert two > 1.5 * (one - 5)
