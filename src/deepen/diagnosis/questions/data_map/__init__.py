"""Which training rows are easy, ambiguous, hard or wrong? Start with `ask.py`."""

from deepen.diagnosis.questions.data_map.ask import QUESTION

__all__ = ["QUESTION"]
