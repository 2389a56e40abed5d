from __future__ import annotations

import random
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.data.reading import read, rows

from deepen.core.errors import DataError
from deepen.data.load import DataSettings, Need, load_table, look
from deepen.data.readers.lines import is_numbering, line_form
from deepen.data.source import Fault
from deepen.tasks import multilabel

Write = Callable[..., str]
RNG = random.Random(3)
NOUNS = "lamp chair kettle radio jacket mug shelf tent".split()


def said(at: int) -> str:
    return f"{RNG.choice(NOUNS)} is {RNG.choice(('fine', 'dull', 'slow'))} no {at}"


@pytest.mark.parametrize("start", ["1", "-1", "0", "+1", "3 qid:7"])
def test_numbered_features_are_no_text(write: Write, start: str) -> None:
    body = "".join(f"{start} {at % 3 + 1}:0.{at} 7:{at}.5 # a note\n" for at in range(30))
    with pytest.raises(DataError, match=r"^a\.svm holds lines of a label and numbered features \(libsvm\), no text"):
        read(write("a.svm", body))


def test_rows_of_decimals_are_no_text(write: Write) -> None:
    with pytest.raises(DataError, match="holds rows of numbers, no text"):
        read(write("a.txt", "".join(f"{at % 2} 0.{at} 1.5 {at}.25\n" for at in range(30))))


def test_a_numbering_is_no_label(write: Write) -> None:
    body = "".join(f"{at} {said(at)}\n" for _ in range(9) for at in range(1, 8))
    assert look(write("a.txt", body), DataSettings()).names is None
    assert is_numbering("1 2 3 1 2 1 2 3 4".split())
    assert not is_numbering("0 1 1 0 0 1 1 0 1".split())


@given(labels=st.lists(st.integers(0, 4), min_size=40, max_size=80))
def test_labels_drawn_by_chance_are_no_numbering(labels: list[int]) -> None:
    assert (
        not is_numbering([str(label) for label in labels])
        or sum(after == before + 1 for before, after in pairwise(labels)) * 2 >= len(labels) - 1
    )


@pytest.mark.parametrize("openers", [["i", "my"], ["I", "The"], ["this", "it", "we"], ["ich", "der"]])
def test_words_that_open_sentences_are_no_labels(write: Write, openers: list[str]) -> None:
    lines = [f"{openers[at % len(openers)]} {said(at)}" for at in range(60)]
    assert look(write("a.txt", "\n".join(lines)), DataSettings()).names is None
    parted = "\n".join(f"{line};{('joy', 'fear')[at % 2]}" for at, line in enumerate(lines))
    source = look(write("b.txt", parted), DataSettings())
    assert source.width == 2
    assert {cells[1] for cells in source.sample} == {"joy", "fear"}


def test_words_taken_for_labels_are_warned_of_where_texts_have_them(write: Write) -> None:
    lines = [f"{('play', 'stop')[at % 2]} {said(at)} then play" for at in range(60)]
    source = look(write("a.txt", "\n".join(lines)), DataSettings())
    assert source.names == ("label", "text")
    assert "the first word of every line is taken for its label (play, stop)" in source.warnings[0]
    assert not look(
        write("b.txt", "\n".join(f"{('pos', 'neg')[at % 2]} {said(at)}" for at in range(60))), DataSettings()
    ).warnings


def test_several_labels_of_fasttext(write: Write) -> None:
    lines = [f"__label__a {'__label__b ' * (at % 3 == 0)}{said(at)}\n" for at in range(30)]
    name = write("a.txt", "".join(lines))
    source = look(name, DataSettings())
    claim = multilabel.TASK.recognise(source)
    assert claim is not None
    assert "lists of labels" in claim.reason
    assert any("with several labels" in note for note in source.notes)
    found, _ = load_table(name, multilabel.NEEDS, DataSettings())
    assert [target for *_, target in rows(found)][:2] == [["a", "b"], ["a"]]
    one = write("b.txt", "".join(f"__label__{'ab'[at % 2]} {said(at)}\n" for at in range(30)))
    assert {label for _, label in rows(read(one))} == {"a", "b"}


def test_prose_with_a_comma_a_line_is_no_table(write: Write) -> None:
    lines = [f"a fine {said(at)}, though {said(at + 1)}" for at in range(40)]
    assert look(write("a.txt", "\n".join(lines)), DataSettings()).width == 1
    assert look(write("b.txt", lines[0]), DataSettings()).width == 1
    labelled = [f"a fine {said(at)}, {('good', 'bad')[at % 2]}" for at in range(40)]
    assert look(write("c.txt", "\n".join(labelled)), DataSettings()).width == 2


FORMATS: dict[str, Callable[[str, str], str]] = {
    "a.csv": lambda text, label: f'"{text}",{label}\n',
    "a.tsv": lambda text, label: f"{text}\t{label}\n",
    "b.csv": lambda text, label: f"{text};{label}\n",
    "c.txt": lambda text, label: f"{text}|{label}\n",
    "d.txt": lambda text, label: f"{label} {text}\n",
    "e.txt": lambda text, label: f"__label__{label} {text}\n",
    "f.txt": lambda text, label: f"{label}\t{text}\n",
}


@pytest.mark.parametrize("header", [True, False])
@pytest.mark.parametrize("labels", [("pos", "neg"), ("0", "1")])
def test_the_same_rows_in_every_format_give_the_same_table(write: Write, header: bool, labels: tuple[str, str]) -> None:
    pairs = [(said(at), labels[at * at % 3 % 2]) for at in range(50)]
    found: dict[str, Any] = {}
    for name, line in FORMATS.items():
        first = line("remark", "kind") if header and name[0] in "abcf" and name != "a.csv" else ""
        first = "remark,kind\n" if header and name == "a.csv" else first
        needs = (Need("text", "text"), Need("label", "category"))
        found[name] = rows(
            load_table(write(name, first + "".join(line(*pair) for pair in pairs)), needs, DataSettings())[0]
        )
    assert all(table == pairs for table in found.values()), [name for name, table in found.items() if table != pairs]


@given(st.lists(st.text(max_size=20), max_size=12))
def test_any_lines_have_a_form(lines: list[str]) -> None:
    assert line_form([f"{line}\n" for line in lines]) in ("fasttext", "fasttext_many", "fine", "label", "text")


def test_blank_lines_of_a_table_of_one_column_are_gaps(write: Write) -> None:
    path = write("a.csv", "review\n\ngood film\n\nbad film\n" + "fine film\n" * 9)
    source = look(path, DataSettings())
    found = [(line, isinstance(cells, Fault)) for _, line, cells in source.read((0,))]
    assert found[:4] == [(2, True), (3, False), (4, True), (5, False)]
