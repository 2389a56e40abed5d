"""One less the probability of the answer: the baseline.

Source:
    Hendrycks and Gimpel 2017, https://arxiv.org/abs/1610.02136
"""

from __future__ import annotations

from deepen.evaluation.calibration import softmax
from deepen.evaluation.none_of_these import Strangeness

SCORE = Strangeness("how unsure it is", lambda seen, kept: 1 - softmax(seen.logits_NC).max(1), 0.0, 1.0)
