"""Whatever labels and texts hold, the card and the page show it as it is: no link, no markup, no broken table."""

from __future__ import annotations

import json
import math
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from tests.reporting.fabricate import make_run, write

from deepen.core.errors import DataError
from deepen.core.ladder import Ladder, read_ladder
from deepen.reporting import words
from deepen.reporting.card import card
from deepen.reporting.page import write_report

HOSTILE = [
    *("[link](javascript:alert(1))", "![x](http://e/x.png)", "<img src=x onerror=alert(1)>", "a|b||c", "`code` ``"),
    *("**bold** __bold__ _em_ *em*", "~~gone~~", "# head", "1. one", "- item", "> quote", "==", "---", "a\\|b\\", "\\"),
    *("http://evil.example www.evil.example me@evil.example", "&lt;b&gt; &amp; &#60;", "$x_1$", "a\nb\r\nc\u2028d"),
    *(
        "[ref]: http://e",
        "<!-- comment",
        "</td></table><script>",
        "```",
        "\u202egnp.exe",
        "<http://evil.example>",
        "[x]",
    ),
    *(
        "card_arrival",
        "中性 | 一般",
        "= 1",
        "+ 1",
        ":---",
        "x" * 500,
        "{{ 7 * 7 }}",
        "{% raw %}",
        "]]>",
        "\x00\x1b[31m",
    ),
]
MARKDOWN = MarkdownIt("commonmark").enable(["table", "strikethrough"])
PLAIN = {
    "link_open",
    "image",
    "html_inline",
    "html_block",
    "em_open",
    "s_open",
    "code_inline",
    "softbreak",
    "hardbreak",
}


def ladder_with(labels: list[str]) -> dict[str, Any]:
    def score(name: str, label: str | None) -> dict[str, Any]:
        return {"name": name, "value": 0.5, "n": 9, "low": 0.1, "high": 0.9, "label": label}

    scores = [score("accuracy", None)]
    scores += [score(name, label) for label in labels for name in ("precision", "recall", "f1")]
    row = {"rung": "lexical", "status": "done", "reason": labels[0], "score": scores[0], "validation": scores}
    data = {"name": labels[0], "columns": {labels[0]: labels[0]}, "notes": labels, "train": 9}
    ladder = {"task": "classification", "chosen": "lexical", "rungs": [row], "labels": labels, "data": data}
    return ladder | {"chosen_reason": labels[0], "stop_reason": labels[0], "run": labels[0], "complete": False}


def cells_of(text: str) -> list[str]:
    """The first cell of each row of the table of classes, as it is read."""
    tokens = MARKDOWN.parse(text.split("hardest first\n\n")[1].split("\n\n## ")[0])
    inner = [tokens[at + 2] for at, token in enumerate(tokens) if token.type == "tr_open"]
    for token in tokens:
        for child in token.children or ():
            assert child.type not in PLAIN, (child.type, token.content)
    return ["".join(child.content for child in token.children or ()) for token in inner][1:]


def bare(text: str) -> str:
    """A text as the card may show it."""
    return words.shorten(text, 300)


@settings(max_examples=20)
@given(
    st.lists(
        st.text(min_size=1).filter(lambda text: words.shorten(text, 300) != ""), min_size=1, max_size=4, unique=True
    )
)
@example(HOSTILE)
def test_a_label_reads_as_it_is_in_the_card(labels: list[str]) -> None:
    text = card(Ladder.model_validate(ladder_with(labels)), {}, {})
    assert cells_of(text) == [bare(label) for label in labels]
    body = text.split("---\n", 2)[2]
    for token in MARKDOWN.parse(body):
        assert token.type != "html_block", token.content
        for child in token.children or ():
            assert child.type not in PLAIN - {"code_inline", "softbreak"}, (child.type, token.content)
    headings = [token for token in MARKDOWN.parse(body) if token.type == "heading_open"]
    assert len(headings) == len(re.findall(r"^##? ", body, re.MULTILINE))
    rows = [line for line in body.splitlines() if line.startswith("| ")]
    assert not [row for row in rows if re.search(r"(?<!\\)(\\\\)*@|www\.|[a-z]://", row)], "hubs make links of these"


