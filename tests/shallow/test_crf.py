from __future__ import annotations

import itertools
import random
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from deepen.core.errors import SettingError
from deepen.core.settings import parse
from deepen.shallow.crf import count_tags, features, fit_field, load_field, load_word_tags, log_marginals
from deepen.shallow.tfidf import LexicalSettings

Rows = list[list[str]]


def tokens(part: Rows) -> Iterator[list[str]]:
    yield from part


def planted(num: int, seed: int = 0) -> tuple[Rows, list[np.ndarray]]:
    """A word after `in` that ends in -burg is a place of two words with the next."""
    chance = random.Random(seed)
    rows, labels = [], []
    for _ in range(num):
        row = chance.choices("the cat sat on a mat".split(), k=5)
        tags = [0] * 5
        if chance.random() < 0.7:
            row += ["in", chance.choice("ABCDEFGH") + chance.choice("aeiou") + "burg", "East"]
            tags += [0, 1, 2]
        rows.append(row)
        labels.append(np.array(tags))
    return rows, labels


def test_log_marginals_are_those_of_all_sequences() -> None:
    chance = np.random.default_rng(0)
    states = [chance.normal(size=(length, 3)) for length in (4, 2, 1)]
    transition = chance.normal(size=(3, 3))
    for state, found in zip(states, log_marginals(states, transition), strict=True):
        total = np.zeros_like(state)
        for path in itertools.product(range(3), repeat=len(state)):
            score = state[np.arange(len(path)), path].sum()
            score += sum(transition[a, b] for a, b in itertools.pairwise(path))
            total[np.arange(len(path)), path] += np.exp(score)
        np.testing.assert_allclose(np.exp(found), total / total.sum(1, keepdims=True), rtol=1e-9)


@pytest.mark.parametrize("name", ["word_ngrams", "char_ngrams"])
@pytest.mark.parametrize("value", [[0, 2], [3, 2], [1, 11], [-1, -1]])
def test_runs_of_words_and_characters_go_from_short_to_long(name: str, value: list[int]) -> None:
    with pytest.raises(SettingError, match=rf"'{name}' is \[.*the shortest and the longest, from 1 to 10"):
        parse(LexicalSettings, {name: value})
    assert parse(LexicalSettings, {name: [1, 10]})


def test_it_learns_and_is_what_crfsuite_says(tmp_path: Path) -> None:
    pycrfsuite = pytest.importorskip("pycrfsuite")
    rows, labels = planted(300)
    held, right = planted(50, seed=1)
    settings = LexicalSettings(min_rows=1, max_iterations=30)
    field = fit_field(tokens, rows, labels, 3, settings)
    outputs = field.predict(held)
    assert (outputs.values_MC.argmax(1) == np.concatenate(right)).mean() > 0.99
    np.testing.assert_allclose(np.exp(outputs.values_MC).sum(1), 1, atol=1e-5)
    trainer = pycrfsuite.Trainer(verbose=False)
    trainer.set_params({"c1": settings.tag_l1, "c2": settings.tag_l2, "max_iterations": 30})
    trainer.set_params({"feature.possible_transitions": True})
    seen: dict[str, int] = {}  # the same names in the same order, so the same sums to the bit
    number = lambda row: [[str(seen.setdefault(n, len(seen))) for n in names] for names in features(row)]  # noqa: E731
    for row, tags in zip(rows, labels, strict=True):
        trainer.append(number(row), [str(tag) for tag in tags])
    trainer.train(str(tmp_path / "crf"))
    tagger = pycrfsuite.Tagger()
    tagger.open(str(tmp_path / "crf"))
    theirs = []
    for row in held:
        tagger.set(number(row))
        theirs += [[tagger.marginal(str(tag), at) for tag in range(3)] for at in range(len(row))]
    np.testing.assert_allclose(np.exp(outputs.values_MC), theirs, atol=1e-4)


def test_saved_and_read_again(tmp_path: Path) -> None:
    pytest.importorskip("pycrfsuite")
    rows, labels = planted(60)
    field = fit_field(tokens, rows, labels, 3, LexicalSettings(max_iterations=10))
    words = count_tags(tokens, rows, np.concatenate(labels), 3)
    for model, load in ((field, load_field), (words, load_word_tags)):
        before = model.predict(rows).values_MC
        model.calibrate(2.0)
        model.save(tmp_path / load.__name__)
        again = load(tmp_path / load.__name__, tokens).predict([*rows, ["new", "words"]])
        np.testing.assert_allclose(again.values_MC[: len(before)], before / 2, rtol=1e-5)
        assert {path.suffix for path in (tmp_path / load.__name__).iterdir()} == {".json", ".safetensors"}


def test_majority_says_the_most_frequent_tag_of_each_word() -> None:
    model = count_tags(tokens, [["a", "b", "a", "a"], ["c"]], np.array([1, 2, 1, 0, 0]), 3)
    assert model.predict([["a", "b", "new"]]).values_MC.argmax(1).tolist() == [1, 2, 0]


def test_without_crfsuite_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pycrfsuite", None)
    with pytest.raises(SettingError, match=r"pip install deepen\[tagging\]"):
        fit_field(tokens, [["a"]], [np.array([0])], 1, LexicalSettings())


def test_chinese_features_are_n_grams() -> None:
    found: Any = features(list("我在京"))
    assert {"w=在", "b-=我|在", "t0=我|在|京"} <= set(found[1])
    assert not any(name.startswith("e1") for name in found[1])
    assert {"e3=don", "s0=Xx"} <= set(features(["London", "x"])[0])
