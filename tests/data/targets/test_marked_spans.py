"""Marked spans: tags taken out, names looked up, marks put in."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deepen.data.targets.marked_spans import Marked, find_names, from_tags, with_marks

WORDS = st.lists(st.text("abc é我们", min_size=1, max_size=4).filter(str.strip), min_size=1, max_size=6)


@given(WORDS, WORDS, WORDS, st.booleans())
def test_tags_come_out_as_they_went_in(left: list[str], one: list[str], two: list[str], turned: bool) -> None:
    first, second = " ".join(one), " ".join(two)
    tags = ("e2", "e1") if turned else ("e1", "e2")
    tagged = f"{' '.join(left)} <{tags[0]}>{first}</{tags[0]}> x <{tags[1]}>{second}</{tags[1]}>"
    marked = from_tags(tagged)
    assert "<" not in marked.text
    spans = (marked.second, marked.first) if turned else (marked.first, marked.second)
    assert [marked.text[a:b] for a, b in spans if (a, b)] == [first, second]  # type: ignore[misc]


@given(st.text("ab我 ", min_size=1, max_size=12), st.data())
def test_each_mark_stands_where_it_is_said_to(text: str, data: st.DataObject) -> None:
    def span() -> tuple[int, int] | None:
        start = data.draw(st.integers(0, len(text) - 1))
        return data.draw(st.sampled_from([None, (start, data.draw(st.integers(start + 1, len(text))))]))

    out, (first, second) = with_marks(Marked(text, span(), span()), marks=("@", "#"))
    assert out[first] == "@"
    assert out[second] == "#"
    assert first != second
    assert [letter for letter in out if letter not in "@# "] == [letter for letter in text if letter != " "]


@pytest.mark.parametrize(
    ("text", "first", "second", "spans"),
    [
        ("A met B", "A", "B", ((0, 1), (6, 7))),
        ("Apple and Apple Pie", "Apple Pie", "Apple", ((10, 19), (0, 5))),
        ("Rome Rome", "Rome", "Rome", ((0, 4), (5, 9))),
        ("only rome", "Rome", "Oslo", ((5, 9), None)),
        ("a.b axb", "a.b", "axb", ((0, 3), (4, 7))),
    ],
)
def test_names_are_found_without_overlap(text: str, first: str, second: str, spans: tuple) -> None:
    marked = find_names(text, first, second)
    assert (marked.first, marked.second) == spans
