"""A model process: it reads the runs, says what they are, and then answers batches until nobody asks any more."""

from __future__ import annotations

import os
import signal
import time
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TYPE_CHECKING

from deepen.core.errors import DeepenError
from deepen.serving.messages import STOP, hear, tell
from deepen.serving.settings import Opening

if TYPE_CHECKING:
    from deepen.serving.answering import Row, Served

_MEASURED, _WRITTEN = (1, 64), (1, 4)  # rows; the latter of a network that writes


def work(connection: Connection, runs: dict[str, str], opening: Opening) -> None:
    """What a model process does from its start to its end.

    Args:
        connection: To the front. Its end is the end of the process too, however the front ended.
        runs: Folders by the names under which they are served.
        opening: How they are read.
    """
    for number in (signal.SIGINT, signal.SIGTERM):  # they reach the whole group; the front drains and then ends us
        signal.signal(number, signal.SIG_IGN)
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ[name] = str(opening.num_threads)
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    try:
        _work(connection, runs, opening)
    except (EOFError, OSError):
        return


def _work(connection: Connection, runs: dict[str, str], opening: Opening) -> None:
    from deepen.serving.answering import FAILED, halved, open_served
    from deepen.serving.jobs import embeds, jobs, talks
    from deepen.serving.known import known_rows, wishes

    try:
        served = {name: open_served(Path(folder), opening) for name, folder in runs.items()}
        abouts = {}
        for name, one in served.items():
            known = known_rows(Path(runs[name]), one)
            abouts[name] = one.about() | {
                "known": known._asdict(),
                "pace": _pace(one, known.rows),
                "wishes": wishes(one, known),
                "embeds": embeds(one),
                "writes": one.writes,
            }
    except DeepenError as error:
        tell(connection, {"error": type(error).__name__, "message": str(error)})
        return
    tell(connection, {"runs": abouts})
    doing, talking = jobs(served), talks(served, connection)
    failed = FAILED.encode()
    while True:
        header, _ = hear(connection)
        if header == STOP:  # it came too late
            continue
        began = time.perf_counter()
        name, rows = header["run"], header["rows"]
        if name in talking:
            answers = [talking[name](row) for row in rows]
        else:
            answers = served[name].answers(rows, header["hows"]) if name in served else halved(doing[name], rows)
        seconds = time.perf_counter() - began
        numbers = {"seconds": seconds, "failed": sum(failed in answer for answer in answers)}
        tell(connection, {**numbers, "expired": served[name].expired if name in served else None}, answers)


def _pace(served: Served, rows: list[Row]) -> list[tuple[int, float]]:
    """How many of the known rows, in turns, take how many seconds: what the front plans its first batches by."""
    found = []
    for num_rows in _WRITTEN if served.writes else _MEASURED:
        some = [rows[at % len(rows)] for at in range(num_rows)]
        began = time.perf_counter()
        served.answers(some, [{}] * num_rows if served.writes else ())  # known ones are cut short there
        found.append((num_rows, time.perf_counter() - began))
    return found
