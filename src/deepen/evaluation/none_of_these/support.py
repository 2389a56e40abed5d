"""How far a row is from the nearest training rows of the label that is its answer, as the model sees them."""

from __future__ import annotations

import numpy as np

from deepen.evaluation.none_of_these import Kept, Seen, Strangeness, far


def _of(seen: Seen, kept: Kept | None) -> np.ndarray:
    assert kept is not None  # noqa: S101 - it needs rows, and says so
    return far(seen.states_NF, kept.states_KF, labels_K=kept.labels_K, answers_N=seen.logits_NC.argmax(1))


SCORE = Strangeness("how far the nearest training rows of its answer are", _of, needs_rows=True)
