from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest
from tests.data.reading import read, rows

from deepen.core.errors import DataError
from deepen.data.load import DataSettings, Need, load_table, look
from deepen.data.source import Fault, Source

Write = Callable[..., str]
WORDS = "the seller says this lamp is warm and very slow but my friend likes its dull old handle".split()


def texts(count: int, *, seed: int = 1, words: int = 12) -> list[str]:
    rng = random.Random(seed)
    return [" ".join(rng.choices(WORDS, k=rng.randint(6, words))) + f" {at}" for at in range(count)]


def table(header: str, labels: list[str], *, count: int = 40, delimiter: str = ",", first: bool = True) -> str:
    """Rows of a text and a label, in the order that the header has them."""
    pairs = [(text, labels[at * at % len(labels)]) for at, text in enumerate(texts(count))]
    lines = [delimiter.join(pair if first else pair[::-1]) for pair in pairs]
    return "\n".join([header, *lines] if header else lines) + "\n"


def opened(name: str, **settings: Any) -> Source:
    return look(name, DataSettings(**settings))


@pytest.mark.parametrize(
    ("header", "labels", "delimiter", "first"),
    [
        ("v1,v2", ["ham", "spam"], ",", False),
        ("v2,v1", ["ham", "spam"], ",", True),
        ("Consumer complaint narrative,Product", ["Mortgage", "Credit card", "Loan"], ",", True),
        ("airline_tweet,airline_sentiment", ["negative", "neutral", "positive"], ",", True),
        ("comment_text,toxic", ["0", "1"], ",", True),
        ("comment_text,toxic", ["toxic", "clean"], ",", True),
        ("texte;étiquette", ["bien", "mal"], ";", True),
        ("Kommentar;Klasse", ["gut", "schlecht"], ";", True),
        ("complaint,department", ["sales", "repair", "other desk"], ",", True),
        ("Was hat Ihnen gefallen?,Note", ["1", "2", "3"], ",", True),
        ("utterance\tdomain", ["alarm", "music"], "\t", True),
        ("原文,结果", ["好", "坏"], ",", True),
    ],
)
@pytest.mark.parametrize("count", [20, 300])
def test_a_header_in_own_words(
    write: Write, header: str, labels: list[str], delimiter: str, first: bool, count: int
) -> None:
    name = "a.tsv" if delimiter == "\t" else "a.csv"
    source = opened(write(name, table(header, labels, count=count, delimiter=delimiter, first=first)))
    assert source.names == tuple(header.split(delimiter))
    assert len(list(source.read((0, 1)))) == count


@pytest.mark.parametrize("ending", ["csv", "tsv", "txt"])
@pytest.mark.parametrize(
    "labels", [["yes", "no"], ["what_day", "what_time", "weather"], ["0", "1"], ["N/A", "good"], ["1.5", "2.0"]]
)
@pytest.mark.parametrize("start", ["question", "date", "great film", "title", "label", "Text"])
def test_no_header_is_invented(write: Write, ending: str, labels: list[str], start: str) -> None:
    delimiter = "\t" if ending == "tsv" else ","
    short = [f"{text.split()[0]} {text.split()[1]}" for text in texts(20)]
    lines = [f"{start}{delimiter}{labels[0]}"]
    lines += [f"{text} {at}{delimiter}{labels[at % len(labels)]}" for at, text in enumerate(short)]
    source = opened(write(f"a.{ending}", "\n".join(lines)))
    assert source.names is None
    assert len(list(source.read((0, 1)))) == 21


def test_a_mark_for_a_missing_number_names_no_column(write: Write) -> None:
    body = "".join(f"{text},{at % 2}\n" for at, text in enumerate(["bad film", "nice play", "dull book"] * 6))
    assert opened(write("a.csv", "great film,N/A\n" + body)).names is None


