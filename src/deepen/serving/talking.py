"""Answers that are told while they are written, as a model process makes them."""

from __future__ import annotations

import time
from dataclasses import replace
from multiprocessing.connection import Connection
from typing import Any

from deepen.core.errors import DeepenError
from deepen.data.masking import mask
from deepen.generation.constraints import Constraint
from deepen.generation.growing import Sampling, grow, read_text, read_turns
from deepen.serving.answering import FAILED, Row, Served
from deepen.serving.messages import PART, dumps, hear, tell

_BEAT = 0.5  # seconds after which a sign of life is given where there is nothing to tell


def talk(served: Served, connection: Connection, row: Row) -> bytes:
    """Answers one request, and tells parts of it on the way.

    Args:
        connection: To the front, which may say on it that nobody listens any more.
        row: `messages` (roles with texts) or `prompt`, and what is wished: `max_tokens`, `stop`, `sampling`, `held`.

    Returns:
        `text`, `stopped`, `num_prompt` and `num_generated` as JSON; or `refused` and the `field` of the request.
    """
    field = "response_format"
    try:
        writer: Any = served.model.predictor
        constraint = None if row["held"] is None else Constraint(**row["held"])
        writer = writer.held(constraint)
        field = "max_tokens"
        writer = writer.held(None, max_new_tokens=row["max_tokens"])
        field = "messages" if "messages" in row else "prompt"
        if field == "messages":
            prompt = read_turns(writer, [(role, _masked(served, text)) for role, text in row["messages"]])
        else:
            writer = replace(writer, asking=replace(writer.asking, stop=()))  # that was for the run's own prompt
            prompt = read_text(writer, _masked(served, row["prompt"]))
        how = {"stop": row["stop"], "trims": field == "messages", "tell": _Teller(connection)}
        grown = grow(writer, prompt, Sampling(**row["sampling"]), **how)
    except DeepenError as error:
        return dumps({"refused": str(error), "field": field})
    except (RuntimeError, ValueError, IndexError):  # of whatever library: the process goes on
        return dumps({"skipped": FAILED})
    if constraint is not None and grown.stopped == "end" and not constraint.holds(grown.text):
        return dumps({"refused": f"what was written is not what {constraint} wants", "field": "response_format"})
    told = {"text": grown.text, "stopped": grown.stopped}
    return dumps(told | {"num_prompt": len(prompt), "num_generated": grown.num_generated})


def _masked(served: Served, text: str) -> str:
    kinds = served.model.settings.masked
    return mask(text, kinds=kinds).text if kinds else text


class _Teller:
    """Tells parts to the front, and hears whether anybody listens."""

    def __init__(self, connection: Connection) -> None:
        self._connection, self._last, self._listens = connection, 0.0, True

    def __call__(self, part: str) -> bool:
        now = time.monotonic()
        if part or now - self._last > _BEAT:
            tell(self._connection, {PART: part})
            self._last = now
        while self._connection.poll():  # before it has answered, nothing else is sent
            hear(self._connection)
            self._listens = False
        return self._listens
