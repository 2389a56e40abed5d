from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from deepen.core.errors import DataError
from deepen.data.label_names import LabelNames
from deepen.data.load import DataSettings, load_table, look
from deepen.data.table import Table
from deepen.data.targets.printed import parse_printed
from deepen.data.targets.tag_forms import tag_form, with_prefix
from deepen.data.targets.tagged_rows import looks_tagged
from deepen.data.targets.tags import to_iob2
from deepen.tasks.tagging import NEEDS

Write = Callable[..., str]
TOKENS = [["Mara", "Silva", "flew", "to", "Lyon"], ["it", "rained", "in", "Oslo"], ["so", "she", "left"]]
TAGS = [["B-PER", "I-PER", "O", "O", "B-LOC"], ["O", "O", "O", "B-LOC"], ["O", "O", "O"]]
WRITTEN = {
    "prefix": lambda tag: tag,
    "suffix": lambda tag: "-".join(reversed(tag.split("-"))),
    "types": lambda tag: tag[2:] or "O",
    "marks": lambda tag: tag[0],
}


def read(source: Any, **settings: Any) -> Table:
    return load_table(source, NEEDS, DataSettings(**settings))[0]


def rows(table: Table) -> list[tuple[list[str], list[str]]]:
    return [(example.inputs["tokens"], example.target) for example in table.all_rows().examples()]


def expected(form: str, times: int = 1) -> list[tuple[list[str], list[str]]]:
    tags = [[tag[:2] + "ENTITY" if tag != "O" else tag for tag in row] for row in TAGS] if form == "marks" else TAGS
    return list(zip(TOKENS, tags, strict=True)) * times


def lines(tags: list[list[str]], gap: str = "\t", prefix: str = "", *, tag_first: bool = False) -> str:
    out = []
    for words, marks in zip(TOKENS, tags, strict=True):
        pairs = [(prefix + word, mark) for word, mark in zip(words, marks, strict=True)]
        out.append("".join(gap.join(pair[::-1] if tag_first else pair) + "\n" for pair in pairs))
    return "\n".join(out) + "\n"


def written(form: str) -> list[list[str]]:
    return [[WRITTEN[form](tag) for tag in row] for row in TAGS]


@pytest.mark.parametrize("form", WRITTEN)
@pytest.mark.parametrize("gap", ["\t", " "])
def test_column_files_of_every_form(write: Write, form: str, gap: str) -> None:
    name = write("train.txt", lines(written(form), gap) * 5)
    assert looks_tagged(look(name, DataSettings()))
    table = read(name)
    assert rows(table) == expected(form, 5)
    told = {"suffix": "PER-B", "types": "without B- and I-", "marks": "without a type"}
    assert form == "prefix" or any(told[form] in note for note in table.notes)


@pytest.mark.parametrize("form", WRITTEN)
@pytest.mark.parametrize("kind", ["jsonl", "parquet", "python", "json", "numpy", "memory"])
def test_lists_of_every_form_and_printing(tmp_path: Path, form: str, kind: str) -> None:
    """The same rows in every format give the same table."""
    items = [{"tokens": words, "ner_tags": tags} for words, tags in zip(TOKENS, written(form), strict=True)] * 5
    source: Any = items
    if kind == "jsonl":
        source = tmp_path / "a.jsonl"
        source.write_text("".join(json.dumps(item) + "\n" for item in items))
    elif kind == "parquet":
        source = tmp_path / "a.parquet"
        pq.write_table(pa.Table.from_pylist(items), source)
    elif kind != "memory":
        printers = {"python": str, "json": json.dumps, "numpy": lambda value: "[" + " ".join(map(repr, value)) + "]"}
        out = io.StringIO()
        writer = csv.writer(out)
        writer.writerow(["tokens", "ner_tags"])
        writer.writerows([[printers[kind](value) for value in item.values()] for item in items])
        source = tmp_path / "a.csv"
        source.write_text(out.getvalue())
    assert looks_tagged(look(source if kind == "memory" else str(source), DataSettings()))
    assert rows(read(source)) == expected(form, 5)


def test_parts_of_speech(write: Write) -> None:
    pos = [["PROPN", "PROPN", "VERB", "ADP", "PROPN"], ["PRON", "VERB", "ADP", "PROPN"], ["ADV", "PRON", "VERB"]]
    name = write("pos.tsv", lines(pos) * 9)
    assert looks_tagged(look(name, DataSettings()))
    table = read(name)
    assert rows(table)[1] == (TOKENS[1], ["B-PRON", "B-VERB", "B-ADP", "B-PROPN"])
    assert any("each word is tagged by itself" in note for note in table.notes)


def test_tags_before_their_words(write: Write) -> None:
    assert rows(read(write("mit.bio", lines(TAGS, tag_first=True) * 3))) == expected("prefix", 3)