def test_a_header_of_many_columns_and_empty_ones(write: Write) -> None:
    body = "".join(f"{['ham', 'spam'][at % 2]},{text},,,\n" for at, text in enumerate(texts(50)))
    source = opened(write("spam.csv", "v1,v2,,,\n" + body))
    assert source.names == ("v1", "v2", "column 2", "column 3", "column 4")
    wide = "".join(f"{at},{at % 3},x{at % 4},{text},{['a', 'b'][at % 2]}\n" for at, text in enumerate(texts(50)))
    assert opened(write("b.csv", "no,shop,till,said,verdict\n" + wide)).names is not None
    assert opened(write("c.csv", wide)).names is None


def test_a_header_without_a_name_for_row_numbers_and_pandas_numbers(write: Write) -> None:
    body = "".join(f"{at},{text},{['good', 'bad'][at % 2]}\n" for at, text in enumerate(texts(30), 1))
    assert opened(write("r.csv", "text,label\n" + body)).names == ("column 0", "text", "label")
    plain = "".join(f"{text},{['good', 'bad'][at % 2]}\n" for at, text in enumerate(texts(30)))
    assert opened(write("p.csv", "0,1\n" + plain)).names == ("0", "1")


def test_what_is_in_doubt_is_said_with_a_remedy_that_works(write: Write) -> None:
    body = "".join(f"{text.split()[0]} lamp {at},{['a b', 'c d'][at % 2]}\n" for at, text in enumerate(texts(6)))
    name = write("doubt.csv", "remark,kind\n" + body)
    source = opened(name)
    said = "true" if source.names is None else "false"
    assert any(f"--set data.header={said}" in warning for warning in source.warnings)
    changed = opened(name, header=said == "true")
    assert (changed.names is None) != (source.names is None)
    assert not changed.warnings
    table_ = read(name)
    assert table_.warnings == source.warnings


def test_a_class_that_only_the_first_row_has_is_said(write: Write) -> None:
    body = "".join(f"{text},{['good', 'bad'][at % 2]}\n" for at, text in enumerate(texts(60)))
    source = opened(write("a.csv", "the seller says this lamp is warm and slow,mixed\n" + body))
    assert "--set data.header=" in source.warnings[0]


def test_the_header_again_in_the_middle(write: Write) -> None:
    part = table("text,label", ["good", "bad"], count=150)
    name = write("glued.csv", part + part)
    faults = [(line, cells) for _, line, cells in opened(name).read((0, 1)) if isinstance(cells, Fault)]
    assert [line for line, _ in faults] == [152]
    with pytest.raises(DataError, match=r"^glued\.csv line 152: the header stands here again"):
        read(name, bad_rows="error")
    assert {label for _, label in rows(read(name, bad_rows="drop"))} == {"good", "bad"}
    joined = table("", ["good", "bad"], count=30) + table("text,label", ["good", "bad"], count=30)
    source = opened(write("late.csv", joined))
    assert any("line 31 (text, label) names columns" in warning for warning in source.warnings)


def test_a_single_column(write: Write) -> None:
    lines = "\n".join(texts(30))
    assert opened(write("a.csv", f"complaint\n{lines}")).names == ("complaint",)
    assert opened(write("b.txt", f"complaint\n{lines}")).names is None
    assert opened(write("c.txt", f"text\n{lines}")).names == ("text",)
    assert opened(write("d.txt", "title\na line that is longer\nand one more of them\n")).names is None
    source = opened(write("e.csv", "review\n" + "\n".join(f"{text}, or so, {text}" for text in texts(9))))
    assert [len(cells) for _, _, cells in source.read((0,))] == [1] * 9


def test_a_header_for_a_table_to_predict_on(write: Write) -> None:
    needs = (Need("text", "text"), Need("label", "category"))
    trained = write("train.csv", table("complaint,department", ["sales", "repair"]))
    _, columns = load_table(trained, needs, DataSettings())
    asked = write("new.csv", "complaint,department\nmy lamp is slow,\n")
    found, _ = load_table(asked, needs, DataSettings(), columns=columns, need_target=False)
    assert [text for text, *_ in rows(found)] == ["my lamp is slow"]