class Elements(HTMLParser):
    """The elements and texts of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.texts: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        assert not any(name.startswith("on") or (value or "").startswith("javascript") for name, value in attrs)

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def test_a_label_reads_as_it_is_on_the_page(tmp_path: Path) -> None:
    plain = Elements(
        write_report(make_run(tmp_path / "plain", labels=[f"l{at}" for at in range(len(HOSTILE))])).read_text()
    )
    run = make_run(tmp_path / "run", labels=HOSTILE)
    ladder = json.loads((run / "ladder.json").read_text())
    ladder["data"] |= {"name": HOSTILE[2], "notes": HOSTILE, "columns": {HOSTILE[2]: HOSTILE[0]}}
    ladder |= {"stop_reason": HOSTILE[2], "chosen_reason": HOSTILE[2], "model": HOSTILE[2], "run": HOSTILE[2]}
    write(run / "ladder.json", ladder)
    found = Elements(write_report(run).read_text(encoding="utf-8"))
    assert set(found.tags) == set(plain.tags), "no label has become an element"
    for label in HOSTILE:
        assert words.shorten(label, 80) in found.texts, label


NUMBERS = [math.nan, -math.inf, None]


def spoilt(value: Any, number: float | None, at: list[int]) -> Any:
    """A record with its nth number in place of another; `at` counts down."""
    if isinstance(value, dict):
        return {key: spoilt(item, number, at) for key, item in value.items()}
    if isinstance(value, list):
        return [spoilt(item, number, at) for item in value]
    if isinstance(value, int | float) and not isinstance(value, bool):
        at[0] -= 1
        return number if at[0] == -1 else value
    return value


@pytest.mark.parametrize("number", NUMBERS, ids=str)
def test_a_number_that_is_none_breaks_nothing(tmp_path: Path, number: float | None) -> None:
    """A ladder in which any one number is NaN, infinite or missing is shown, or named as damaged in a line."""
    run = make_run(tmp_path / "run", labels=["good", "bad"], n=40)
    ladder = json.loads((run / "ladder.json").read_text())
    counted = [10_000]
    spoilt(ladder, None, counted)
    shown = 0
    for place in range(0, 10_000 - counted[0], 83):
        broken = spoilt(ladder, number, [place])
        (run / "ladder.json").write_text(json.dumps(broken))
        try:
            text = write_report(run).read_text(encoding="utf-8")
        except DataError as error:
            said = str(error)
            assert "ladder.json is damaged" in said
        else:
            shown += 1
            assert not re.search(r"\b(nan|inf|None)\b", re.sub(r"<style>.*?</style>", "", text, flags=re.DOTALL))
            said = card(read_ladder(run / "ladder.json"), {}, {})
            assert not re.search(r"\b(nan|inf|None)\b", said)
    assert shown > 3


def test_predictions_that_are_no_numbers(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", labels=["good", "bad"], n=40)
    path = run / "rungs" / "full" / "predictions-test.jsonl"
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    for line in lines[::2]:
        line["probabilities"] = dict.fromkeys(line["probabilities"], math.nan)
    path.write_text("\n".join(map(json.dumps, lines)))
    assert "nan" not in write_report(run).read_text(encoding="utf-8")


@pytest.mark.parametrize("value", ["x", [], {}, True, "1"], ids=str)
@pytest.mark.parametrize("key", ["seconds", "rungs", "chosen", "data", "labels", "test", "before", "task", "complete"])
def test_a_ladder_of_other_kinds_is_damaged_or_shown(tmp_path: Path, key: str, value: Any) -> None:
    run = make_run(tmp_path / "run", labels=["good", "bad"], n=40)
    ladder = json.loads((run / "ladder.json").read_text())
    damaged_or_shown(run, ladder | {key: value})


@pytest.mark.parametrize("value", ["x", [], {}, True, "1"], ids=str)
def test_parts_of_a_ladder_of_other_kinds_are_too(tmp_path: Path, value: Any) -> None:
    run = make_run(tmp_path / "run", labels=["good", "bad"], n=40)
    for broken in others(json.loads((run / "ladder.json").read_text()), value):
        damaged_or_shown(run, broken)


def damaged_or_shown(run: Path, ladder: dict[str, Any]) -> None:
    (run / "ladder.json").write_text(json.dumps(ladder))
    try:
        write_report(run)
    except DataError as error:
        assert "damaged" in str(error)  # noqa: PT017


def others(ladder: dict[str, Any], value: Any) -> list[dict[str, Any]]:
    """Ladders with the value in the first row, in a score and in the data."""
    first = ladder["rungs"][0]
    keys = ("seconds", "score", "gain", "reason", "temperature", "validation", "num_trained_parameters", "status")
    rows = [[first | {key: value}, *ladder["rungs"][1:]] for key in keys]
    data = [ladder["data"] | {key: value} for key in ("train", "name", "notes", "columns")]
    scores = [[first | {"score": first["score"] | {key: value}}] for key in ("name", "value", "low", "n")]
    return [ladder | {"rungs": some} for some in (*rows, *scores)] + [ladder | {"data": some} for some in data]
