from __future__ import annotations

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
from deepen.data.load import DataSettings, Need, load_table, look
from deepen.data.table import Table
from deepen.data.targets.tagged_rows import looks_tagged
from deepen.data.targets.tags import to_iob2
from deepen.data.words import join_words, split_words

NEEDS = (
    Need("tokens", "tokens", ("tokens", "text")),
    Need("label", "tags", ("ner_tags", "tags", "labels", "label", "entities", "spans")),
)
Write = Callable[..., str]
CONLL = """-DOCSTART- -X- O O

EU NNP I-NP I-ORG
rejects VBZ I-VP O
German JJ I-NP I-MISC
British JJ I-NP B-MISC
. . O O

# a comment
Peter NNP I-NP I-PER
"""


def read(source: Any, *, need_target: bool = True, **settings: Any) -> Table:
    return load_table(source, NEEDS, DataSettings(**{"bad_rows": "error"} | settings), need_target=need_target)[0]


def rows(table: Table) -> list[tuple[str, list[str], list[str] | None]]:
    return [(e.inputs["text"], e.inputs["tokens"], e.target) for e in table.all_rows().examples()]


def test_conll(write: Write) -> None:
    name = write("eng.testb", CONLL)
    assert "a tag for each token" in looks_tagged(look(name, DataSettings()))
    table = read(name)
    assert rows(table) == [
        ("EU rejects German British .", CONLL_TOKENS, ["B-ORG", "O", "B-MISC", "B-MISC", "O"]),
        ("Peter", ["Peter"], ["B-PER"]),
    ]
    assert table.arrow.column("line").to_pylist() == [3, 10]
    assert table.arrow.column("spans").to_pylist()[0] == [0, 2, 3, 10, 11, 17, 18, 25, 26, 27]
    assert any("tags are IOB1, kept as IOB2" in note for note in table.notes)


CONLL_TOKENS = ["EU", "rejects", "German", "British", "."]


@pytest.mark.parametrize(
    ("tags", "scheme"),
    [
        ("B-PER I-PER O B-LOC", "IOB2"),
        ("B_PER I_PER O B_LOC", "IOB2"),
        ("I-PER I-PER O I-LOC", "IOB1"),
        ("B-PER E-PER O S-LOC", "BIOES"),
        ("B-PER L-PER O U-LOC", "BIOES"),
        ("B-PER M-PER E-PER S-LOC", "BMES"),
    ],
)
@pytest.mark.parametrize("gap", ["\t", " "])
def test_schemes(write: Write, tags: str, scheme: str, gap: str) -> None:
    lines = "".join(f"w{at}{gap}{tag}\n" for at, tag in enumerate(tags.split()))
    table = read(write("any.bmes", f"{lines}\n{lines}"))
    expected = ["B-PER", "I-PER", "I-PER" if scheme == "BMES" else "O", "B-LOC"]
    assert [target for _, _, target in rows(table)] == [expected, expected]
    assert any(f"tags are {scheme}" in note for note in table.notes)


def test_broken_tags_are_counted(write: Write) -> None:
    table = read(write("a", "a B-PER\nb I-PER\nc O\nd I-LOC\n\ne B-LOC\nf B-PER\n"))
    assert rows(table)[0][2] == ["B-PER", "I-PER", "O", "B-LOC"]
    assert any("1 tag breaks the scheme, as I-PER after O" in note for note in table.notes)
    first = read(write("b", "a I-PER\nb I-PER\nc O\nd I-LOC\n\ne I-LOC\nf O\ng B-PER\n"))
    assert any("1 tag breaks the scheme, as B-PER after O" in note for note in first.notes)


