"""Another language: words give way to words of one that the text is not written in."""

from __future__ import annotations

import zlib

import numpy as np

from deepen.data.corruptions import Corruption
from deepen.data.words import join_words, mostly_chinese, split_words

_SPANISH = (
    "el la de que en un ser se no haber por con su para como estar tener le lo todo pero poder decir este ir otro ese "
    "si me ya ver porque dar cuando muy sin vez mucho saber sobre mi alguno mismo hasta hacer entre querer "
    "dos desde grande donde nada quedar hablar creer bajo noche casa tiempo mundo agua puerta camino mesa"
).split()
_CHINESE = list("的一是不了在人有我他这个们中来上大为和国地到以说时要就出会可也你对生能而子那得于着下自之年过发后作里")


def _change(text: str, strength: float, rng: np.random.Generator) -> str:
    others = _SPANISH if mostly_chinese([text]) else _CHINESE
    words = [text[start:end] for start, end in split_words(text)]
    changed_N = rng.random(len(words)) < strength
    made = [
        others[zlib.crc32(word.lower().encode("utf-8", "replace")) % len(others)] if changed else word
        for word, changed in zip(words, changed_N, strict=True)
    ]
    joined = " ".join(made) if others is _SPANISH else join_words(made)[0]
    return joined.strip() or text


CORRUPTION = Corruption("another language", _change)
