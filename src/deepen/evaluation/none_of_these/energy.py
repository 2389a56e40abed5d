"""The energy of the logits: how little speaks for any label, where probabilities only say which of them is likelier.

Source:
    Liu et al. 2020, Energy-based Out-of-distribution Detection, https://arxiv.org/abs/2010.03759
"""

from __future__ import annotations

import numpy as np

from deepen.evaluation.none_of_these import Kept, Seen, Strangeness


def _of(seen: Seen, kept: Kept | None) -> np.ndarray:
    from scipy.special import logsumexp

    return np.asarray(-logsumexp(seen.logits_NC, axis=1))


SCORE = Strangeness("how little speaks for any label", _of)