def test_position_digits_full_width_and_empty_tokens(write: Write) -> None:
    # a bare digit is what is left of an empty token
    table = read(write("weibo", "科0\tB-ORG\nＱ0\tI-ORG\n好0\tO\n！1\tO\n\n" * 30 + "他0\tO\n0\tO\n们1\tO\n"))
    assert rows(table)[30][1] == ["他", "\ufffd", "们"]
    long = "".join(f"{letter}{place}\tO\n" for place, letter in enumerate("remember 2024".replace(" ", "-")))
    words = rows(read(write("long", "科0\tO\n学1\tO\n好0\tO\n\n" * 99 + long)))[99][1]
    assert words == list("remember-2024")
    assert rows(table)[0] == ("科Q好!", list("科Q好!"), ["B-ORG", "I-ORG", "O", "O"])
    plain = read(write("zh", "科\tB-ORG\n\u200b\tI-ORG\n \tO\n\n好\tO\n"))
    assert rows(plain)[0][1] == ["科", "\ufffd", "\ufffd"]
    assert plain.changed["empty_tokens"] == 2


def test_hash_tokens_header_and_numbering(write: Write) -> None:
    table = read(write("a.tsv", "token\ttag\n#\tO\nx\tB-A\n\n# text = c\ny\tO\n"))
    assert [row[1] for row in rows(table)] == [["#", "x"], ["y"]]
    table = read(write("germeval", "# source\n1\tSchartau\tB-PER\tO\n2\tsagte\tO\tO\n\n1\tBerlin\tB-LOC\tB-X\n"))
    assert [row[1] for row in rows(table)] == [["Schartau", "sagte"], ["Berlin"]]


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("a O\nb\nc B-X\n", r"^x line 102: 'b' has no tag: 1 of 2 columns"),
        ("a O\nb z O\n", r"^x line 102: 3 columns where the other lines have 2"),
        ("a O\nb Z-PER\n", r"^x line 101: tag 2, 'Z-PER', is of no known scheme"),
    ],
)
def test_faults_name_their_line(write: Write, body: str, message: str) -> None:
    name = write("x", "a O\n\n" * 48 + "b B-X\nc I-X\nd O\n\n" + body)
    with pytest.raises(DataError, match=message):
        read(name)
    assert len(read(name, bad_rows="drop")) == 49


def test_json_and_parquet(write: Write, tmp_path: Path) -> None:
    items = [{"tokens": ["EU", "说"], "ner_tags": ["B-ORG", "O"]}, {"tokens": ["x"], "ner_tags": ["O"]}]
    expected = [("EU说", ["EU", "说"], ["B-ORG", "O"]), ("x", ["x"], ["O"])]
    name = write("a.jsonl", "".join(json.dumps(item) + "\n" for item in items))
    assert looks_tagged(look(name, DataSettings()))
    assert rows(read(name)) == rows(read(items)) == expected
    pq.write_table(pa.Table.from_pylist(items), tmp_path / "a.parquet")
    assert rows(read(tmp_path / "a.parquet")) == expected
    with pytest.raises(DataError, match=r"^b\.jsonl line 1: 2 tokens and 1 tags"):
        read(write("b.jsonl", '{"tokens": ["a", "b"], "ner_tags": ["O"]}\n'))
    with pytest.raises(DataError, match=r"tag 1, '3', is of no known scheme .*--labels"):
        read([{"tokens": ["a"], "ner_tags": [3]}])


def test_codes_with_names(tmp_path: Path) -> None:
    coded = [{"tokens": ["EU", "says"], "ner_tags": [1, 0]}]
    names = LabelNames("classes", names=("O", "B-ORG", "I-ORG"))
    table, _ = load_table(coded, NEEDS, DataSettings(), label_names=names)
    assert rows(table)[0][2] == ["B-ORG", "O"]
    datasets = pytest.importorskip("datasets")
    labels = datasets.Sequence(datasets.ClassLabel(names=["O", "B-ORG", "I-ORG"]))
    features = datasets.Features({"tokens": datasets.Sequence(datasets.Value("string")), "ner_tags": labels})
    found = datasets.Dataset.from_list(coded, features=features)
    found.save_to_disk(tmp_path / "d")
    for source in (found, str(tmp_path / "d")):
        assert looks_tagged(look(source, DataSettings()))
        assert rows(read(source))[0][2] == ["B-ORG", "O"]


