"""The page in Chinese: the language it is in, and its sentences and labels, found again in the finished HTML.

What comes from the data stands in elements with `dir="auto"`; there, only whole messages are put into Chinese. An item
of a list is a note of ours.
"""

from __future__ import annotations

import re
from html import escape, unescape
from itertools import islice
from pathlib import Path

from deepen.core.chinese import translated
from deepen.core.files import read_jsonl
from deepen.core.language import asked, is_chinese
from deepen.data.words import CJK

_TAG = re.compile(r"(<[^>]*>)")
_NAME = re.compile(r"</?([a-z0-9]+)")
_TOLD = re.compile(r'((?:aria-label|data-name)=")([^"]*)(")')
_AS_IT_IS = ("style", "pre", "code")
_VOID = ("meta", "link", "br", "rect", "line", "circle", "path", "use", "img")
_AROUND = re.compile(r"([\s.,;:()×]*)(.*?)([\s.,;:()×]*)", re.DOTALL)
_MARKS = str.maketrans({",": "，", ";": "；", ":": "：", ".": "。", "(": "（", ")": "）"})
_HAN, _KANA, _LATIN = re.compile(f"[{CJK}]"), re.compile("[\u3041-\u30ff]"), re.compile("[A-Za-z]+")
_ROWS, _FEW_KANA = 200, 0.1


def is_wanted(run: Path, rung: str) -> bool:
    """Whether the page is in Chinese: `DEEPEN_LANG` says so, else the texts of the run or the system do."""
    language = asked()
    return language == "zh" if language else is_chinese() or _reads_chinese(run / "rungs" / rung)


def _reads_chinese(rung: Path) -> bool:
    """Whether most words of the rows that a rung was tried on are Chinese; a character is taken for a word."""
    texts: list[str] = []
    for where in ("test", "validation"):
        path = rung / f"predictions-{where}.jsonl"
        if path.is_file() and not texts:
            rows = (row.get("inputs") for row in islice(read_jsonl(path), _ROWS))
            texts = [str(text) for row in rows if isinstance(row, dict) for text in row.values()]
    text = " ".join(texts)
    num_chinese, num_kana = len(_HAN.findall(text)), len(_KANA.findall(text))
    return num_chinese > len(_LATIN.findall(text)) and num_kana <= _FEW_KANA * num_chinese


def page(html: str) -> str:
    """The page with its sentences, labels of columns and descriptions of pictures in Chinese."""
    said, open_tags = [], list[tuple[str, bool]]()
    for part in _TAG.split(html.replace('<html lang="en">', '<html lang="zh-CN">', 1)):
        name = _NAME.match(part)
        if name is None:
            kept = any(tag in _AS_IT_IS for tag, _ in open_tags)
            said.append(part if kept else _text(part, ours=not any(theirs for _, theirs in open_tags)))
            continue
        said.append(_TOLD.sub(lambda found: f"{found[1]}{_text(found[2])}{found[3]}", part))
        tag = name.group(1)
        if part.startswith("</"):
            while open_tags and open_tags.pop()[0] != tag:
                pass
        elif tag not in _VOID and not part.endswith("/>"):
            open_tags.append((tag, tag != "li" and 'dir="auto"' in part))
    return "".join(said)


def _text(part: str, *, ours: bool = True) -> str:
    """A text between two tags."""
    if not re.search("[A-Za-z]", part):
        return part
    text = " ".join(unescape(part).split())
    start, end = (" " if part[:1].isspace() else ""), (" " if part[-1:].isspace() else "")
    found = translated(text, ours=ours)
    if found == text:
        before, middle, after = _AROUND.fullmatch(text).groups()  # type: ignore[union-attr]
        found = translated(middle, ours=ours)
        if found == middle:
            return part
        found = f"{before.translate(_MARKS)}{found}{after.translate(_MARKS)}".replace("， ", "，").replace("。 ", "。")
    return start + escape(found, quote=True) + end
