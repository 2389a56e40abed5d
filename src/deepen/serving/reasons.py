"""A process that says why, beside those that answer: an explanation takes an encoder a hundred passes."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from functools import cache, partial
from multiprocessing.connection import Connection
from pathlib import Path

from deepen.core.errors import DeepenError, SettingError
from deepen.core.types import to_json
from deepen.inference.explain import Asked, explain, remembered
from deepen.models.device import using
from deepen.serving.answering import Row, Served, halved, open_served
from deepen.serving.messages import dumps, hear, tell

_SHOWN = ("rung", "sure", "answers", "notes")


def tell_why(connection: Connection, runs: dict[str, str]) -> None:
    """Explains rows until nobody asks any more.

    Args:
        connection: To the front.
        runs: Folders by the names under which they are served.
    """
    try:
        served = {name: open_served(Path(folder), export=False) for name, folder in runs.items()}
        asked = {name: _kept(one) for name, one in served.items() if one.model.task.explain is not None}
    except DeepenError as error:
        tell(connection, {"error": type(error).__name__, "message": str(error)})
        return
    tell(connection, {"runs": {name: name in asked for name in served}})
    while True:
        header, _ = hear(connection)
        began, run = time.perf_counter(), header["run"]
        found = halved(partial(_explained, served[run], asked[run]), header["rows"])
        tell(connection, {"seconds": time.perf_counter() - began}, found)


def _kept(served: Served) -> Asked:
    """What it takes to explain: the other rungs are read once, and the training rows now, not at the first question."""
    asked = served.model.asked
    with using(served.model.device):
        remembered(asked)
    return replace(asked, rungs={name: cache(make) for name, make in asked.rungs.items()})


def _explained(served: Served, asked: Asked, rows: Sequence[Row]) -> list[bytes]:
    return [dumps(_one(served, asked, row)) for row in rows]


def _one(served: Served, asked: Asked, row: Row) -> dict[str, object]:
    short, _, why = served.cut(row)
    if why is not None:
        return {"skipped": why}
    part = served.model.read([short], columns={name: name for name in row}, use="answer")
    if not len(part):
        return {"skipped": "there is no answer to explain"}
    try:
        with using(served.model.device):
            [found] = explain(asked, part)
    except SettingError as error:  # captum is not there
        return {"skipped": str(error)}
    record = to_json(found)
    return {name: record[name] for name in _SHOWN} | {"text": next(part.values("text"))}