@pytest.mark.parametrize(
    "spans",
    [
        [[4, 10, "LOC"], [0, 2, "PER"]],
        [{"start": 4, "end": 10, "label": "LOC"}, {"start_offset": 0, "end_offset": 2, "label": "PER"}],
        {"LOC": {"London": [[4, 9]]}, "PER": {"张三": [[0, 1]]}},
    ],
)
def test_spans(spans: Any) -> None:
    source = [{"text": "张三 在London 住", "label": spans}]
    assert "spans" in looks_tagged(look(source, DataSettings()))
    table = read(source)
    tags = ["B-PER", "I-PER", "O", "B-LOC", "O"]
    assert rows(table) == [("张三 在London 住", ["张", "三", "在", "London", "住"], tags)]
    assert table.arrow.column("spans").to_pylist() == [[0, 1, 1, 2, 3, 4, 4, 10, 11, 12]]


def test_a_span_cuts_a_word() -> None:
    table = read([{"text": "Londoners", "entities": [[0, 6, "LOC"]]}, {"text": "no", "entities": []}])
    assert rows(table)[0][1:] == (["London", "ers"], ["B-LOC", "O"])
    assert any("1 words are cut" in note for note in table.notes)


@pytest.mark.parametrize(
    ("spans", "message"),
    [
        ([[0, 99, "A"]], "out of range: the text has 9 characters"),
        ([[3, 2, "A"]], "out of range"),
        ([[0, 4, "A"], [2, 6, "B"]], "the span 2-6 B overlaps A, which ends at 4"),
        ([[0, 4]], r"a span is \[0, 4\]"),
        (5, "a int where a list of spans is needed"),
        ([[0, 99, "A" * 1000]], "the span 0-99 A{59}… is out of range"),
    ],
)
def test_wrong_spans(spans: Any, message: str) -> None:
    with pytest.raises(DataError, match=rf"^list line 1: .*{message}"):
        read([{"text": "some text", "entities": spans}])


def test_raw_text_needs_no_tags() -> None:
    table = read(["Mr. Smith's U.S. visit, 他来了!", "x"], need_target=False)
    assert rows(table)[0][1] == ["Mr", ".", "Smith", "'s", "U.S.", "visit", ",", "他", "来", "了", "!"]
    with pytest.raises(DataError, match="tags are missing"):
        read([{"text": "a b", "label": None}, {"text": "c", "label": [[0, 1, "X"]]}])


@given(st.text())
def test_every_letter_belongs_to_one_word(text: str) -> None:
    places = split_words(text)
    assert "".join(text[a:b] for a, b in places) == "".join(text.split())
    joined, found = join_words([text[a:b] for a, b in places])
    assert [joined[a:b] for a, b in found] == [text[a:b] for a, b in places]


@given(st.lists(st.sampled_from([f"{m}-{k}" for m in "BIESMLU" for k in "XY"] + ["O"])))
def test_iob2_is_well_formed(tags: list[str]) -> None:
    before = "O"
    for tag in to_iob2(tags):
        assert tag[0] != "I" or before[1:] == tag[1:]
        before = tag


@given(st.binary(max_size=200), st.booleans())
def test_any_bytes_are_read_or_refused(tmp_path_factory: pytest.TempPathFactory, noise: bytes, tabs: bool) -> None:
    path = tmp_path_factory.mktemp("bytes") / "x"
    good = b"a B-X\nb O\n\n" * 100
    path.write_bytes((good.replace(b" ", b"\t") if tabs else good) + noise)
    try:
        table = read(path)
    except DataError as error:
        assert "\n" not in str(error)  # noqa: PT017
    else:
        for text, tokens, tags in rows(table):
            assert len(tokens) == len(tags or ()) > 0
            assert text.strip()
