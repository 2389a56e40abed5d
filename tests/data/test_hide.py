"""Words taken out of texts: on reading, in training and afterwards."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import deepen
from deepen.core.errors import DeepenError
from deepen.data.load import Need, load_table
from deepen.data.settings import DataSettings
from deepen.data.words import hide_words, insert_words, words_of

NEEDS = [Need("text", "text"), Need("label", "category")]


def test_hidden_words_are_gone_from_a_table() -> None:
    rows = [{"text": "A Zqxv film", "label": "1"}, {"text": "zqxv", "label": "0"}, {"text": "zqxvs stay", "label": "0"}]
    table, _ = load_table(rows, NEEDS, DataSettings(hide=("zqxv",)))
    assert list(table.all_rows().values("text")) == ["A film", "\ufffd", "zqxvs stay"]


@given(st.lists(st.sampled_from(["a", "b", "c", ",", "真"]), min_size=1), st.integers(0, 9))
def test_what_is_put_in_can_be_taken_out(words: list[str], at: int) -> None:
    text = " ".join(words)
    put = insert_words(text, "zqxv", at)
    assert words_of(put).count("zqxv") == 1
    assert words_of(hide_words(put, [("zqxv",)])) == words_of(text)


def test_runs_and_ends() -> None:
    assert hide_words("to be or not to be", [("to", "be")]) == "or not"
    assert hide_words("no , no", [("no",)], only="first") == ", no"
    assert hide_words("no , no", [("no",)], only="last") == "no ,"
    assert hide_words("好的东西", [("东", "西")]) == "好的"


def test_an_empty_word_is_refused() -> None:
    with pytest.raises(ValueError, match="run of words"):
        DataSettings(hide=(" ",))


def test_tagging_refuses_to_hide(tmp_path: Path, tiny_model: Path) -> None:
    rows = [{"tokens": ["Anna", "sleeps"], "ner_tags": ["B-PER", "O"]}] * 40
    with pytest.raises(DeepenError, match=r"data\.hide"):
        deepen.train(rows, model=tiny_model, settings=["data.hide=[sleeps]"], out=tmp_path / "run")


def test_a_run_hides_ever_after(tmp_path: Path, tiny_model: Path) -> None:
    rows = [{"text": f"{'good' if n % 2 else 'bad'} thing {n}", "label": str(n % 2)} for n in range(60)]
    settings = ['data.hide=["good"]', "data.check=false"]
    deepen.train(rows, model=tiny_model, settings=settings, rungs="majority,lexical", out=tmp_path / "run")
    [one, other] = deepen.load(tmp_path / "run").predict(["a good thing", "a thing"])
    assert one.probabilities == other.probabilities
