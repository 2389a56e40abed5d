"""Instruction: a prompt, its completion: questions without a span, code, whatever a model is told to write.

A row looks like `{"prompt": "Name a colour.", "completion": "Blue."}`.
"""

from __future__ import annotations

from deepen.problem.task import Writes
from deepen.problem.text_answers import looks_like, needs, text_task

_ASKED = ("prompt", "instruction", "question", "input")
_DONE = ("completion", "output", "response", "answer", "chosen")

TASK = text_task(
    "instruction",
    needs(_ASKED, _DONE),
    looks_like([(one, two) for one in ("prompt", "instruction") for two in _DONE], 0.5, "a prompt and its completion"),
    Writes(
        prompts={"en": "{source}\n\nAnswer:\n", "zh": "{source}\n\n回答：\n"},
        floor="the commonest answer",
    ),
    scores=("rougeL", "chrf", "bleu", "exact_match"),
)
