"""The data doctor: every fault is found by its code, with file, line and count; clean data has no error or warning."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.data.checking import Rows, problems, splits

from deepen.api import check
from deepen.core.errors import DataError
from deepen.data.check.doctor import QUICK, examine
from deepen.data.check.problem import Splits, TokenLengths
from deepen.data.check.reading import unreadable
from deepen.data.check.tags import spans
from deepen.data.columns import Need
from deepen.data.load import DataSettings, load_table
from deepen.data.near import row_texts
from deepen.data.table import Table, brief

WORDS = (
    "the a screen battery camera room film story service box price phone hotel food music seat looks feels seemed with "
    "for very quite again today before it green river table window garden letter road engine bread paper morning"
).split()


def clean(num: int = 240, seed: int = 0) -> list[tuple[str, str]]:
    chance = random.Random(seed)
    return [(" ".join(chance.choices(WORDS, k=12)), ("no", "yes")[at % 2]) for at in range(num)]


def changed(
    at: int, text: Callable[[str], str] = str, label: Callable[[str], str] = str, num: int = 6
) -> list[tuple[str, str]]:
    """Clean rows, some of them changed."""
    rows = clean()
    return rows[:at] + [(text(a), label(b)) for a, b in rows[at : at + num]] + rows[at + num :]


def test_clean_data_has_no_error_and_no_warning() -> None:
    found = problems(clean(), validation=clean(120, seed=1), test=clean(120, seed=2))
    assert {code: p.severity for code, p in found.items() if p.severity != "note"} == {}
    assert {"label_table", "text_lengths", "split_likeness"} <= set(found)


TEXTS: list[tuple[str, Callable[[str], str]]] = [
    ("empty_text", lambda text: "  "),
    ("text_is_number", lambda text: "1,234.5"),
    ("text_is_date", lambda text: "2024-05-17 12:30:00"),
    ("text_is_date", lambda text: "2024年5月17日"),
    ("text_is_json", lambda text: '{"text": "good"}'),
    ("text_is_address", lambda text: "https://example.org/a?b=c"),
    ("placeholder", lambda text: "N/A"),
    ("placeholder", lambda text: "NaN"),
    ("markup", lambda text: f"<p>{text}<br/></p>"),
    ("wrong_letters", lambda text: f"{text} donâ€™t cafÃ©"),
    ("lookalike_letters", lambda text: f"pаypal {text}"),
    ("other_script", lambda text: "这家酒店的服务非常好"),
    ("other_script", lambda text: "очень хороший отель"),
    ("exact_duplicates", lambda text: "One and the same sentence, again and again."),
    ("personal_email", lambda text: f"{text} jo.doe@mail.example.com"),
    ("personal_email", lambda text: "我的邮箱是jo@mail.cn,请联系"),
    ("personal_phone", lambda text: f"{text} (212) 555-0147"),
    ("personal_phone", lambda text: f"{text} +44 20 7946 0958"),
    ("personal_chinese_phone", lambda text: "电话13812345678,谢谢"),
    ("personal_chinese_phone", lambda text: "请打 010-62345678"),
    ("personal_card", lambda text: f"{text} 4111 1111 1111 1111"),
    ("personal_chinese_id", lambda text: "身份证11010519491231002X"),
    ("personal_ssn", lambda text: f"{text} 219-09-9999"),
    ("personal_iban", lambda text: f"{text} GB82 WEST 1234 5698 7654 32"),
]


@pytest.mark.parametrize(("code", "make"), TEXTS, ids=[f"{at} {code}" for at, (code, _) in enumerate(TEXTS)])
def test_texts(code: str, make: Callable[[str], str]) -> None:
    found = problems(changed(100, text=make))[code]
    assert found.count == (5 if code == "exact_duplicates" else 6)
    assert found.line == (102 if code == "exact_duplicates" else 101)
    assert found.file == "list"
    assert found.message


HARMLESS = (
    "it cost 1,299.00 in 2024 and 12-13 of 4111",
    "order 4111111111111112 and 1234567890123456",  # no check digit
    "110105194912310021 is no number of a person",
    "call 000-12-3456 or 219-00-1234 or 912-12-1234",
    "GB82 WEST 1234 5698 7654 33 was mistyped",
    "at 12:30 on 2024-05-17 we met @home, me@home",
    "version 1.2.3.4 of 192.168.100.200",
    "x < y and y > z, <3, a<x>c",
    "a café in São Paulo, naïve Ångström",
    "isbn 978-3-16-148410-0, 1700000000000 ms",
    "iphone 13 pro max 256 gb 5g 6.1 inch",
    "score 3-2 (1-0), 555 1234",
)


def test_precise_rather_than_greedy() -> None:
    rows = [(f"{text} {at}", ("no", "yes")[at % 2]) for at, text in enumerate(HARMLESS)]
    found = problems([*clean(), *rows])
    assert not [code for code in found if code.startswith(("personal", "markup", "wrong", "lookalike"))]


def test_values_are_never_shown_in_full() -> None:
    found = problems(changed(0, text=lambda text: f"{text} jo.doe@mail.example.com 4111 1111 1111 1111"))
    assert "j*.***@****.*******.***" in found["personal_email"].message
    assert "4*** **** **** ****" in found["personal_card"].message


def test_personal_data_is_a_warning_only_where_it_is_learned() -> None:
    rows = [(f"{text} jo@mail.example.com", label) for text, label in clean(120, seed=1)]
    assert problems(clean(), test=rows)["personal_email"].severity == "note"
    assert problems(rows)["personal_email"].severity == "warning"
    phones = problems(changed(0, text=lambda text: f"{text} 13812345678"))["personal_chinese_phone"]
    assert "[PHONE]" in phones.remedy


def test_words_are_counted_only_where_there_are_spaces() -> None:
    chinese = [("这家酒店的位置非常好,服务也很周到,早餐种类丰富。" + text[:5], label) for text, label in clean()]
    assert "words" not in problems(chinese)["text_lengths"].message
    assert "(12 words)" in problems(clean())["text_lengths"].message


def test_lost_letters_can_not_be_decoded_again() -> None:
    assert "U+FFFD" in problems(changed(0, text=lambda text: f"{text} \ufffd"))["wrong_letters"].remedy
    assert "encoding" in problems(changed(0, text=lambda text: f"{text} cafÃ©"))["wrong_letters"].remedy


def test_notes_before_training_are_short_and_said_once(write: Callable[..., str]) -> None:
    tables = []
    for name in ("train", "test"):
        text = "text,label\n" + "".join(f"ｇｏｏｄ {name} {row},{row % 2}\n" for row in range(len(name)))
        path = Path(write(f"a/b/{name}.csv", text)).resolve()
        tables.append(load_table(path, NEEDS, DataSettings())[0])
    notes = [note for table in tables for note in table.notes]
    assert len(notes) == 4
    assert brief([*notes, "on a/b: fine"], tables) == [
        "b/train.csv: comma-separated, quoted cells, first row is the header",
        "b/train.csv: normalisation changed Unicode forms in 5 of the texts in 5 rows",
        "on a/b: fine",
    ]


def test_a_column_of_something_else_is_an_error() -> None:
    rows = [(str(at * 37), label) for at, (_, label) in enumerate(clean())]
    found = problems(rows)["text_is_number"]
    assert (found.severity, found.count) == ("error", len(rows))
    assert "--columns" in found.remedy


LABELS: list[tuple[str, str, Rows]] = [
    ("one_label", "error", [(text, "yes") for text, _ in clean()]),
    ("labels_not_classes", "error", [(text, f"id {at}") for at, (text, _) in enumerate(clean())]),
    ("labels_are_scores", "warning", [(text, ("0.25", "0.5", "1.75")[at % 3]) for at, (text, _) in enumerate(clean())]),
    ("labels_cast", "warning", [(text, ("0.0", "1.0")[at % 2]) for at, (text, _) in enumerate(clean())]),
    ("empty_label", "warning", changed(100, label=lambda label: "")),
    ("empty_label", "warning", changed(100, label=lambda label: "NaN")),
    ("label_variants", "warning", changed(100, label=lambda label: f"{label.upper()} ")),
    ("rare_labels", "warning", changed(100, label=lambda label: "maybe", num=2)),
    ("imbalance", "warning", [(text, "no" if at % 20 else "yes") for at, (text, _) in enumerate(clean())]),
    ("few_rows", "warning", clean(40)),
    ("label_in_text", "warning", [(f"[class {label}] {text}", f"class {label}") for text, label in clean()]),
    ("glued_rows", "warning", changed(100, text=lambda text: f"{text} " * 200, num=1)),
]


@pytest.mark.parametrize(("code", "severity", "rows"), LABELS, ids=[f"{at} {x[0]}" for at, x in enumerate(LABELS)])
def test_labels(code: str, severity: str, rows: Rows) -> None:
    found = problems(rows)[code]
    assert found.severity == severity
    assert found.count


def test_one_placeholder_in_many_rows_is_a_warning_before_training() -> None:
    rows = [*clean(1000), ("nan", "yes"), ("good food", "null"), ("good room", "null"), ("fine", "none")]
    found = {problem.code: problem for problem in examine(splits(rows), QUICK)}
    assert (found["placeholder"].severity, found["placeholder"].count, found["placeholder"].line) == (
        "warning",
        1,
        1001,
    )
    label = found["placeholder_label"]
    assert (label.severity, label.count, label.line) == ("warning", 2, 1002)
    assert "'null'" in label.message


def test_labels_of_one_split_only() -> None:
    found = problems(clean(), validation=[(text, "yes") for text, _ in clean(120, seed=1)])
    assert found["label_missing"].severity == "warning"
    found = problems(clean(), test=[(text, "odd") for text, _ in clean(120, seed=1)])
    assert (found["unknown_label"].severity, found["unknown_label"].line) == ("error", 1)


def test_copies_and_conflicts_within_and_across_splits() -> None:
    rows = clean()
    near = rows[8][0].replace("a", "e", 2)
    train = [*rows, (rows[3][0].upper(), rows[3][1]), (rows[5][0], rows[4][1]), (near, rows[9][1])]
    test = [*clean(120, seed=2), rows[7], (rows[11][0].replace("e", "i", 2), rows[11][1])]
    found = problems(train, test=test)
    assert found["exact_duplicates"].count == 2
    assert found["conflicting_labels"].count == 2
    assert found["conflicting_labels"].line == 6
    assert (found["leakage"].severity, found["leakage"].count, found["leakage"].line) == ("warning", 1, 121)
    assert "in train too, the first in line 8 there" in found["leakage"].message
    assert found["leakage"].remedy.startswith("take these rows out of train;")
    assert "'yes' here, 'no' in line 242 of train" in found["conflicting_labels"].message
    assert found["near_leakage"].line == 122
    assert found["near_conflicts"].count == 2


def test_a_test_set_of_another_domain() -> None:
    chance = random.Random(0)
    other = "patient dose treatment chronic renal plasma therapy acute trial placebo cohort lesion".split()
    rows = [(" ".join(chance.choices(other, k=9)), ("no", "yes")[at % 2]) for at in range(120)]
    found = problems(clean(), test=rows)["unlike_train"]
    assert "AUC 1.00" in found.message


def test_tokens_come_from_the_caller() -> None:
    made = splits(clean())
    lengths = np.full(240, 12)
    lengths[50:60] = 700
    found = {p.code: p for p in examine(Splits(made.parts, tokens={"train": TokenLengths(lengths, 256, "tiny")}))}
    assert (found["truncated"].count, found["truncated"].line) == (10, 51)
    assert "700" in found["token_lengths"].message


def test_quick_checks_need_no_model_and_skip_the_rest() -> None:
    codes = {problem.code for problem in examine(splits(clean(), test=clean(120, seed=1)), QUICK)}
    assert not codes & {"label_table", "split_likeness", "text_lengths"}


def test_bad_rows_are_told_apart(write: Callable[..., str]) -> None:
    lines = ["text,label", *(f"{text},{label}" for text, label in clean(20)), "a,b,c,d", ",yes", "fine,", "good,yes"]
    table, _ = load_table(write("a.csv", "\n".join(lines)), NEEDS, DataSettings(bad_rows="drop"))
    found = {p.code: p for p in examine(Splits({"train": table.all_rows()}, stopping=frozenset(["train"])))}
    assert [found[code].line for code in ("ragged_row", "empty_text", "empty_label")] == [22, 23, 24]
    assert found["ragged_row"].severity == "error"
    dropping = {p.code: p for p in examine(Splits({"train": table.all_rows()}))}
    assert dropping["ragged_row"].severity == "warning"


NEEDS = (Need("text", "text"), Need("label", "category"))
UNREADABLE: list[tuple[str, str, bytes, int | None]] = [
    ("not_utf8", "a.csv", b"text,label\ngood,1\ncaf\xe9,0\nbad,0\n", 3),
    ("empty_file", "a.csv", b"", None),
    ("empty_file", "a.csv", b"text,label\n", 1),
    ("columns_not_found", "a.csv", b"text\ngood\nbad\n", None),
    ("binary_file", "a.csv", b"PK\x00\x01\x00\x00binary\x00\x00", None),
]


@pytest.mark.parametrize(("code", "name", "content", "line"), UNREADABLE, ids=[x[0] for x in UNREADABLE])
def test_files_that_cant_be_read(
    code: str, name: str, content: bytes, line: int | None, write: Callable[..., str]
) -> None:
    with pytest.raises(DataError) as caught:
        load_table(write(name, content), NEEDS, DataSettings())
    found = unreadable(caught.value, name)
    assert found.code == code
    assert found.severity == "error"
    assert line is None or found.line == line


# --- tags -----------------------------------------------------------------------------------------------------------


def tagged_table(rows: list[tuple[str, str]]) -> Table:
    needs = (Need("tokens", "tokens", ("tokens",)), Need("label", "tags", ("tags",)))
    given = [{"tokens": words.split(), "tags": tags.split()} for words, tags in rows]
    return load_table(given, needs, DataSettings())[0]


def tagged(rows: list[tuple[str, str]], **others: list[tuple[str, str]]) -> dict[str, Any]:
    parts = {name: tagged_table(some).all_rows() for name, some in {"train": rows, **others}.items()}
    found: dict[str, Any] = {}
    for problem in examine(Splits(parts)):
        found.setdefault(problem.code, problem)
    return found


def sentences(num: int) -> list[tuple[str, str]]:
    chance = random.Random(num)
    made = []
    for _ in range(num):
        words = chance.choices(WORDS, k=6)
        made.append((" ".join([*words, "Anna", "Weber", *chance.choices(WORDS, k=2)]), "O O O O O O B-PER I-PER O O"))
    return made


def test_clean_tags_have_no_error() -> None:
    found = tagged(sentences(120), test=sentences(110))
    assert not [problem for problem in found.values() if problem.severity == "error"]
    assert not {"broken_tags", "inconsistent_entity", "unknown_tag", "rare_entity_type"} & set(found)


def test_faults_of_tags() -> None:
    rows = sentences(120)
    rows[3] = (rows[3][0], "O O O O O O O I-PER O O")
    rows += [
        ("we met in New York on Monday", "O O O B-LOC I-LOC O O"),
        ("they met in New York on Friday", "O O O O O O O"),
    ]
    found = tagged(rows, test=[*sentences(110), ("the World Cup began", "O B-EVENT I-EVENT O")])
    assert found["broken_tags"].count == 1
    assert found["broken_tags"].message.startswith("train: 1 tag breaks the scheme, as I-PER after O;")
    assert found["reading"].message == "tags are IOB2"
    assert found["inconsistent_entity"].count == 1
    assert "as 'New York' in 'in New York on': O here, LOC in line 121" in found["inconsistent_entity"].message
    assert (found["unknown_tag"].severity, found["unknown_tag"].line) == ("error", 111)
    assert found["rare_entity_type"].count == 1


def test_sentences_that_are_numbers_are_usual_where_words_are_tagged() -> None:
    rows = [*sentences(120), ("1996-08-22", "O"), ("1996 1995", "O O")]
    assert not [code for code in tagged(rows) if code.startswith("text_is")]


def test_long_rows_are_not_cut_where_words_are_tagged() -> None:
    table = tagged_table(sentences(120))
    long = {"train": TokenLengths(np.full(120, 700), 512, "tiny")}
    found = {problem.code: problem for problem in examine(Splits({"train": table.all_rows()}, tokens=long))}
    assert "100.0% are longer than the 512" in found["token_lengths"].message
    assert "truncated" not in found


def test_rows_are_compared_by_their_text_alone_where_words_are_tagged() -> None:
    part = tagged_table(sentences(3)).all_rows()
    assert part.table.inputs == ("text", "tokens")
    assert list(row_texts(part)) == list(part.values("text"))


def test_spans() -> None:
    tags = ["B-A", "I-A", "B-A", "O", "B-B"]
    assert list(spans(tags)) == [(0, 2, "A"), (2, 3, "A"), (4, 5, "B")]


@pytest.mark.parametrize(
    "labels", [("-1", "1"), ("+1", "-1"), ("a", "-a"), ("C", "C++"), ("C++", "C#"), ("A-", "A+"), ("1-2", "1 2")]
)
def test_labels_that_are_never_one(labels: tuple[str, str]) -> None:
    assert "label_variants" not in problems([(f"text number {at}", labels[at % 2]) for at in range(40)])


@pytest.mark.parametrize("labels", [("pos", "Pos"), ("so so", "so_so")])
def test_labels_that_a_person_reads_as_one(labels: tuple[str, str]) -> None:
    assert "label_variants" in problems([(f"text number {at}", labels[at % 2]) for at in range(40)])


LABELS_OF_OTHER_KINDS: list[tuple[str, list[str], str]] = [
    ("labels_are_scores", [f"{at / 7:.3f}" for at in range(60)], "--set tasks.classification.target=score"),
    ("labels_are_scores", ["0.5", "1.5", "2", "3"] * 15, "--set data.label_cuts"),
    ("labels_are_scores", ["0,5", "1,5", "2,25", "3"] * 15, "--set tasks.classification.target=score"),
    ("labels_in_order", ["1", "2", "3", "4", "5"] * 12, "--set tasks.classification.target=score"),
    ("labels_in_order", ["1", "2", "4", "5"] * 15, "--set tasks.classification.target=score"),
    ("labels_in_order", ["0.0", "1.0", "2.0"] * 20, "--set tasks.classification.target=score"),
    ("labels_count", [str(at + 1) for last in (9, 12, 7, 9, 15) for at in range(last)], "--columns label=COLUMN"),
    ("several_labels", ["a|b", "b|c", "a|c", "c", "b", "a|b|c", "a"] * 9, "--task multilabel"),
    ("several_labels", ["<a><b>", "<b><c>", "<a><c>", "<c>", "<a><b><c>"] * 9, "--task multilabel"),
    ("several_labels", ["['a', 'b']", "['b', 'c']", "['a', 'c']", "['a', 'b', 'c']"] * 9, "--task multilabel"),
    ("listed_label", ["['a']", '["b"]'] * 30, "--task multilabel"),
    ("header_as_label", [*["pos", "neg"] * 30, "label"], "delete the line"),
]


@pytest.mark.parametrize(("code", "labels", "remedy"), LABELS_OF_OTHER_KINDS)
def test_labels_that_are_no_classes_are_a_warning(code: str, labels: list[str], remedy: str) -> None:
    if code != "labels_count":
        labels = random.Random(0).sample(labels, len(labels))
    found = problems([(f"text number {at}", label) for at, label in enumerate(labels)])
    assert found[code].severity == "warning"
    assert remedy in found[code].remedy


@pytest.mark.parametrize(
    "labels", [["0", "1"], ["-1", "0", "1"], ["pos", "neg"], ["0", "10", "20"], ["a, b", "c"], ["3", "17", "21", "40"]]
)
def test_classes_are_classes(labels: list[str]) -> None:
    chance = random.Random(0)
    found = problems([(f"text number {at}", chance.choice(labels)) for at in range(60)])
    assert not {code for code, _, _ in LABELS_OF_OTHER_KINDS} & found.keys()


@pytest.mark.parametrize(("cells", "warned"), [(["python java sql", "go"], True), (["a|b", "b"], False)])
def test_several_labels_that_nothing_parts_are_noticed(cells: list[str], warned: bool) -> None:
    found = check(
        [{"text": f"row {at} of {cells[at % 2]}", "labels": cells[at % 2]} for at in range(40)], task="multilabel"
    )
    assert ("no_several" in [finding["code"] for finding in found["findings"]]) == warned


@pytest.mark.parametrize(
    ("labels", "marked"), [(["yes", "no", "-"], True), (["yes", "no", "\\N"], True), (["+", "0", "-"], False)]
)
def test_a_dash_where_nobody_decided(labels: list[str], marked: bool) -> None:
    rows = [(f"text number {at}", labels[at % 3]) for at in range(60)]
    assert ("placeholder_label" in problems(rows)) == marked


def test_truths_in_two_spellings_are_one_label() -> None:
    rows = [(f"text number {at}", ("true", "false", "1", "0")[at % 4]) for at in range(60)]
    assert "are one label?" in problems(rows)["label_variants"].message
    assert "label_variants" not in problems([(f"text number {at}", "10"[at % 2]) for at in range(60)])


@pytest.mark.parametrize("labels", [["a;x", "b;x", "a;y", "b;y"], ["a, x", "b, x", "a, y", "b, y"]])
def test_few_combinations_are_several_labels_too(labels: list[str]) -> None:
    rows = [(f"text number {at}", labels[at * 7 % 4]) for at in range(60)]
    assert "--task multilabel" in problems(rows)["several_labels"].remedy


def test_a_printed_object_is_no_label() -> None:
    rows = [(f"text number {at}", ('{"choices":["a","b"]}', "c")[at % 2]) for at in range(60)]
    assert "braces and all" in problems(rows)["listed_label"].message