def test_lines_of_two_words_are_no_column_file(write: Write) -> None:
    poem = "\n\n".join(f"red rose{at}\nblue sky{at}\nold man{at}" for at in range(9))
    assert look(write("poem.txt", poem), DataSettings()).names is None
    pairs = "".join(f"word{at}\tnoun\n" for at in range(40))
    assert looks_tagged(look(write("pairs.tsv", pairs), DataSettings())) == ""
    assert len(rows(read(write("asked.tsv", pairs + "\n" + pairs.replace("noun", "verb"))))) == 2


def test_commands_and_actions_are_no_column_file(write: Write) -> None:
    body = "".join(f"IN: {'jump ' * (at % 4 + 1)}OUT: {'I_JUMP ' * (at % 4 + 1)}".strip() + "\n" for at in range(40))
    assert look(write("scan.txt", body), DataSettings()).form.kind == "lines"  # type: ignore[union-attr]


@pytest.mark.parametrize("language", ["en:", "zh-min-nan:", "simple:"])
def test_a_language_before_every_token(write: Write, language: str) -> None:
    name = write("train", lines(TAGS, prefix=language) * 4)
    table = read(name)
    assert rows(table) == expected("prefix", 4)
    assert any(f"'{language}' is taken off every token" in note for note in table.notes)
    items = [{"tokens": [language + word for word in words], "tags": tags} for words, tags in expected("prefix")]
    assert rows(read(items)) == expected("prefix")
    mixed = [*items, {"tokens": ["plain", "en:x"], "tags": ["O", "O"]}]
    assert rows(read(mixed))[0][0][0] == f"{language}Mara"


def test_names_of_codes_have_every_form() -> None:
    names = LabelNames("classes", names=("O", "PER", "LOC"))
    items = [{"tokens": ["Mara", "Silva", "saw", "Lyon"], "ner_tags": [1, 1, 0, 2]}]
    table, _ = load_table(items, NEEDS, DataSettings(), label_names=names)
    assert rows(table)[0][1] == ["B-PER", "I-PER", "O", "B-LOC"]


CONLLU = """# sent_id = 1
# text = Mara didn't see Lyon
1\tMara\tMara\tPROPN\tNNP\t_\t3\tnsubj\t_\tNER=B-PER|X=1
2-3\tdidn't\t_\t_\t_\t_\t_\t_\t_\t_
2\tdid\tdo\tAUX\tVBD\t_\t3\taux\t_\t_
3\tn't\tnot\tPART\tRB\t_\t3\tadvmod\t_\t_
3.1\tever\tever\tADV\tRB\t_\t_\t_\t_\t_
4\tsee\tsee\tVERB\tVB\t_\t0\troot\t_\tSpaceAfter=No
5\tLyon\tLyon\tPROPN\tNNP\t_\t4\tobj\t_\tNER=B-LOC

1\t#\t#\tSYM\tSYM\t_\t0\troot\t_\t_
2\tleft\tleave\tVERB\tVBD\t_\t0\troot\t_\t_

"""


def test_conllu(write: Write) -> None:
    name = write("train.conllu", CONLLU * 3)
    assert looks_tagged(look(name, DataSettings()))
    table = read(name)
    assert rows(table)[:2] == [
        (["Mara", "did", "n't", "see", "Lyon"], ["B-PER", "O", "O", "O", "B-LOC"]),
        (["#", "left"], ["O", "O"]),
    ]
    assert table.arrow.column("line").to_pylist()[:3] == [3, 11, 16]
    assert any("CoNLL-U; tags are NER= in MISC" in note for note in table.notes)
    pos, _ = load_table(name, NEEDS, DataSettings(), columns={"label": "upos"})
    assert rows(pos)[1] == (["#", "left"], ["B-SYM", "B-VERB"])
    bare = write("bare.conllu", CONLLU.replace("NER=B-PER|", "").replace("NER=B-LOC", "_") * 3)
    assert rows(read(bare))[0][1] == ["B-PROPN", "B-AUX", "B-PART", "B-VERB", "B-PROPN"]
    with pytest.raises(DataError, match=r"^c\.conllu line 119: '4 see' is no word with 10 columns"):
        read(write("c.conllu", CONLLU * 9 + "1\ta\ta\tX\t_\t_\t0\tdep\t_\t_\n4\tsee\n"), bad_rows="error")
    plus = "# global.columns = ID FORM UPOS NER:TAG\n1\tMara\tPROPN\tB-PER\n2\tsaw\tVERB\tO\n\n"
    assert rows(read(write("p.conllup", plus * 2)))[0] == (["Mara", "saw"], ["B-PER", "O"])


