"""The page in Chinese: whole, in the language of the data, and with the data as it is."""

from __future__ import annotations

import json
import re
import sys
from html import unescape
from pathlib import Path

import pytest

from deepen.reporting.page import write_report

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "scripts"))
import messages

_DATA = re.compile(r'<(style|pre|code)[^>]*>.*?</\1>|<(p|td|th|dd|b|span)[^>]* dir="auto"[^>]*>.*?</\2>', re.DOTALL)
_MADE_UP = ("R&D", "gained", "over the budget", "exact duplicates", "texts were cut", "machine", "versions")


def _read(run: Path) -> str:
    write_report(run)
    return (run / "report.html").read_text(encoding="utf-8")


def test_a_page_in_chinese_is_chinese_to_the_end(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    english = _read(run)
    monkeypatch.setenv("DEEPEN_LANG", "zh")
    page = _read(run)
    assert '<html lang="zh-CN">' in page
    without_data = _DATA.sub("", page.partition("<h2>在哪里、怎样生成的")[0])
    texts = [unescape(text) for text in re.split("<[^>]*>", without_data)] + re.findall('aria-label="([^"]*)"', page)
    left = [text for text in texts if messages.english(text) and not any(words in text for words in _MADE_UP)]
    names = {"committee", "negative", "positive", "script", "alert", "reviews", "csv", "letters", "distinct", "values"}
    assert [text for text in left if set(messages.english(text)) - names] == []
    mistakes = re.compile(r'<div class="mistake">\s*<p dir="auto">(.*?)</p>')
    assert mistakes.findall(page) == mistakes.findall(english) != []


def test_the_page_is_in_the_language_of_the_data(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DEEPEN_LANG", "LC_ALL", "LC_MESSAGES", "LANG"):
        monkeypatch.delenv(name, raising=False)
    file = run / "rungs" / "full" / "predictions-test.jsonl"
    before = file.read_text(encoding="utf-8")
    rows = list(map(json.loads, before.splitlines()))

    def page_of(text: str) -> str:
        told = (json.dumps(row | {"inputs": {"text": text}}, ensure_ascii=False) for row in rows)
        file.write_text("".join(f"{line}\n" for line in told), encoding="utf-8")
        return _read(run)

    try:
        assert '<html lang="en">' in page_of("the room is clean")
        assert '<html lang="en">' in page_of("部屋はとてもきれいでした")
        assert '<html lang="zh-CN">' in page_of("房间很干净，WiFi 也快")
        monkeypatch.setenv("DEEPEN_LANG", "en")
        assert '<html lang="en">' in _read(run)
    finally:
        file.write_text(before, encoding="utf-8")
