"""Scores of texts beside the libraries that others take: sacreBLEU by itself, rouge-score 0.1.2 by what it gave."""

from __future__ import annotations

import random

import numpy as np
import pytest

from deepen.core.types import Texts, TextTargets
from deepen.evaluation.statistics import paired_bootstrap
from deepen.evaluation.texts import VALUES, rouge, text_scores, text_statistics, words
from deepen.shallow.texts import plain_texts

WORDS = "the cat sat on a mat while dog ran fast".split()
ROUGE = [  # rouge_scorer.RougeScorer without stemming
    ("the cat sat on the mat", "a cat sat on my old mat today", (0.571429, 0.333333, 0.571429)),
    ("We present a new model, fast and small.", "A small, fast model is presented: it's new.", (0.588235, 0, 0.235294)),
    ("it rains", "snow falls", (0, 0, 0)),
]


def world(num: int = 60) -> tuple[Texts, TextTargets]:
    chance = random.Random(0)

    def said(least: int) -> str:
        return " ".join(chance.choices(WORDS, k=chance.randint(least, 9)))

    references = tuple(tuple(said(2) for _ in range(chance.randint(1, 3))) for _ in range(num))
    return plain_texts([said(1) for _ in range(num)]), TextTargets(tuple(said(3) for _ in range(num)), references)


def values(outputs: Texts, targets: TextTargets, **more: object) -> dict[str, float]:
    found = text_scores(outputs, targets, names=list(VALUES), support=True, seed=0)
    return {score.name: score.value for score in found}


def test_bleu_and_chrf_are_those_of_sacrebleu_and_say_how_they_were_computed() -> None:
    import sacrebleu

    outputs, targets = world()
    streams = [[row[at] if at < len(row) else None for row in targets.references] for at in range(3)]
    found = {score.name: score for score in text_scores(outputs, targets, names=list(VALUES), support=False, seed=0)}
    assert found["bleu"].value == pytest.approx(sacrebleu.corpus_bleu(list(outputs.texts), streams).score, abs=1e-9)
    assert found["chrf"].value == pytest.approx(sacrebleu.corpus_chrf(list(outputs.texts), streams).score, abs=1e-9)
    assert "tok:13a" in (found["bleu"].signature or "")
    assert found["rougeL"].signature is None
    assert found["bleu"].low < found["bleu"].value < found["bleu"].high


def test_no_four_words_in_a_row_is_smoothed_as_sacrebleu_does() -> None:
    import sacrebleu

    said, right = ["the cat ran on"], [("the cat sat on",)]
    found = values(plain_texts(said), TextTargets(("x",), tuple(right)))
    assert found["bleu"] == pytest.approx(sacrebleu.corpus_bleu(said, [[right[0][0]]]).score, abs=1e-9)


@pytest.mark.parametrize(("answer", "reference", "right"), ROUGE)
def test_rouge(answer: str, reference: str, right: tuple[float, ...]) -> None:
    assert rouge(words(answer), words(reference)) == pytest.approx(right, abs=1e-6)


def test_chinese_is_scored_by_characters() -> None:
    found = values(plain_texts(["基于图的摘要"]), TextTargets(("基于图的自动摘要方法",), (("基于图的自动摘要",),)))
    assert found["rouge1"] == pytest.approx(2 * 6 / (6 + 8))
    assert found["support"] == 1.0


def test_of_several_references_the_best_counts() -> None:
    right = TextTargets(("a", "a"), (("no word of it", "the cat sat"), ("the dog", "nothing")))
    found = values(plain_texts(["the cat sat", "the dog"]), right)
    assert found["rougeL"] == found["exact_match"] == 1.0


def test_what_the_right_answer_costs() -> None:
    nats = np.array([2.0, 4.0])
    outputs = Texts(("a", "b"), np.ones(2), np.ones(2), ("end", "end"), nats, np.array([2, 1]))
    found = values(outputs, TextTargets(("", ""), (("abcd",), ("ab",))))
    assert found["perplexity"] == pytest.approx(np.exp(6 / 3))
    assert found["bits_per_byte"] == pytest.approx(6 / np.log(2) / 6)
    assert "perplexity" not in values(plain_texts(["a", "b"]), TextTargets(("", ""), (("abcd",), ("ab",))))


def test_the_same_answer_always_is_not_distinct() -> None:
    found = values(plain_texts(["so it is"] * 4), TextTargets(("",) * 4, (("so it was",),) * 4))
    assert found["distinct_1"] == pytest.approx(3 / 12)
    assert found["distinct_2"] == pytest.approx(2 / 8)


def test_two_models_are_compared_on_the_same_rows() -> None:
    outputs, targets = world()
    better = plain_texts([row[0] for row in targets.references])
    gain = paired_bootstrap(
        text_statistics(better, targets), text_statistics(outputs, targets), VALUES["rougeL"], seed=0
    ).interval
    assert 0 < gain.low < gain.value < 1


def test_texts_are_kept_in_a_file_and_read_again(tmp_path: object) -> None:
    outputs = Texts(("a\n好", ""), np.array([0.5, np.nan]), np.array([3, 0]), ("end", "limit"), np.ones(2), np.ones(2))
    again = Texts.of_arrays(outputs.arrays())
    assert again.texts == outputs.texts
    assert again.stopped == outputs.stopped
    with pytest.raises(ValueError, match="other texts"):
        Texts.of_arrays(outputs.arrays() | {"nats_N": np.array([np.inf, 1])})
