"""Answers that are told while they are written, as a model process makes them."""

from __future__ import annotations

import time
from dataclasses import asdict, replace
from multiprocessing.connection import Connection
from typing import Any

from deepen.core.errors import DeepenError, SettingError
from deepen.data.masking import mask
from deepen.generation.constraints import Constraint
from deepen.generation.growing import Sampling, drawn, grow, read_text, read_turns
from deepen.generation.tools import calls_of, read_tools
from deepen.serving.answering import FAILED, Row, Served
from deepen.serving.messages import PART, dumps, hear, tell

_BEAT = 0.5  # seconds after which a sign of life is given where there is nothing to tell


def talk(served: Served, connection: Connection, row: Row) -> bytes:
    """Answers one request, and tells parts of it on the way.

    Args:
        connection: To the front, which may say on it that nobody listens any more.
        row: `messages` (roles with texts; with `tools` as the template takes them) or `prompt`, and what is wished:
            `n`, `max_tokens`, `stop`, `sampling`, `held`.

    Returns:
        `num_prompt` and `answers` (`text`, `stopped`, `num_generated`, and `calls` of tools) as JSON; or `refused` and
        the `field` of the request.
    """
    field = "response_format"
    try:
        writer: Any = served.model.predictor
        constraint = None if row["held"] is None else Constraint(**row["held"])
        writer = writer.held(constraint)
        field = "max_tokens"
        writer = writer.held(None, max_new_tokens=row["max_tokens"])
        field, calls = "tools", None
        if row.get("tools"):
            calls = calls_of(writer, [tool["function"]["name"] for tool in row["tools"]])
            if served.model.settings.masked:
                raise SettingError("this run masks personal data, and calls of tools are not masked")
        field = "messages" if "messages" in row else "prompt"
        if calls is not None:
            prompt = read_tools(writer, row["messages"], row["tools"])
        elif field == "messages":
            prompt = read_turns(writer, [(role, _masked(served, text)) for role, text in row["messages"]])
        else:
            writer = replace(writer, asking=replace(writer.asking, stop=()))  # that was for the run's own prompt
            prompt = read_text(writer, _masked(served, row["prompt"]))
        teller = _Teller(connection, silent=calls is not None)
        how = {"stop": row["stop"], "trims": field == "messages", "tell": teller}
        field = "n"
        several = drawn(writer, Sampling(**row["sampling"]), row["n"])
        found = [grow(writer, prompt, sampling, **how) for sampling in several]
    except DeepenError as error:
        return dumps({"refused": str(error), "field": field})
    except (RuntimeError, ValueError, IndexError):  # of whatever library: the process goes on
        return dumps({"skipped": FAILED})
    if constraint is not None and any(one.stopped == "end" and not constraint.holds(one.text) for one in found):
        return dumps({"refused": f"what was written is not what {constraint} wants", "field": "response_format"})
    told = [asdict(one) for one in found]
    if calls is not None:
        for one in told:
            one["text"], one["calls"] = calls.read(one["text"])
    return dumps({"answers": told, "num_prompt": len(prompt)})


def _masked(served: Served, text: str) -> str:
    kinds = served.model.settings.masked
    return mask(text, kinds=kinds).text if kinds else text


class _Teller:
    """Tells parts to the front, or where that is `silent` signs of life, and hears whether anybody listens."""

    def __init__(self, connection: Connection, *, silent: bool) -> None:
        self._connection, self._silent, self._last, self._listens = connection, silent, 0.0, True

    def __call__(self, part: str) -> bool:
        now, part = time.monotonic(), "" if self._silent else part
        if part or now - self._last > _BEAT:
            tell(self._connection, {PART: part})
            self._last = now
        while self._connection.poll():  # before it has answered, nothing else is sent
            hear(self._connection)
            self._listens = False
        return self._listens
