"""Dialogue: the turns of a conversation so far, the next one.

A row looks like `{"context": "user: is it open?", "response": "Until six."}`, or holds `messages` with roles, of which
the last is the assistant's.
"""

from __future__ import annotations

from deepen.problem.task import Writes
from deepen.problem.text_answers import looks_like, needs, text_task

_BEFORE = ("context", "history", "conversation", "dialogue", "turns", "utterance", "query")
_NEXT = ("response", "reply", "next", "answer", "回复")

TASK = text_task(
    "dialogue",
    needs(_BEFORE, _NEXT),
    looks_like(
        [("history", "response"), ("context", "response"), ("turns", "response")], 0.5, "turns and the next one"
    ),
    Writes(
        prompts={"en": "{source}\nassistant:\n", "zh": "{source}\nassistant:\n"},
        turns=True,
        floor="the commonest answer",
    ),
    scores=("chrf", "bleu", "rougeL", "exact_match"),
)