@pytest.mark.parametrize("everywhere", [True, False])
@pytest.mark.parametrize("header", ["Sentence #,Word,POS,Tag", "sentence_id,words,pos,labels", "sent,token,upos,ner"])
def test_one_word_a_row_with_its_sentence(write: Write, header: str, everywhere: bool) -> None:
    lines_ = [header]
    for number, (words, tags) in enumerate(expected("prefix", 3)):
        for at, (word, tag) in enumerate(zip(words, tags, strict=True)):
            lines_.append(f"{f'Sentence: {number}' if everywhere or not at else ''},{word},NN,{tag}")
    name = write("ner.csv", "\n".join(lines_))
    assert looks_tagged(look(name, DataSettings()))
    table = read(name)
    assert rows(table) == expected("prefix", 3)
    assert table.arrow.column("line").to_pylist()[:3] == [2, 7, 11]
    assert any("words are joined to sentences by column" in note for note in table.notes)


def test_one_word_a_row_in_memory_and_without_sentences(write: Write) -> None:
    items = [
        {"sentence_id": number, "words": word, "labels": tag}
        for number, (words, tags) in enumerate(expected("prefix", 2))
        for word, tag in zip(words, tags, strict=True)
    ]
    assert rows(read(items)) == expected("prefix", 2)
    flat = "word,tag\n" + "".join(f'"{item["words"]}",{item["labels"]}\n' for item in items)
    with pytest.raises(DataError, match="nothing says where a sentence ends: add a column 'sentence'"):
        read(write("flat.csv", flat))
    parted = "word,tag\n" + lines(TAGS, ",")
    assert rows(read(write("parted.csv", parted))) == expected("prefix")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("['a', \"it's\"]", ["a", "it's"]),
        ("['a' 'b\\n'\n 'c']", ["a", "b\n", "c"]),
        ("[1 2 3]", [1, 2, 3]),
        ("[1., 0.5]", [1.0, 0.5]),
        ("[np.str_('B-PER'), np.int64(3)]", ["B-PER", 3]),
        ("array(['a', 'b'], dtype=object)", ["a", "b"]),
        (
            "{'text': array(['a b'], dtype=object), 'answer_start': array([3], dtype=int32)}",
            {"text": ["a b"], "answer_start": [3]},
        ),
        ("[(0, 4, 'PER'), (6, 9, 'LOC')]", [[0, 4, "PER"], [6, 9, "LOC"]]),
        ("[array(['a'], dtype=object) list(['b'])]", [["a"], ["b"]]),
        ("[True, None, nan]", [True, None, None]),
        ("[]", []),
        ('["a"]', ["a"]),
        ("['a' ... 'z']", None),
        ("[comedy]", None),
        ("[__import__('os')]", "call"),
        ("['a'] b", None),
        ("['a'", None),
        ("[" * 4000 + "]" * 4000, None),
        ("plain", None),
        ("", None),
    ],
)
def test_printed_values(text: str, value: Any) -> None:
    assert parse_printed(text) == (["os"] if value == "call" else value)


scalars = st.one_of(st.text(max_size=6), st.integers(), st.booleans(), st.none())
values = st.recursive(
    scalars,
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(st.text(max_size=4), inner)),
    max_leaves=9,
)


@given(value=st.one_of(st.lists(values, max_size=5), st.dictionaries(st.text(max_size=4), values, max_size=4)))
def test_what_was_printed_is_parsed(value: Any) -> None:
    assert parse_printed(str(value)) == value
    assert parse_printed(json.dumps(value)) == value


tags = st.lists(st.sampled_from(["O", "B-PER", "I-PER", "B-LOC", "I-LOC"]), min_size=1, max_size=9).map(to_iob2)


@given(rows_=st.lists(tags, min_size=1, max_size=6))
def test_forms_that_lose_nothing_come_back(rows_: list[list[str]]) -> None:
    suffixed = [[WRITTEN["suffix"](tag) for tag in row] for row in rows_]
    form = tag_form(suffixed)
    assert form in ("suffix", "prefix")
    assert [with_prefix(row, form) for row in suffixed] == rows_


def test_one_tag_too_few_does_not_hide_that_words_are_tagged() -> None:
    made = [{"tokens": words, "ner_tags": tags} for words, tags in zip(TOKENS * 100, TAGS * 100, strict=True)]
    made[7] = made[7] | {"ner_tags": made[7]["ner_tags"][:-1]}
    assert looks_tagged(look(made, DataSettings()))
    assert len(read(made).all_rows()) == 299
    for row in made[:60]:
        row["ner_tags"] = row["ner_tags"][:1]
    assert not looks_tagged(look(made, DataSettings()))


def test_ends_that_cut_words_are_warned_of() -> None:
    def spans(shift: int) -> list[dict[str, Any]]:
        text = "she met Mara in Lyon"
        places = [(8, 12, "PER"), (16, 20, "LOC")]
        return [{"text": text, "spans": [[a, b + shift, tag] for a, b, tag in places]} for _ in range(10)]

    def warned(rows: list[dict[str, Any]]) -> tuple[str, ...]:
        return read(rows).warnings

    assert not warned(spans(0))
    assert "do their ends stand on the last letter" in " ".join(warned(spans(-1)))
