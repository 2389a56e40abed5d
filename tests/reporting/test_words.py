"""Numbers as a person reads them."""

import pytest

from deepen.reporting import words


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "–"), (0, "0.0 s"), (0.0123, "0.012 s"), (0.4, "0.4 s"), (45.2, "45 s"), (96, "96 s"),
        (312, "5 min 12 s"), (540, "9 min"), (7500, "2 h 5 min"), (7200, "2 h"),
    ],
)  # fmt: skip
def test_seconds(value, text):
    assert words.seconds(value) == text


def test_gain():
    assert words.gain({"value": 0.012, "low": 0.003, "high": 0.021}) == "+1.2 (+0.3 to +2.1)"
    assert words.gain({"value": -0.00001, "low": None, "high": None}) == "+0.0"
    assert words.gain(None) == "–"


def test_score():
    record = {"name": "accuracy", "value": 0.9242, "low": 0.9119, "high": 0.935, "n": 10}
    assert words.score(record) == "0.924 (0.912 to 0.935)"
    assert words.score(record | {"low": None}) == "0.924"
    assert words.score({"name": "bleu", "value": 31.26, "n": 3}) == "31.3"


def test_titles():
    assert [words.title(name) for name in ("macro_f1", "mcc", "ndcg_at_10")] == [
        "macro F1", "Matthews correlation (MCC)", "ndcg at 10"
    ]  # fmt: skip


def test_shorten():
    assert words.shorten("a\n\tb\x00 c", 20) == "a b c"
    assert words.shorten("abcdef", 4) == "abc…"
