from __future__ import annotations

import random
import time
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deepen.data.normalise import NormaliseSettings, normalise

SETTINGS = NormaliseSettings()
TRICKY = st.lists(
    st.sampled_from(
        [
            "&",
            "amp;",
            "＆",
            "lt;",
            "#38;",
            "#x26;",
            "；",
            "\u200b",
            "\x00",
            " ",
            "\n",
            "\r\n",
            "e",
            "\u0301",
            "\ufdfa",
            "\ud800",
            "Ａ",
            "\u2028",
            "\x85",
            "\ufeff",
            "#0;",
        ]
    )
).map("".join)


@pytest.mark.parametrize(
    ("text", "expected", "kinds"),
    [
        ("plain text.", "plain text.", set()),
        ("Ｆｕｌｌ １２３", "Full 123", {"unicode"}),
        ("a &lt;b&gt; &amp;amp; c", "a <b> & c", {"html_entities"}),
        ("?a=1&copy=2", "?a=1&copy=2", set()),
        ("AT&T;", "AT&T;", set()),
        ("bell\x07 zero\u200bwidth soft\u00adhyphen", "bell zerowidth softhyphen", {"control_characters"}),
        ("  a\t\tb  ", "a b", {"white_space"}),
        ("one \r\n\r\n two", "one\ntwo", {"white_space"}),
        ("broken \ud800", "broken \ufffd", {"surrogates"}),
        ("👨\u200d👩\u200d👧", "👨\u200d👩\u200d👧", set()),
        ("Case STAYS", "Case STAYS", set()),
        ("", "", set()),
    ],
)
def test_normalise(text: str, expected: str, kinds: set[str]) -> None:
    counts: dict[str, int] = {}
    assert normalise(text, SETTINGS, counts) == expected
    assert counts == dict.fromkeys(kinds, 1)


def test_everything_can_be_switched_off() -> None:
    off = NormaliseSettings(unicode="none", html_entities=False, control_characters=False, white_space=False)
    text = " Ａ &amp;  \x07\n"
    assert normalise(text, off, {}) == text


@given(
    st.one_of(st.text(st.characters(exclude_categories=())), TRICKY),
    st.sampled_from(["NFKC", "NFC", "none"]),
    st.tuples(st.booleans(), st.booleans(), st.booleans()),
)
def test_twice_changes_nothing_more(text: str, unicode: str, flags: tuple[bool, bool, bool]) -> None:
    settings = NormaliseSettings(
        unicode=unicode, html_entities=flags[0], control_characters=flags[1], white_space=flags[2]
    )
    once = normalise(text, settings, {})
    counts: dict[str, int] = {}
    assert normalise(once, settings, counts) == once
    assert counts == {}
    once.encode()  # a file can hold it


def test_many_times_escaped_is_fast() -> None:
    assert normalise("&" + "amp;" * 60_000, SETTINGS, {}) == "&"
    assert normalise("a" + " " * 200_000 + "b" + "\n " * 100_000, SETTINGS, {}) == "a b"


def test_long_runs_of_marks_are_evened_out_in_linear_time_and_to_the_same() -> None:
    pool = [
        "\u0301",
        "\u0316",
        "\u0344",
        "\u0f73",
        "\u0f71",
        "\uff9e",
        "\u3099",
        "\u0345",
        "\u05b0",
        "\u20dd",
        "\u0488",
    ]
    letters = ["a", "é", "か", "ﾊ", "\u1100\u1161", "한", "q", "電"]
    rng = random.Random(0)
    for _ in range(300):
        parts = [
            rng.choice(letters) + "".join(rng.choices(pool, k=rng.choice([0, 1, 63, 64, 65, 200]))) for _ in range(4)
        ]
        text = "".join(parts)
        for form in ("NFKC", "NFC"):
            plain = NormaliseSettings(unicode=form, control_characters=False, white_space=False, html_entities=False)
            assert normalise(text, plain, {}) == unicodedata.normalize(form, text)
    began = time.perf_counter()
    normalise("a" + "\u0301\u0316" * 80_000, NormaliseSettings(), {})
    assert time.perf_counter() - began < 10  # 38 s before; half a second now
