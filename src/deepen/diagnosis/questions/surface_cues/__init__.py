"""Which cues predict the label, and does the model lean on them? Start with `ask.py`."""

from deepen.diagnosis.questions.surface_cues.ask import QUESTION

__all__ = ["QUESTION"]
