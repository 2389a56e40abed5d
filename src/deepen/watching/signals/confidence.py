"""How sure the model is: the probability of its answer, the lead over the second one, and the share of unsure rows."""

from __future__ import annotations

import numpy as np

from deepen.watching.rows import Rows
from deepen.watching.signals import Fitted, Signal

_CUTS = (0.1, 0.25, 0.5, 0.75)


def _fit(reference: Rows) -> Fitted:
    cuts_K = np.quantile(reference.confidences_N, _CUTS)

    def view(rows: Rows) -> np.ndarray:
        two_N2 = np.sort(rows.probabilities_NC, axis=1)[:, -2:]
        sure_N = rows.confidences_N
        return np.column_stack([sure_N, two_N2[:, -1] - two_N2[:, 0], sure_N[:, None] < cuts_K]).astype(np.float32)

    return Fitted(view(reference), view)


SIGNAL = Signal("how sure the model is", "unsure answers", _fit)
