"""How unlike the logits of the nearest training rows of its answer are its own: what speaks for the other labels too.

States are near where the words are; logits are near where the same labels come into question.
"""

from __future__ import annotations

import numpy as np

from deepen.evaluation.none_of_these import Kept, Seen, Strangeness, far


def _unit(logits_NC: np.ndarray) -> np.ndarray:
    centred_NC = logits_NC - logits_NC.mean(1, keepdims=True)
    return np.asarray(centred_NC / np.maximum(np.linalg.norm(centred_NC, axis=1, keepdims=True), 1e-12))


def _of(seen: Seen, kept: Kept | None) -> np.ndarray:
    assert kept is not None  # noqa: S101 - it needs rows, and says so
    answers_N = seen.logits_NC.argmax(1)
    return far(_unit(seen.logits_NC), _unit(kept.logits_KC), labels_K=kept.labels_K, answers_N=answers_N)


SCORE = Strangeness("how unlike those of its answer its logits are", _of, needs_rows=True)
