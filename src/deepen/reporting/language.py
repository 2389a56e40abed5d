"""What a model card says of its language and licence, and how the language is told from the script of the texts."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable

from deepen.core.settings import Settings


class CardSettings(Settings):
    """What the model card says that no row and no score can tell."""

    language: str | None = None
    """The ISO 639 code of the language, as `en`; None tells it from the texts where their script does."""
    license: str = "unknown"
    """Under which terms the model may be used, as hubs call them: `apache-2.0`, `cc-by-4.0`, `other`."""


_WRITTEN = {
    "HIRAGANA": "ja",
    "KATAKANA": "ja",
    "HANGUL": "ko",
    "CJK": "zh",
    "GREEK": "el",
    "HEBREW": "he",
    "THAI": "th",
}
"""Scripts that one language is written in; kana come before Han, which Japanese texts hold too."""
_ENOUGH = 0.2  # a Chinese letter says as much as a few Latin ones
_ENGLISH = frozenset("the of and to this that with for you it my".split())
_SHARE_OF_ENGLISH = 0.08


def language_of(texts: Iterable[str]) -> str | None:
    """The ISO 639 code of the language that most letters are of; None if their script does not tell.

    Latin letters are English where its commonest words are as common as they are there; else many languages have them.

    Example:
        >>> language_of(["手机屏幕很亮"]), language_of(["it is the best of them"]), language_of(["das ist nicht gut"])
        ('zh', 'en', None)
    """
    scripts, words, english = Counter[str](), 0, 0
    for text in texts:
        scripts.update(unicodedata.name(char, "").split(" ")[0] for char in text if char.isalpha())
        found = re.findall(r"[a-z]+", text.lower())
        words, english = words + len(found), english + sum(word in _ENGLISH for word in found)
    num_letters = scripts.total()
    for script, language in _WRITTEN.items():
        if scripts[script] > _ENOUGH * num_letters:
            return language
    is_latin = 2 * scripts["LATIN"] > num_letters
    return "en" if is_latin and english > _SHARE_OF_ENGLISH * words else None
