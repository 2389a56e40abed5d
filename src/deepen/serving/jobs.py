"""What a model process does for a request beside answers: raw scores, vectors of texts, masked texts."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from multiprocessing.connection import Connection

from deepen.data.masking import mask
from deepen.serving.answering import Row, Served
from deepen.serving.messages import dumps
from deepen.serving.names import MASK, SCORES, TALK, VECTORS

Job = Callable[[Sequence[Row]], list[bytes]]
"""Rows to a JSON object each."""


def jobs(served: Mapping[str, Served]) -> dict[str, Job]:
    """Every other job of a process by its name.

    Args:
        served: Models by the names of their runs.

    Returns:
        The jobs; vectors only of runs with an encoder.
    """
    found: dict[str, Job] = {MASK: _masks}
    for run, one in served.items():
        found[run + SCORES] = _scores(one)
        if embeds(one):
            from deepen.serving.vectors import vectors  # it loads torch, which an export does without

            found[run + VECTORS] = vectors(one)
    return found


def talks(served: Mapping[str, Served], connection: Connection) -> dict[str, Callable[[Row], bytes]]:
    """The jobs whose answers are told while they are written: of runs with a network that writes."""
    found: dict[str, Callable[[Row], bytes]] = {}
    for run, one in served.items():
        if one.writes:
            from deepen.serving.talking import talk  # it loads torch

            found[run + TALK] = partial(talk, one, connection)
    return found


def embeds(served: Served) -> bool:
    """Whether a model has an encoder that is at hand; that of an export is inside its graph."""
    return hasattr(getattr(served.model.predictor, "network", None), "encoder")


def _scores(served: Served) -> Job:
    return lambda rows: [dumps(served.scored(row)) for row in rows]


def _masks(rows: Sequence[Row]) -> list[bytes]:
    """The masked `text`, and `entities` with places in the text that came."""
    found = [mask(row["text"], kinds=frozenset(row["entities"])) for row in rows]
    return [
        dumps(
            {
                "text": one.text,
                "entities": [
                    {"entity_type": span.kind, "start": span.start, "end": span.end, "score": 1.0} for span in one.spans
                ],
            }
        )
        for one in found
    ]
