"""Summarisation: a long text, a short one that says the same; a title, a headline and one line of an abstract too.

A row looks like `{"document": "...", "summary": "..."}`; a list in the column of summaries is several references.
"""

from __future__ import annotations

from deepen.problem.task import Writes
from deepen.problem.text_answers import looks_like, needs, text_task

_LONG = ("document", "article", "dialogue", "abstract", "report", "正文", "文章", "content")
_SHORT = ("summary", "highlights", "tldr", "summaries", "headline", "title", "摘要", "标题")

TASK = text_task(
    "summarisation",
    needs(_LONG, _SHORT),
    looks_like([(long, short) for long in _LONG for short in _SHORT], 0.45, "a text and a shorter one"),
    Writes(
        prompts={"en": "{source}\n\nSummary:\n", "zh": "{source}\n\n摘要：\n"},
        prefixes={"t5": "summarize: {source}", "mt5": "summarize: {source}"},
        floor="its first sentences",
    ),
    scores=("rougeL", "rouge1", "rouge2", "chrf", "exact_match"),
    support=True,
)
