"""A domain classifier: how well a linear one tells the window's states from the reference's.

It is Fisher's discriminant, whose separation is Hotelling's T-squared and needs no training for each window.

Source:
    Lopez-Paz and Oquab 2017, Revisiting Classifier Two-Sample Tests.
"""

from __future__ import annotations

from deepen.watching.rows import Rows
from deepen.watching.signals import Fitted, Signal, squeezed

_DIRECTIONS, _ROWS_A_DIRECTION = 48, 30


def _fit(reference: Rows) -> Fitted | None:
    if reference.states_NF is None:
        return None
    squeeze = squeezed(reference.states_NF, min(_DIRECTIONS, max(2, len(reference) // _ROWS_A_DIRECTION)))
    return Fitted(
        squeeze(reference.states_NF), lambda rows: None if rows.states_NF is None else squeeze(rows.states_NF)
    )


SIGNAL = Signal("a classifier tells them from the held-out rows", "other texts", _fit)
