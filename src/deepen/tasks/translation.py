"""Translation: a text in one language, the same in another.

A row looks like `{"source": "a man sleeps", "target": "ein Mann schläft"}`; a column `translation` with two languages,
as Hugging Face has it, is read in its order.
"""

from __future__ import annotations

from deepen.problem.task import Writes
from deepen.problem.text_answers import looks_like, needs, text_task

NEEDS = needs(
    ("src", "source_text", "原文", "en"), ("tgt", "target_text", "translation", "reference", "译文", "de", "fr", "zh")
)
_PAIRS = (
    ("source", "target"),
    ("src", "tgt"),
    ("en", "de"),
    ("en", "fr"),
    ("en", "zh"),
    ("zh", "en"),
    ("原文", "译文"),
)

TASK = text_task(
    "translation",
    NEEDS,
    looks_like(_PAIRS, 0.45, "two texts, of which the second translates the first"),
    Writes(
        prompts={"en": "{source}\n\nTranslation:\n", "zh": "{source}\n\n译文：\n"},
        floor="the source",
    ),
    scores=("chrf", "bleu", "exact_match"),
)
